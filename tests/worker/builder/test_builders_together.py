"""Several builders, releases and partitions at once."""

import threading
from contextlib import nullcontext
from dataclasses import replace

import pytest
from sqlalchemy import Connection

from ledger.changes import Changes
from ledger.projections import Slot
from readmodel.views import items
from tests.worker import tally
from tests.worker.builder.building import build, in_step, wish
from tests.worker.histories import History, book, meanwhile
from tests.worker.world import World, builder
from worker import live
from worker.builder import Builder
from worker.stores import Stores


def test_atomic_batches_over_partitions_are_in_what_is_built(two_partitions: World) -> None:
    tally.install(two_partitions, live=1)
    history = History(two_partitions)
    history.add(60)
    wish(two_partitions, "rebuild")
    with meanwhile(two_partitions.reads, history.add_atomic, times=20):
        while book(two_partitions).state != "idle":
            build(two_partitions)
    history.add_atomic()

    assert book(two_partitions).live == 2
    assert tally.told(two_partitions, 2) == tally.right(two_partitions)


def test_a_worker_of_another_release_leaves_behind_what_it_does_not_know(ledger: World) -> None:
    """Two releases take turns: nothing is skipped, and nothing is taken twice."""
    tally.install(ledger, live=1)
    new, old = History(ledger), History(ledger, seed=8, projections=[items.VIEW])
    for _ in range(5):
        new.add(10)
        old.add(10)
        assert all("tally" not in each for each in in_step(ledger)) or len(in_step(ledger)) > 1
        build(ledger)
        assert all("tally" in each for each in in_step(ledger))
        assert tally.told(ledger, 1) == tally.right(ledger)


@pytest.mark.parametrize(
    ("moment", "by_item"),
    [*((each, False) for each in range(1, 7)), *((each, True) for each in (1, 2, 3, 5))],
)
def test_of_two_builders_that_do_not_know_of_each_other_none_doubles_an_event(
    world: World, monkeypatch: pytest.MonkeyPatch, moment: int, *, by_item: bool
) -> None:
    """A lock of the database is gone with its connection, and nobody notices."""
    tally.install(world, live=1)
    History(world).add(150)
    wish(world, "rebuild")
    view = replace(tally.VIEW, by_item=by_item)
    build_other = builder(world, view)
    steps = 0

    def other() -> None:
        nonlocal steps
        steps += book(world).state == "building"
        if steps == moment:
            steps += 1
            # Where a lock is kept it would not be let in.
            with monkeypatch.context() as patch:
                patch.setattr(live, "alone", lambda *_: nullcontext(enter_result=True))
                build_other.look()

    with meanwhile(world.reads, other, times=40):
        builder(world, view).look()

    assert steps > moment
    assert book(world).live == 2
    assert tally.told(world, 2) == tally.right(world)


@pytest.mark.parametrize("by_item", [True, False])
def test_what_another_builder_has_taken_since_it_was_read_is_not_taken_again(
    world: World, monkeypatch: pytest.MonkeyPatch, *, by_item: bool
) -> None:
    """That one is stopped after a single transaction: the build goes on, one stretch further."""
    tally.install(world, live=1)
    History(world).add(150)
    wish(world, "rebuild")
    stopping, steps = threading.Event(), 0

    def stops(connection: Connection, slot: Slot, changes: Changes) -> None:
        tally.project(connection, slot, changes)
        stopping.set()

    view = replace(tally.VIEW, by_item=by_item)
    stores = Stores(world.engine, world.reads, 1)
    other = Builder(stores, [replace(view, project=stops)], world.clock, stopping)

    def one_stretch() -> None:
        nonlocal steps
        steps += book(world).state == "building"
        if steps == 5:
            steps += 1
            with monkeypatch.context() as patch:
                patch.setattr(live, "alone", lambda *_: nullcontext(enter_result=True))
                other.look()

    with meanwhile(world.reads, one_stretch, times=40):
        for _ in range(3):
            builder(world, view).look()

    assert stopping.is_set()
    assert book(world).state == "idle"
    assert tally.told(world, 2) == tally.right(world)


def test_one_process_at_a_time_builds_a_view_on_postgresql(
    postgresql_url: str, valkey_url: str
) -> None:
    with World.of(postgresql_url, valkey_url, partitions=1) as world:
        tally.install(world, live=1)
        History(world).add(100)
        wish(world, "rebuild")
        others: list[int] = []
        tries: list[bool] = []

        def counts(_connection: Connection, _slot: Slot, changes: Changes) -> None:
            others.append(len(changes.events))

        def other() -> None:
            if book(world).state == "building":
                tries.append(True)
                build(world, replace(tally.VIEW, project=counts))

        with meanwhile(world.reads, other, times=20):
            build(world)

        assert tries
        assert others == []
        assert book(world).live == 2


def test_a_builder_that_is_told_to_stop_stops_and_another_one_goes_on(ledger: World) -> None:
    tally.install(ledger, live=1)
    History(ledger).add(200)
    wish(ledger, "rebuild")
    stopping = threading.Event()

    def stops(connection: Connection, slot: Slot, changes: Changes) -> None:
        tally.project(connection, slot, changes)
        stopping.set()

    stores = Stores(ledger.engine, ledger.reads, ledger.reader.partitions)
    view = replace(tally.VIEW, project=stops)
    Builder(stores, [view], ledger.clock, stopping).look()
    assert book(ledger).state == "building"
    build(ledger)

    assert book(ledger).live == 2
    assert tally.told(ledger, 2) == tally.right(ledger)
