"""Commands that meet a defect, and short ways to look at what becomes of them."""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from domain.commands import CreateItem, PatchItem
from eventlog.envelope import Envelope, Order
from ledger import tables
from tests.worker.world import NOW, World, envelope

ROOT = Path(__file__).parents[2]
LAMP = envelope("c1", CreateItem("lamp-1", NOW, "Lamp", None, 100, "EUR"))
RUG = envelope("r1", CreateItem("rug-1", NOW, "Rug", None, 500, "EUR"))
POISON = 666


def lamp(command_id: str, price: int) -> Envelope:
    return envelope(command_id, PatchItem("lamp-1", NOW, price=price))


def rug(command_id: str, price: int) -> Envelope:
    return envelope(command_id, PatchItem("rug-1", NOW, price=price))


def order(command_id: str, what: Any, of: str) -> Order:
    return Order(command_id, what, of, "anna")


def applied(world: World) -> list[str]:
    return [row["command_id"] for row in world.rows(tables.events, "offset")]


def states(world: World) -> dict[str, str]:
    return {row["command_id"]: row["state"] for row in world.rows(tables.quarantine, "n")}


def outcome(world: World, command_id: str) -> dict[str, Any]:
    (found,) = [
        row for row in world.rows(tables.outcomes, "command_id") if row["command_id"] == command_id
    ]
    return found


class Forker:
    """Has drains done in processes of their own, which a poisoned command kills."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def drain(
        self,
        database_url: str,
        valkey_url: str,
        how: Literal["partition", "answer"] = "partition",
        points: Path | None = None,
        count: int = 2,
    ) -> int:
        """Drain, and return the exit code; `points` is a folder of failpoints, `count` the number
        of partitions where all are drained.
        """
        partitions = count if how == "answer" else 1
        asked = (database_url, valkey_url, how, str(points or ""), partitions)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(asked)}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def running_forker() -> Generator[Forker]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.worker.forker"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Forker(process)
