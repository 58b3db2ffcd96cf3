"""A ledger to read from, written as the worker would write it, and a client of the application."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import fakeredis
import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from sqlalchemy import Engine

from domain.events import Event
from domain.evolve import evolve
from domain.item import Item
from eventlog import keys
from eventlog.inspect import LogInspector, inspect_log
from ledger import tables
from ledger.bulk import insert_rows, upsert_rows
from ledger.changes import Changes
from ledger.codec import encode
from ledger.engines import reading_engine, writing_engine
from ledger.recorded import Recorded
from readmodel.app import create_app
from readmodel.views.listing import all_views
from runtime.settings import Settings
from tests.engines import put_away
from tests.readmodel.operated import AT, EPOCH, Monotonic, Operated


@dataclass(slots=True)
class Ledger:
    """Takes events and writes what belongs to them: events, heads, views, the partition's row."""

    engine: Engine
    items: dict[str, Item] = field(default_factory=dict)
    states: dict[tuple[str, int], Item] = field(default_factory=dict)
    offset: int = 0
    n: int = 0

    def add(self, *events: Event, reason: str | None = None, command_id: str | None = None) -> None:
        rows: list[dict[str, Any]] = []
        touched: dict[str, Item] = {}
        before = dict(self.items)
        recorded: list[Recorded] = []
        for event in events:
            item = evolve(self.items.get(event.item_id), event)
            self.items[item.id] = touched[item.id] = self.states[item.id, item.version] = item
            self.offset += 1
            command = command_id or f"command-{self.offset}"
            recorded.append(Recorded(0, self.offset, item.version, event, command, "rosa", reason))
            type_name, data = encode(event)
            rows.append(
                {
                    "partition": 0,
                    "offset": self.offset,
                    "item_id": item.id,
                    "version": item.version,
                    "type": type_name,
                    "data": data,
                    "command_id": command,
                    "actor": "rosa",
                    "reason": reason,
                    "recorded_at": event.recorded_at,
                    "effective_at": event.effective_at,
                    "hash": f"hash-{self.offset}",
                }
            )
        with self.engine.begin() as connection:
            insert_rows(connection, tables.events, rows)
            upsert_rows(connection, tables.heads, [_head(each) for each in touched.values()])
            there = {each: before[each] for each in touched if each in before}
            for view in all_views():
                view.into(1)(connection, Changes(recorded, there, touched))
            upsert_rows(
                connection,
                tables.partitions,
                [
                    {
                        "partition": 0,
                        "epoch": EPOCH,
                        "n": self.n,
                        "offset": self.offset,
                        "recorded_at": events[-1].recorded_at,
                        "hash": f"hash-{self.offset}",
                        "in_step": ",".join(view.name for view in all_views()),
                    }
                ],
            )
            upsert_rows(
                connection,
                tables.checkpoints,
                [
                    {
                        "projection": view.name,
                        "partition": 0,
                        "offset": self.offset,
                        "epoch": EPOCH,
                        "n": self.n,
                    }
                    for view in all_views()
                ],
            )

    def take(self, n: int, **values: Any) -> None:
        """Let the ledger have taken the log up to here."""
        row = {"partition": 0, "epoch": EPOCH, "n": n, "offset": self.offset}
        row |= {"recorded_at": AT, "hash": f"hash-{self.offset}"}
        with self.engine.begin() as connection:
            upsert_rows(connection, tables.partitions, [row | values])

    def outcome(self, command_id: str, item_id: str, **values: Any) -> None:
        self.n += 1
        row = {
            "command_id": command_id,
            "partition": 0,
            "epoch": EPOCH,
            "n": self.n,
            "item_id": item_id,
            "status": "applied",
            "http_status": 200,
            "version": 1,
            "code": None,
            "detail": None,
            "fingerprint": "f",
            "completed_at": 1_763_798_400_000,
        }
        with self.engine.begin() as connection:
            insert_rows(connection, tables.outcomes, [row | values])


def _head(item: Item) -> dict[str, Any]:
    return {
        "item_id": item.id,
        "partition": 0,
        "version": item.version,
        "name": item.name,
        "description": item.description,
        "price": item.price,
        "currency": item.currency,
        "created_at": item.created_at,
        "updated_at": item.updated_at,
        "deleted_at": item.deleted_at,
        "effective_at": item.effective_at,
    }


@dataclass(frozen=True, slots=True)
class Log:
    """A log that commands can be put on, and that can go down."""

    server: fakeredis.FakeServer
    inspector: LogInspector

    def put(self, command_id: str, n: int = 1, partition: int = 0) -> None:
        redis = fakeredis.FakeRedis(server=self.server)
        redis.set(keys.command(partition, command_id), f"{EPOCH}-{n} fingerprint")
        redis.hset(keys.head(partition), mapping={"run_id": "x", "epoch": EPOCH, "n": n})
        redis.close()

    def end_epoch(self, epoch: int, n: int, partition: int = 0) -> None:
        redis = fakeredis.FakeRedis(server=self.server)
        redis.hset(keys.epochs(partition), str(epoch), n)
        redis.close()

    def go_down(self) -> None:
        self.server.connected = False


@pytest.fixture(scope="session")
def settings(unset: Settings) -> Settings:
    said: dict[str, Any] = {
        "query_url": "https://read.example",
        "command_url": "https://write.example",
        "cursor_secret": "of this test",
    }
    return unset.model_copy(update=said)


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    engine = writing_engine(database_url)
    yield Ledger(engine)
    engine.dispose()


@pytest.fixture
def log() -> Iterator[Log]:
    server = fakeredis.FakeServer()
    redis = fakeredis.FakeRedis(server=server)
    yield Log(server, LogInspector(redis, 2))
    redis.close()


@pytest.fixture
def log_redis(log: Log) -> Iterator["Redis"]:
    """The Redis of the log."""
    redis = fakeredis.FakeRedis(server=log.server)
    yield redis
    redis.close()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = reading_engine(database_url)
    yield engine
    put_away(engine)


@pytest.fixture
def operated(settings: Settings, engine: Engine, valkey_url: str) -> Iterator[Operated]:
    inspector = inspect_log(valkey_url, 2)
    fsync = settings.model_copy(update={"min_durability": "fsync"})
    monotonic = Monotonic()
    client = create_app(fsync, engine, inspector, lambda: AT, monotonic=monotonic).test_client()
    with Redis.from_url(valkey_url) as redis:
        redis.config_set("maxmemory", "1gb")
        yield Operated(client, redis, monotonic)
    inspector.close()


@pytest.fixture
def app(settings: Settings, engine: Engine, log: Log) -> Flask:
    return create_app(settings, engine, log.inspector)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
