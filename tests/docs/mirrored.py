"""The program of docs/following.md under kill -9, with somebody who writes beside it."""

import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from itemledger_client import Catalogue
from tests.journey import Deployment
from tests.waiting import until

KILLS = 2
COMMANDS = 200
_SECONDS = 40.0


def goes_on_after_kills(program: Path, deployment: Deployment) -> None:
    """Kill it in the middle of what it takes, again and again; in the end its copy is right."""
    dice = random.Random(20)  # noqa: S311  a test's dice
    with Catalogue(deployment.command_url, deployment.query_url) as catalogue:
        for _ in range(KILLS):
            with running(program) as process:
                write(catalogue, dice)
                before = taken(program)
                until(lambda had=before: taken(program) > had, _SECONDS, "it takes changes")
                process.kill()
            write(catalogue, dice)
        theirs = {
            each.id: (each.name, each.price, each.currency, each.deleted_at is None, each.version)
            for each in catalogue.export(include_deleted=True)
        }
        with running(program) as process:
            until(lambda: copied(program) == theirs, _SECONDS, "the copy is what they have")
            process.send_signal(signal.SIGINT)
            assert process.wait(_SECONDS) == 0


def write(catalogue: Catalogue, dice: random.Random) -> None:
    rows = [row(dice) for _ in range(COMMANDS)]
    catalogue.batch(rows)


def row(dice: random.Random) -> dict[str, Any]:
    of, price = f"mirrored-{dice.randrange(12)}", dice.randrange(10_000)
    match dice.randrange(4):
        case 0:
            return {"op": "put", "id": of, "name": f"Mirror {price}", "price": price}
        case 1:
            return {"op": "delete", "id": of}
        case _:
            return {"op": "patch", "id": of, "price": price}


@contextmanager
def running(program: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, program.name], cwd=program.parent) as process:
        try:
            yield process
            code = process.poll()
            assert code in {None, 0, -signal.SIGKILL}, f"it ended by itself, with {code}"
        finally:
            process.kill()


def copied(program: Path) -> dict[str, tuple[Any, ...]]:
    return {each[0]: (*each[1:4], bool(each[4]), each[5]) for each in _rows(program, "*")}


def taken(program: Path) -> int:
    """Count the events that it has taken."""
    return sum(version for (version,) in _rows(program, "version"))


def _rows(program: Path, columns: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(program.with_name("prices.db"), timeout=10)) as db:
        tables = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'prices'").fetchone()
        return db.execute(f"SELECT {columns} FROM prices").fetchall() if tables else []
