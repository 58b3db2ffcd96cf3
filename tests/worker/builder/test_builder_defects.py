"""A view's own defect leaves it behind, alone, and loses nothing."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, text

from domain.commands import ReplaceItem
from ledger import tables
from ledger.changes import Changes
from ledger.projections import Slot
from readmodel.views import items
from readmodel.views.listing import all_projections
from tests.worker import tally
from tests.worker.builder.building import Broken, build, in_step, wish
from tests.worker.histories import History, book
from tests.worker.world import NOW, World, envelope
from worker import catchup, shadow
from worker.pace import Pace
from worker.stores import Stores


def test_a_live_view_that_fell_behind_is_brought_up_before_anything_is_built(world: World) -> None:
    """What is read shall not be stale for as long as something is built."""
    tally.install(world, live=1)
    history = History(world)
    history.add(100)
    wish(world, "rebuild", view="items")
    behind: list[bool] = []

    def watches(connection: Connection, slot: Slot, changes: Changes) -> None:
        items.project(connection, slot, changes)
        now = tables.partitions.select()
        behind.append("tally" not in connection.execute(now).mappings().one()["in_step"])

    world.append(envelope("old", ReplaceItem("lamp-3", NOW, "Lamp", None, 5, None, "EUR")))
    world.drain(all_projections([items.VIEW])).partition(0)
    build(world, replace(items.VIEW, project=watches), tally.VIEW)

    assert len(behind) > 3
    assert not any(behind)
    assert book(world, "items").live == 2


def test_a_live_view_that_falls_behind_during_a_build_does_not_wait_for_its_end(
    world: World,
) -> None:
    tally.install(world, live=1)
    history = History(world)
    history.add(100)
    wish(world, "rebuild", view="items")
    seen: list[bool] = []

    def watches(connection: Connection, slot: Slot, changes: Changes) -> None:
        items.project(connection, slot, changes)
        now = connection.execute(tables.partitions.select()).mappings().one()
        seen.append("tally" in now["in_step"])
        if len(seen) == 1:
            connection.execute(tables.partitions.update().values(in_step="items"))

    build(world, replace(items.VIEW, project=watches), tally.VIEW)

    assert len(seen) > 3
    assert all(seen)


def test_what_is_live_no_more_is_not_brought_into_step(world: World) -> None:
    """Nobody reads it, and each command would have to write it."""
    tally.install(world, live=1)
    History(world).add(20)
    late = [ReplaceItem("lamp-3", NOW, "Lamp", None, price, None, "EUR") for price in range(30)]
    world.append(*(envelope(f"late {number}", each) for number, each in enumerate(late)))
    world.drain(all_projections([items.VIEW])).partition(0)

    def is_switched(connection: Connection, slot: Slot, changes: Changes) -> None:
        tally.project(connection, slot, changes)
        mine = tables.projections.c.view == "tally"
        connection.execute(tables.projections.update().where(mine).values(live=2))

    build(world, replace(tally.VIEW, project=is_switched))
    (now,) = in_step(world)
    assert "tally" not in now


@pytest.mark.parametrize("kind", [ZeroDivisionError, SystemExit])
def test_a_build_that_fails_says_why_and_leaves_what_is_live(
    ledger: World, kind: type[BaseException]
) -> None:
    tally.install(ledger, live=1)
    history = History(ledger)
    history.add(50)
    wish(ledger, "rebuild")
    broken = Broken(kind("a defect of the view"))
    build(ledger, replace(tally.VIEW, project=broken))

    now = book(ledger)
    assert (now.live, now.state) == (1, "failed")
    assert now.detail == f"it raised an error of its own: {kind.__name__}: a defect of the view"
    history.add(10)
    assert tally.told(ledger, 1) == tally.right(ledger)
    broken.error = None
    wish(ledger, "rebuild")
    build(ledger, replace(tally.VIEW, project=broken))
    assert tally.told(ledger, 2) == tally.right(ledger)
    assert book(ledger).live == 2


def test_a_build_whose_statements_the_database_refuses_has_failed(ledger: World) -> None:
    """To try again for ever would tell nobody."""
    tally.install(ledger, live=1)
    History(ledger).add(50)
    wish(ledger, "rebuild")

    def misspelt(connection: Connection, _slot: Slot, _changes: Changes) -> None:
        connection.execute(text("UPDATE tallly SET events = 0"))

    build(ledger, replace(tally.VIEW, project=misspelt))

    assert book(ledger).state == "failed"
    assert "tallly" in str(book(ledger).detail)


def test_a_view_whose_statements_are_refused_is_left_behind_alone(world: World) -> None:
    tally.install(world, live=1)

    def misspelt(connection: Connection, _slot: Slot, _changes: Changes) -> None:
        connection.execute(text("UPDATE tallly SET events = 0"))

    history = History(world)
    history.add(1)
    world.append(envelope("late", ReplaceItem("lamp-3", NOW, "Lamp", None, 5, None, "EUR")))
    world.drain(all_projections([items.VIEW, replace(tally.VIEW, project=misspelt)])).partition(0)

    assert in_step(world) == [{"items"}]
    errors = {row["projection"]: row["error"] for row in world.rows(tables.checkpoints)}
    assert errors["items"] is None
    assert "tallly" in errors["tally"]


def test_a_live_view_that_does_not_get_on_can_be_built_anew_and_accepted(world: World) -> None:
    """Its table is damaged so that its code fails: to build it anew is the mend."""
    tally.install(world, live=1)
    history = History(world)
    history.add(50)

    def fails_in_one(connection: Connection, slot: Slot, changes: Changes) -> None:
        if slot == 1:
            raise ZeroDivisionError("a damaged table")
        tally.project(connection, slot, changes)

    view = replace(tally.VIEW, project=fails_in_one)
    world.append(envelope("late", ReplaceItem("lamp-3", NOW, "Lamp", None, 5, None, "EUR")))
    world.drain(all_projections([items.VIEW, view])).partition(0)
    wish(world, "rebuild")
    build(world, view)

    assert (book(world).state, book(world).live) == ("different", 1)
    assert "does not get on" in str(book(world).detail)
    wish(world, "accept")
    build(world, view)
    assert (book(world).state, book(world).live) == ("idle", 2)
    assert tally.told(world, 2) == tally.right(world)


def test_a_view_that_fails_in_one_partition_loses_nothing_of_another(two_partitions: World) -> None:
    """It is in step with one, and has not begun with the other, when a batch of both fails."""
    world = two_partitions
    History(world).add(100)
    tally.install(world, live=None)
    with world.engine.begin() as connection:
        connection.execute(text("UPDATE projections SET state = 'building' WHERE view = 'tally'"))
    stores = Stores(world.engine, world.reads, 1)
    terms = catchup.Terms(lambda: True, lambda _: True, Pace())
    assert catchup.bring(stores, tally.VIEW, 1, terms)
    assert [("tally" in each) for each in in_step(world)] == [True, False]

    broken = Broken(ZeroDivisionError("a defect of the view"))
    history = History(world, seed=8, projections=[items.VIEW, replace(tally.VIEW, project=broken)])
    history.add_atomic()
    assert [("tally" in each) for each in in_step(world)] == [False, False]
    build(world)

    assert tally.told(world, 1) == tally.right(world)


def test_what_falls_out_of_step_while_it_is_compared_is_not_live_yet(
    ledger: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It met a defect after the moment that was compared: nobody may read it before the mend."""
    tally.install(ledger, live=1)
    history = History(ledger)
    history.add(50)
    wish(ledger, "rebuild")
    compare = shadow.compare

    def falls_behind(*given: Any) -> Any:
        found = compare(*given)
        with ledger.engine.begin() as connection:
            connection.execute(text("UPDATE partitions SET in_step = 'items,tally'"))
        history.add(10)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(shadow, "compare", falls_behind)
        build(ledger)
    assert book(ledger).live == 1
    build(ledger)

    assert book(ledger).live == 2
    assert tally.told(ledger, 2) == tally.right(ledger)


def test_the_error_of_a_view_is_kept_where_it_is_behind_and_nowhere_else(
    two_partitions: World,
) -> None:
    world = two_partitions
    tally.install(world, live=1)
    History(world).add(60)
    with world.engine.begin() as connection:
        connection.execute(text("UPDATE partitions SET in_step = 'items' WHERE partition = 1"))
    History(world, seed=8, projections=[items.VIEW]).add(20)
    with world.engine.begin() as connection:
        connection.execute(
            text("UPDATE partitions SET in_step = 'items,tally' WHERE partition = 0")
        )
    build(world, items.VIEW, replace(tally.VIEW, project=Broken(ZeroDivisionError("a defect"))))

    errors = {
        row["partition"]: row["error"]
        for row in world.rows(tables.checkpoints)
        if row["projection"] == "tally"
    }
    assert errors[0] is None
    assert "a defect" in errors[1]
