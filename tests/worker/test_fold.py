"""Items before and after stretches of events are exact, however few are remembered."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import Connection

from domain.evolve import evolve
from domain.item import Item
from ledger import earlier, events, heads
from ledger.changes import Changes
from ledger.projections import Slot
from ledger.recorded import Recorded
from readmodel.views import items
from tests.worker import tally
from tests.worker.histories import History
from tests.worker.world import World
from worker.fold import Fold

States = dict[tuple[str, int], Item]


def told_by(recorded: Sequence[Recorded]) -> States:
    """Make every state there was, one event after another, without what was scheduled."""
    items_: dict[str, Item] = {}
    states: States = {}
    for each in recorded:
        item_id = each.event.item_id
        items_[item_id] = evolve(items_.get(item_id), each.event)
        states[item_id, each.version] = replace(items_[item_id], schedules=())
    return states


def expected(states: States, stretch: Sequence[Recorded]) -> Changes:
    first = {each.event.item_id: each.version for each in reversed(stretch)}
    last = {each.event.item_id: each.version for each in stretch}
    before = {item_id: states[item_id, n - 1] for item_id, n in first.items() if n > 1}
    return Changes(stretch, before, {item_id: states[item_id, n] for item_id, n in last.items()})


@pytest.mark.parametrize("remembered", [0, 1, 3, 1000])
def test_a_fold_tells_exactly_what_was_before_and_what_is_after(
    world: World, remembered: int
) -> None:
    tally.install(world, live=1)
    History(world, seed=remembered).add(300)
    chance = random.Random(remembered)  # noqa: S311
    with world.reads.connect() as connection:
        recorded = events.after(connection, 0, 0, 10_000)
        states = told_by(recorded)
        fold, place = Fold(remembered), 0
        while place < len(recorded):
            stretch = recorded[place : place + chance.randrange(1, 20)]
            assert fold.take(connection, stretch) == expected(states, stretch)
            place += len(stretch)
    assert any(each.event.item_id == "lamp-3" for each in recorded)


def test_what_a_worker_hands_to_a_view_is_what_a_fold_hands_to_it(world: World) -> None:
    """So that what is built anew can be equal."""
    handed: list[Changes] = []

    def keeps(connection: Connection, slot: Slot, changes: Changes) -> None:
        items.project(connection, slot, changes)
        handed.append(changes)

    view = replace(items.VIEW, project=keeps)
    history = History(world, projections=[view])
    for _ in range(40):
        history.add(5)

    with world.reads.connect() as connection:
        recorded = events.after(connection, 0, 0, 10_000)
        fold = Fold(2)
        assert [fold.take(connection, each.events) for each in handed] == handed
    assert [each for changes in handed for each in changes.events] == recorded
    assert {type(each.event).__name__ for each in recorded} >= {"ItemPriceScheduled"}


def test_a_fold_that_another_one_has_overtaken_reads_what_it_does_not_know(world: World) -> None:
    tally.install(world, live=1)
    History(world).add(100)
    with world.reads.connect() as connection:
        recorded = events.after(connection, 0, 0, 10_000)
        fold = Fold()
        fold.take(connection, recorded[:10])
        assert fold.take(connection, recorded[40:]) == expected(told_by(recorded), recorded[40:])
        assert fold.take(connection, recorded[:40]) == expected(told_by(recorded), recorded[:40])


def test_many_items_at_their_versions_are_what_each_is_by_itself(world: World) -> None:
    History(world, projections=[items.VIEW]).add(300)
    chance = random.Random(5)  # noqa: S311
    with world.reads.connect() as connection:
        last = {each.event.item_id: each.version for each in events.after(connection, 0, 0, 10_000)}
        for _ in range(50):
            asked = chance.sample(sorted(last), chance.randrange(1, len(last)))
            pairs = {item_id: chance.randrange(1, last[item_id] + 1) for item_id in asked}
            alone = {each: heads.at_version(connection, each, n) for each, n in pairs.items()}
            assert earlier.at_versions(connection, pairs) == alone
        assert earlier.at_versions(connection, {}) == {}
        assert earlier.at_versions(connection, {"no-such": 3}) == {}
