"""Random commands to a few items, and builders that are told when to die."""

import random
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event, text

from domain.commands import (
    Command,
    CreateItem,
    DeleteItem,
    PatchItem,
    ReplaceItem,
    RestoreItem,
    RevertItem,
    SchedulePrice,
)
from eventlog.envelope import Atomic
from eventlog.partition import partition_of
from ledger import projections
from ledger.projections import Projection
from readmodel.views import items
from readmodel.views.listing import all_projections
from readmodel.views.view import View
from runtime.row_ids import row_id
from tests.waiting import until
from tests.worker import tally
from tests.worker.world import NOW, World, envelope


class History:
    """Gives random commands to a world, and lets its worker apply them."""

    def __init__(
        self, world: World, seed: int = 7, projections: Sequence[View] = (items.VIEW, tally.VIEW)
    ) -> None:
        self._world = world
        self._chance = random.Random(seed)  # noqa: S311
        self._seed = seed
        self._drain = world.drain(all_projections(projections))
        self._given = 0

    def add(self, count: int) -> None:
        for _ in range(count):
            self._given += 1
            item_id = f"lamp-{self._chance.randrange(12)}"
            command = envelope(f"c{self._seed}-{self._given}", self._any(item_id))
            partition = partition_of(item_id, self._world.reader.partitions)
            self._world.append(command, partition=partition)
        self._apply()

    def add_atomic(self) -> None:
        """Add a batch of all items, which are of all partitions."""
        self._given += 1
        name, rows = f"a{self._seed}-{self._given}", range(12)
        batch = [
            ReplaceItem(f"lamp-{row}", NOW, "Lamp", None, self._given + row, None, "EUR")
            for row in rows
        ]
        named = (envelope(row_id(name, row), each) for row, each in enumerate(batch))
        home = partition_of("lamp-0", self._world.reader.partitions)
        self._world.append(Atomic(name, tuple(named)), partition=home)
        self._apply()

    def _apply(self) -> None:
        for partition in range(self._world.reader.partitions):
            while not self._drain.partition(partition):
                pass

    def _any(self, item_id: str) -> Command:
        at = NOW + 10 * self._given
        name, price = f"Lamp {self._chance.randrange(99)} ☀", self._chance.randrange(1_000_000)
        schedule, until = f"s{self._given}", self._chance.choice([None, at + 900])
        commands: list[tuple[int, Command]] = [
            (3, CreateItem(item_id, at, name, None, price, "EUR")),
            (3, ReplaceItem(item_id, at, name, "bright", price, None, "USD")),
            (3, PatchItem(item_id, at, price=price)),
            (1, DeleteItem(item_id, at)),
            (2, RestoreItem(item_id, at)),
            (1, RevertItem(item_id, at, to_version=1 + self._chance.randrange(4))),
            (1, SchedulePrice(item_id, at, schedule, price, None, at + 200, until, "anna")),
        ]
        weights, chosen = zip(*commands, strict=True)
        return self._chance.choices(chosen, weights)[0]


class Killed(BaseException):
    """The process is gone."""


@contextmanager
def dying_after(engine: Engine, statements: int) -> Generator[Callable[[], bool]]:
    """Let the process die before a statement or a commit, after so many of them; tells whether it
    has.
    """
    left = iter(range(statements))
    died = False

    def count(*_: Any) -> None:
        nonlocal died
        if next(left, None) is None:
            died = True
            raise Killed

    kinds = ("before_cursor_execute", "commit")
    for kind in kinds:
        event.listen(engine, kind, count)
    try:
        yield lambda: died
    finally:
        for kind in kinds:
            event.remove(engine, kind, count)
    if died and engine.dialect.name == "postgresql":
        # The server takes a moment to notice, and as long as that nobody else works at a view.
        until(lambda: not _locks(engine), 30, "what died has let go of its locks")


def _locks(engine: Engine) -> int:
    """Count the advisory locks that sessions of this database have."""
    with engine.connect() as connection:
        held = text(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return int(connection.scalar(held) or 0)


@contextmanager
def meanwhile(engine: Engine, do: Callable[[], None], times: int) -> Generator[None]:
    """Do something between two steps of a builder: when it has read."""
    left = iter(range(times))
    busy = False

    def done(*_: Any) -> None:
        nonlocal busy
        if not busy and next(left, None) is not None:
            busy = True
            try:
                do()
            finally:
                busy = False

    event.listen(engine.pool, "checkin", done)
    try:
        yield
    finally:
        event.remove(engine.pool, "checkin", done)


def book(world: World, view: str = "tally") -> Projection:
    with world.reads.connect() as connection:
        found = projections.read(connection, view)
    assert found is not None
    return found
