"""A worker's parts on real engines, and short ways to command and to look."""

import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from redis import Redis
from sqlalchemy import Engine, Table, select

from domain.commands import Command
from eventlog import keys, layout
from eventlog.append import Appended, Submission, evalsha, load_script, read_reply
from eventlog.codec import decode, encode
from eventlog.envelope import Ask, Entry, Envelope, Pack
from eventlog.reader import LogReader
from eventlog.ring import Ring
from ledger import partitions
from ledger.engines import reading_engine, writing_engine
from readmodel.views import items
from readmodel.views.view import View
from runtime.failpoints import Reach, nowhere
from runtime.positions import Position
from tests.engines import put_away
from worker.apply import Decoded, Project
from worker.builder import Builder
from worker.drain import Drain
from worker.pause import Pause
from worker.stores import Stores
from worker.tally import Tally
from worker.told import Told, nobody

_END = b"the end"
NOW = 1_800_000_000_000
PROJECTIONS: Mapping[str, Project] = {items.NAME: items.VIEW.into(1)}


@dataclass(slots=True)
class Clock:
    now: int = NOW

    def __call__(self) -> int:
        return self.now


@dataclass(slots=True)
class World:
    engine: Engine
    reads: Engine
    redis: "Redis"
    reader: LogReader
    ring: Ring
    clock: Clock = field(default_factory=Clock)
    stopping: threading.Event = field(default_factory=threading.Event)
    rang: bool = False

    @classmethod
    @contextmanager
    def of(cls, database_url: str, valkey_url: str, partitions: int) -> "Generator[World]":
        engine, reads = writing_engine(database_url), reading_engine(database_url)
        with Redis.from_url(valkey_url) as redis:
            lay_out(engine, redis, partitions)
            yield cls(engine, reads, redis, LogReader(redis, partitions), Ring(redis))
        engine.dispose()
        put_away(reads)

    def drain(
        self,
        projections: Mapping[str, Project] = PROJECTIONS,
        pause: Pause | None = None,
        reach: Reach = nowhere,
        tally: Tally | None = None,
        told: Told = nobody,
    ) -> Drain:
        return Drain(
            self.engine,
            self.reader,
            self.ring,
            projections,
            self.clock,
            self.stopping,
            pause,
            reach,
            tally,
            told,
        )

    def append(self, *entries: Entry, partition: int = 0) -> list[Appended]:
        """Append as the API does, without ringing; `rang` says whether the API would have rung."""
        script = load_script()
        self.redis.script_load(script.text)
        submissions = [
            Submission(
                each.id,
                encode(each),
                each.fingerprint if isinstance(each, Envelope | Pack) else "",
                width=len(each.rows) if isinstance(each, Pack) else 1,
            )
            for each in entries
        ]
        reply = self.redis.execute_command(*evalsha(script, partition, submissions))
        self.rang, appended = read_reply(partition, reply)
        return appended

    def log(self, partition: int = 0) -> list[Decoded]:
        found = self.reader.after(Position(partition, 0, 0), 1_000_000)
        return [
            Decoded(each.position, decode(each.body), each.body, width=each.width) for each in found
        ]

    def rows(self, table: Table, *order: str) -> list[dict[str, Any]]:
        with self.engine.connect() as connection:
            statement = select(table).order_by(*(table.c[name] for name in order))
            return [dict(row) for row in connection.execute(statement).mappings()]

    def checkpoint(self, partition: int = 0) -> Position:
        return partitions.read(self.engine, [partition])[partition].position

    def heard(self, instance: str) -> Any:
        """Listen as an API process of this name, from now on."""
        pubsub = self.redis.pubsub(ignore_subscribe_messages=True)
        pubsub.subscribe(keys.outcomes(instance))
        pubsub.get_message(timeout=30)
        return pubsub


def heard_so_far(redis: "Redis", channel: str, pubsub: Any) -> list[bytes]:
    """Hear what was published in a channel until now; where that ends is told by the same way."""
    redis.publish(channel, _END)
    heard: list[bytes] = []
    while not heard or heard[-1] != _END:
        message = pubsub.get_message(timeout=30)
        assert message is not None
        if message["type"] == "message":
            heard.append(message["data"])
    return heard[:-1]


def lay_out(engine: Engine, redis: "Redis", count: int) -> None:
    partitions.lay_out(engine, count)
    layout.claim(redis, count)


def builder(world: World, *views: View) -> Builder:
    stores = Stores(world.engine, world.reads, world.reader.partitions)
    return Builder(stores, views, world.clock, world.stopping)


def no_ends(_: int) -> Mapping[int, int]:
    """Say that no epoch has ended."""
    return {}


def envelope(
    name: str, command: Command, reply_to: str | None = None, fingerprint: str = ""
) -> Envelope:
    return Envelope(name, command, "anna", fingerprint, reply_to)


def ask(name: str, reply_to: str, fingerprint: str = "") -> Ask:
    return Ask(f"ask {name} with {fingerprint}", name, fingerprint, reply_to)


def at(entries: Sequence[Entry], epoch: int = 1, first: int = 1) -> list[Decoded]:
    """Place entries in a log that need not exist."""
    return [
        Decoded(Position(0, epoch, first + n), entry, encode(entry))
        for n, entry in enumerate(entries)
    ]
