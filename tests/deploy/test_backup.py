"""The commands of docs/backup.md, as they stand there: a restored database is behind the log, and
finds its commands again.
"""

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict

from ledger import tables
from ledger.schema import check_schema
from tests.deploy.deployed import ROOT
from tests.ledger.granted import Roles, granted
from tests.ledger.ledgers import look
from tests.ledger.test_roles import NOBODY_BUT_THE_OWNER, went_through
from tests.worker.test_losses import LAMP, applied, patches, recorded, swept
from tests.worker.world import World

PAGE = ROOT / "docs" / "backup.md"


def commands() -> list[str]:
    return re.findall(r"```sh\n(.*?)```", PAGE.read_text("utf-8"), flags=re.DOTALL)


@pytest.fixture
def roles(postgresql_server: Any) -> Iterator[Roles]:
    with granted(postgresql_server) as made:
        yield made


def write_some(world: World) -> None:
    world.append(LAMP, *patches(0, 2))
    world.drain().partition(0)


def write_more(world: World) -> None:
    """What is applied after the backup, and what still waits when it is restored."""
    world.append(*patches(2, 3))
    world.drain().partition(0)
    world.append(*patches(5, 2))


def assert_all_is_there(world: World) -> None:
    swept(world)
    assert applied(world) == ["c1", *(f"p{n}" for n in range(7))]
    assert [row["offset"] for row in world.rows(tables.events, "offset")] == list(range(1, 9))
    assert recorded(world) == []
    assert look(world.reads).differences == ()


def test_a_restored_postgresql_takes_from_the_log_what_came_after_its_backup(
    roles: Roles, postgresql_server: Any, valkey_url: str, tmp_path: Path
) -> None:
    dump, restore = commands()[:2]
    server = conninfo_to_dict(postgresql_server.get_uri())

    def shell(script: str) -> None:
        # The page's own words, on this server and under this test's names.
        words = re.sub(r"\bitemledger(?=[ _'\n]|$)", roles.name, script)
        for name in ("database.sql", "rights.sql"):
            text = (ROOT / "deploy" / "postgresql" / name).read_text("utf-8")
            (tmp_path / name).write_text(text.replace("itemledger", roles.name))
            words = words.replace(f"deploy/postgresql/{name}", name)
        done = subprocess.run(
            ["sh", "-ec", words],
            cwd=tmp_path,
            env={
                "PATH": f"{postgresql_server.bin_path}:{os.environ['PATH']}",
                "PGHOST": str(server["host"]),
                "PGPORT": str(server.get("port", 5432)),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    with World.of(roles.worker, valkey_url, partitions=1) as world:
        write_some(world)
        shell(dump)
        write_more(world)
    shell(restore)
    with World.of(roles.worker, valkey_url, partitions=1) as world:
        check_schema(world.engine)
        assert applied(world) == ["c1", "p0", "p1"]
        assert_all_is_there(world)
    assert went_through(roles.worker, NOBODY_BUT_THE_OWNER) == []


def test_a_restored_sqlite_file_takes_from_the_log_what_came_after_its_backup(
    sqlite_url: str, valkey_url: str, tmp_path: Path
) -> None:
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "itemledger.db").symlink_to(file)
    with World.of(sqlite_url, valkey_url, partitions=1) as world:
        write_some(world)
        subprocess.run(
            ["sh", "-ec", commands()[2].replace("python3", sys.executable)],
            cwd=tmp_path,
            check=True,
        )
        write_more(world)
    for beside in ("-wal", "-shm"):
        file.with_name(file.name + beside).unlink(missing_ok=True)
    (tmp_path / "itemledger-backup.db").replace(file)
    with World.of(sqlite_url, valkey_url, partitions=1) as world:
        assert applied(world) == ["c1", "p0", "p1"]
        assert_all_is_there(world)
        with pytest.raises(sqlite3.IntegrityError), sqlite3.connect(file) as connection:
            connection.execute("DELETE FROM events")
