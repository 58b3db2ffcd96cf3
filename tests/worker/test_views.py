"""Stats and timeline under a worker: in step, left behind by a defect, and built anew."""

import random
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection

from domain.commands import (
    Command,
    CreateItem,
    DeleteItem,
    PatchItem,
    ReplaceItem,
    RestoreItem,
)
from ledger import events, projections, rebuilding, tables
from ledger.changes import Changes
from ledger.projections import Projection, Slot
from ledger.recorded import Recorded
from readmodel.views import items, stats, timeline
from readmodel.views.chosen import Filter, Sort
from readmodel.views.compare import compare
from readmodel.views.items import render
from readmodel.views.listing import all_projections
from readmodel.views.view import View
from tests.readmodel.histories import counted, in_force
from tests.worker.world import NOW, World, builder, envelope

VIEWS = [stats.VIEW, timeline.VIEW]
HOUR = 3_600_000

each_view = pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)


class Work:
    """Gives random commands to both partitions, in batches over several days."""

    def __init__(self, world: World, views: list[View]) -> None:
        # The order is the point, not that it cannot be guessed.
        self._dice = random.Random(5)  # noqa: S311
        self._world = world
        self._count = 0
        self.drain = world.drain(all_projections(views))

    def do(self, count: int) -> None:
        for _ in range(count // 40):
            self._world.clock.now += self._dice.randrange(9 * HOUR)
            for partition in (0, 1):
                self._world.append(*(self._any(partition) for _ in range(20)), partition=partition)
                self.drain.partition(partition)

    def _any(self, partition: int) -> Any:
        self._count += 1
        item_id = f"p{partition}-{self._dice.randrange(9)}"
        return envelope(f"c{self._count}", self._command(item_id))

    def _command(self, item_id: str) -> Command:
        dice, now = self._dice, self._world.clock.now
        price, currency = dice.choice([0, 5, 7, 5_000]), dice.choice(["EUR", "USD"])
        # Some say when it was, as an import does; the item may have changed since.
        at = dice.choice([None, None, now - dice.randrange(HOUR)])
        match dice.randrange(8):
            case 0 | 1 | 2:
                return CreateItem(item_id, now, "Lamp", None, price, currency, effective_at=at)
            case 3 | 4:
                return ReplaceItem(item_id, now, "Jug", "of clay", price, None, currency)
            case 5 | 6:
                return PatchItem(item_id, now, price=price, effective_at=at)
            case _:
                return dice.choice([DeleteItem(item_id, now), RestoreItem(item_id, now)])


def history(world: World) -> list[Recorded]:
    with world.reads.connect() as connection:
        return [each for n in (0, 1) for each in events.after(connection, n, 0, 1_000_000)]


def is_right(world: World, view: View, slot: Slot) -> bool:
    """Compare what a view tells with what one counts and folds event by event."""
    happened = history(world)
    assert len({each.event.recorded_at // (24 * HOUR) for each in happened}) > 1
    with world.reads.connect() as connection:
        if view.name == stats.NAME:
            told = stats.VIEW.query.answer(connection, slot, {"from": "2027-01-01"})
            expected = counted(happened)
            return {name: told[name] for name in expected} == expected
        moments = sorted({each.event.effective_at for each in happened})
        return all(
            as_of(connection, slot, at)
            == [render(item) for item in sorted(in_force(happened, at), key=lambda item: item.id)]
            for at in (moments[0] - 1, *moments[::7], moments[-1])
        )


def as_of(connection: Connection, slot: Slot, at: int) -> list[str]:
    everything = Filter(include_deleted=True)
    return (
        timeline.Past(connection, {timeline.NAME: slot}, at, everything)
        .page(Sort(), 200, None)
        .bodies
    )


def book_of(world: World, view: View) -> Projection:
    with world.reads.connect() as connection:
        book = projections.read(connection, view.name)
    assert book is not None
    return book


@each_view
def test_a_view_in_step_tells_what_one_counts_event_by_event(
    two_partitions: World, view: View
) -> None:
    Work(two_partitions, [items.VIEW, view]).do(400)
    assert is_right(two_partitions, view, 1)
    # Else partitions would wait for each other's rows.
    assert {row["partition"] for row in two_partitions.rows(view.tables[1][0])} == {0, 1}


@each_view
def test_a_view_that_is_built_anew_equals_what_is_live_while_commands_go_on(
    two_partitions: World, view: View
) -> None:
    world = two_partitions
    work = Work(world, [view])
    work.do(200)
    for live in (2, 1):
        rebuilding.wish(world.engine, view.name, "rebuild", None, NOW)
        builder(world, view).look()
        book = book_of(world, view)
        assert (book.state, book.live) == ("idle", live)
        assert (book.detail or "").startswith("equal: ")
        work.do(120)
        assert is_right(world, view, book.live)


@each_view
def test_a_view_that_was_left_behind_by_a_defect_is_caught_up_exactly(
    two_partitions: World, view: View
) -> None:
    world = two_partitions
    broken = True

    def picky(connection: Connection, slot: Slot, changes: Changes) -> None:
        view.project(connection, slot, changes)
        if broken and any(item.price == 666 for item in changes.after.values()):
            raise ZeroDivisionError("a defect of the view")

    mended = replace(view, project=picky)
    work = Work(world, [mended])
    work.do(200)
    poisoned = CreateItem("poison", NOW, "Lamp", None, 666, "EUR")
    world.append(envelope("poison", poisoned), partition=1)
    work.drain.partition(1)
    work.do(120)
    assert not is_right(world, view, 1)
    (error,) = [row["error"] for row in world.rows(tables.checkpoints, "partition") if row["error"]]
    assert "ZeroDivisionError: a defect of the view" in error

    broken = False
    builder(world, mended).look()
    assert is_right(world, view, 1)
    work.do(120)
    assert is_right(world, view, 1)
    rebuilding.wish(world.engine, view.name, "rebuild", None, NOW)
    builder(world, view).look()
    assert book_of(world, view).live == 2
    with world.reads.connect() as connection:
        compared = compare(connection, view, 1, 2, lambda: True)
    assert compared is not None
    assert compared.difference is None
