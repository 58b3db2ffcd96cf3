"""The mistakes that are made most often, each with the line that it is answered with."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from redis import Redis

from ledger.engines import writing_engine
from ledger.schema import REVISION
from runtime.auth.caller import Scope
from runtime.auth.issue import issue
from runtime.auth.tokens import OwnKey
from runtime.settings import Settings
from runtime.times import now_ms
from runtime.valkey import running_valkey
from tests.ports import free_ports

CONSOLE = [sys.executable, "-P", "-m", "cli"]
SECRET = "the secret of the services, of these tests"  # noqa: S105
SCOPES: Sequence[Scope] = ("items:read", "items:write", "ops")


@dataclass(frozen=True, slots=True)
class Mistake:
    """What was typed, how it ends, and a line of the answer. `{…}` stand for places."""

    typed: str
    code: int
    line: str
    env: dict[str, str] = field(default_factory=dict)


ALONE = {
    "the service is not running": Mistake(
        "status",
        3,
        "itemledger: cannot reach {nobody} (Connection refused): start it with `itemledger up`, or "
        "mend --query-url (ITEMLEDGER_QUERY_URL) if its query API is elsewhere",
        {"ITEMLEDGER_QUERY_URL": "{nobody}"},
    ),
    "a URL without http": Mistake(
        "status --query-url localhost:8001",
        2,
        "itemledger: --query-url (ITEMLEDGER_QUERY_URL): must be http:// or https:// and a host, "
        "such as http://127.0.0.1:8001",
    ),
    "a port that is taken": Mistake(
        "up --command-port {taken}",
        1,
        "itemledger: port {taken} on 127.0.0.1 is taken by another program: stop it, or choose "
        "another port with --command-port (ITEMLEDGER_COMMAND_PORT)",
    ),
    "no database yet": Mistake(
        "verify",
        3,
        "itemledger: cannot use the database sqlite:///{folder}/data/itemledger.db: there is no "
        "such file; `itemledger up` makes it, or name its folder with ITEMLEDGER_DATA, or the "
        "database with ITEMLEDGER_DATABASE_URL",
    ),
    "a worker before the database": Mistake(
        "worker",
        1,
        "itemledger worker: cannot use the database {folder}/data/itemledger.db: No such file or "
        "directory; run `itemledger migrate` if there is none yet, or mend ITEMLEDGER_DATA or "
        "ITEMLEDGER_DATABASE_URL",
    ),
    "an option that there is not": Mistake(
        "status --wach", 2, "Error: No such option: --wach (Possible options: --watch)"
    ),
    "a command that there is not": Mistake(
        "statsu", 2, "Error: No such command 'statsu'. Did you mean 'status'?"
    ),
    "a file that is missing": Mistake(
        "import none.csv",
        2,
        "itemledger: cannot read none.csv: there is no such file in {folder}",
    ),
    "a folder for a file": Mistake(
        "import {folder}", 2, "itemledger: {folder} is a folder: name a file"
    ),
    "a JSON array": Mistake(
        "import array.json",
        2,
        "itemledger: array.json is a JSON array: write one object a line (NDJSON), or CSV",
    ),
    "a folder nobody can make": Mistake(
        "up --data /proc/itemledger",
        1,
        "itemledger: cannot use the data folder /proc/itemledger: No such file or directory; "
        "choose another with --data (ITEMLEDGER_DATA)",
    ),
    "a view that there is not": Mistake(
        "rebuild item",
        2,
        "itemledger: there is no view 'item'; there are items, search, stats, timeline, wordings",
    ),
    "PostgreSQL is down": Mistake(
        "migrate",
        3,
        "itemledger: cannot use the database postgresql+psycopg://me:***@127.0.0.1:{free}/items: "
        'connection failed: connection to server at "127.0.0.1", port {free} failed: Connection '
        "refused; start it, or mend --database-url (ITEMLEDGER_DATABASE_URL)",
        {"ITEMLEDGER_DATABASE_URL": "postgresql+psycopg://me:hush@127.0.0.1:{free}/items"},
    ),
    "a misspelt setting": Mistake(
        "migrate",
        0,
        "itemledger: warning: there is no setting ITEMLEDGER_DATABSE_URL "
        "(ITEMLEDGER_DATABASE_URL?): see docs/configuration.md",
        {
            "ITEMLEDGER_DATABSE_URL": "x",
            "ITEMLEDGER_DATABASE_URL": "sqlite:///{folder}/made.db",
        },
    ),
}
SERVED = {
    "a second up on one folder": Mistake(
        "up",
        1,
        "itemledger: the data folder {data} is in use by another `itemledger up` (process {pid}): "
        "stop that one, or give this one a folder with --data",
    ),
    "the command API for the query API": Mistake(
        "status --query-url {command}",
        3,
        "itemledger: {command} answers 404 to /status: not as itemledger's query API: mend "
        "--query-url (ITEMLEDGER_QUERY_URL)",
    ),
    "a column of another name": Mistake(
        "import columns.csv",
        2,
        "itemledger: {command} does not take the file: 422 invalid-columns, the column 'nam' is no "
        "member of a row, which are op, id, name, description, price, currency, effective_at, "
        "if_version, reason; name the columns to take with --map",
    ),
    "a price with a point": Mistake(
        "import prices.csv",
        1,
        "row 2: invalid-body, price: must be a whole number of minor units (cents); 4.5 is "
        "probably meant as 450: --map id:id,name:name,price:price*100",
    ),
    "no token": Mistake(
        "status",
        2,
        "itemledger: {query} answers 401 to /status: it asks for a token; set ITEMLEDGER_TOKEN "
        "(`itemledger token create` makes one)",
        {"ITEMLEDGER_TOKEN": ""},
    ),
    "an expired token": Mistake(
        "import prices.csv",
        2,
        "itemledger: {command} does not take the file: unauthenticated, the token has expired; "
        "mend ITEMLEDGER_TOKEN (`itemledger token create` makes one)",
        {"ITEMLEDGER_TOKEN": "{expired}"},
    ),
}


@pytest.mark.parametrize("name", ALONE)
def test_a_mistake_is_answered_with_its_line(
    name: str, tmp_path: Path, free_ports: tuple[int, int]
) -> None:
    (tmp_path / "array.json").write_text('[{"id": "a"}]')
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        places = {
            "folder": str(tmp_path),
            "taken": str(taken.getsockname()[1]),
            "free": str(free_ports[0]),
            "nobody": f"http://127.0.0.1:{free_ports[0]}",
        }
        env = ports(free_ports) | {"ITEMLEDGER_DATA": str(tmp_path / "data")}
        answered(ALONE[name], places, env, tmp_path)


@pytest.mark.parametrize("name", SERVED)
def test_a_mistake_with_a_service_is_answered_with_its_line(
    name: str, deployment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "columns.csv").write_text("id,nam,price\na,lamp,5\n")
    (tmp_path / "prices.csv").write_text("id,name,price\na,lamp,4.5\n")
    env = {key: value for key, value in deployment.items() if key.startswith("ITEMLEDGER_")}
    answered(SERVED[name], deployment, env, tmp_path)


def test_ctrl_c_in_the_middle_of_an_import_says_how_to_go_on(
    deployment: dict[str, str], tmp_path: Path
) -> None:
    rows = "".join(f'{{"id": "i{row}", "name": "x", "price": 1}}\n' for row in range(50_000))
    (tmp_path / "rows.ndjson").write_text(rows)
    env = os.environ | deployment
    command = [*CONSOLE, "import", "rows.ndjson", "--key", "k1"]
    with started(command, env, tmp_path) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Importing rows.ndjson")
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait() == 130
    assert (
        said.strip().splitlines()[-1].endswith("To go on: itemledger import rows.ndjson --key k1")
    )


def test_what_is_not_written_to_a_terminal_has_no_colours_and_tabs(
    deployment: dict[str, str],
) -> None:
    done = subprocess.run(
        [*CONSOLE, "status"], env=os.environ | deployment, capture_output=True, check=False
    )
    assert done.returncode == 0
    assert b"\x1b" not in done.stdout
    assert b"partition\tepoch\thead\tcheckpoint\tlag\tlag seconds\n" in done.stdout


def test_no_worker_and_a_redis_without_persistence_are_told_by_the_doctor(
    tmp_path: Path, sqlite_url: str, free_ports: tuple[int, int]
) -> None:
    settings = Settings(data=tmp_path / "data")
    with running_valkey(settings), Redis.from_url(settings.log_url) as redis:
        redis.config_set("appendonly", "no")
        env = {"ITEMLEDGER_REDIS_URL": settings.log_url, "ITEMLEDGER_DATABASE_URL": sqlite_url}
        for line in (
            (
                "bad  log: durability       no command is accepted: the log's Redis keeps nothing "
                "on disk (appendonly no); mend: CONFIG SET appendonly yes there, and in its "
                "configuration, or set ITEMLEDGER_MIN_DURABILITY=none"
            ),
            (
                "bad  workers               none was heard of in the last 15 s: what is accepted "
                "waits; mend: start `itemledger worker`, or `itemledger up` for everything"
            ),
        ):
            answered(Mistake("doctor", 1, line), {}, env | ports(free_ports), tmp_path)


def test_an_old_schema_is_told_with_the_command_that_mends_it(
    tmp_path: Path, sqlite_url: str
) -> None:
    engine = writing_engine(sqlite_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0007'")
    engine.dispose()
    line = (
        f"itemledger: the database has schema 0007 and this release wants {REVISION}: "
        "run `itemledger migrate`"
    )
    env = {"ITEMLEDGER_DATABASE_URL": sqlite_url}
    answered(Mistake("verify", 3, line), {}, env, tmp_path)


def answered(mistake: Mistake, places: dict[str, str], env: dict[str, str], folder: Path) -> None:
    """The command ends with its code, says the line, and shows neither traceback nor password."""
    typed = [_filled(word, places) for word in mistake.typed.split()]
    more = {key: _filled(value, places) for key, value in mistake.env.items()}
    done = subprocess.run(
        [*CONSOLE, *typed],
        env=os.environ | {"COLUMNS": "200"} | env | more,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    lines = [line.strip("│ ") for line in said.splitlines()]
    assert _filled(mistake.line, places) in lines, said
    assert done.returncode == mistake.code
    assert "Traceback" not in said
    assert "hush" not in said


def _filled(text: str, places: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: places[match[1]], text)


def ports(two: tuple[int, int]) -> dict[str, str]:
    return {"ITEMLEDGER_COMMAND_PORT": str(two[0]), "ITEMLEDGER_QUERY_PORT": str(two[1])}


@contextmanager
def started(
    command: Sequence[str], env: dict[str, str], folder: Path
) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        command, env=env, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a running deployment that asks for tokens, and its places."""
    folder = tmp_path_factory.mktemp("up")
    two = free_ports()
    clean = {key: each for key, each in os.environ.items() if not key.startswith("ITEMLEDGER_")}
    command, query = (f"http://127.0.0.1:{port}" for port in two)
    own = OwnKey(SECRET, "itemledger")
    env = ports(two) | {
        "ITEMLEDGER_ENV_FILE": "",
        "ITEMLEDGER_DATA": str(folder / "data"),
        "ITEMLEDGER_TOKEN_SECRET": SECRET,
        "ITEMLEDGER_COMMAND_URL": command,
        "ITEMLEDGER_QUERY_URL": query,
    }
    log = (folder / "log").open("w")
    with (
        log,
        subprocess.Popen(
            [*CONSOLE, "up"], env=clean | env, stdout=subprocess.PIPE, stderr=log, text=True
        ) as up,
    ):
        try:
            assert up.stdout is not None
            assert any("Ctrl-C stops it" in line for line in up.stdout)
            now = now_ms() // 1000
            yield env | {
                "ITEMLEDGER_TOKEN": issue(own, "itemledger", "me", SCOPES, now, 600).token,
                "expired": issue(own, "itemledger", "me", SCOPES, now - 4000, 60).token,
                "command": command,
                "query": query,
                "data": str(folder / "data"),
                "pid": str(up.pid),
            }
        finally:
            up.send_signal(signal.SIGTERM)
        assert up.wait() == 0
