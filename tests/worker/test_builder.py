"""Views are built anew beside the live one: nothing is lost or doubled, whatever happens."""

import threading
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, text
from structlog.testing import capture_logs

from domain.commands import ReplaceItem
from ledger import rebuilding, tables
from ledger.changes import Changes
from ledger.projections import Slot
from ledger.rebuilding import NotPossible, Wish
from readmodel.views import items
from readmodel.views.listing import all_projections
from readmodel.views.view import View
from tests.worker import tally
from tests.worker.histories import History, Killed, book, dying_after, meanwhile
from tests.worker.world import NOW, World, builder, envelope
from worker import catchup, live, pace, shadow
from worker.builder import Builder
from worker.pace import Pace
from worker.stores import Stores


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a build of a hundred events take many transactions."""
    for name in ("_FIRST", "_LEAST", "_MOST"):
        monkeypatch.setattr(pace, name, 20)
    monkeypatch.setattr(catchup, "_FEW", 10)
    monkeypatch.setattr(shadow, "_STILL_WANTED", 0.0)


@pytest.fixture(autouse=True)
def _unseen() -> Iterator[None]:
    """Spare the tests the traces of defects that they make."""
    with capture_logs():
        yield


@pytest.fixture(params=[1, 2])
def ledger(request: pytest.FixtureRequest, database_url: str, valkey_url: str) -> Iterator[World]:
    """A ledger of one partition, and one of two, where builds go by item first."""
    with World.of(database_url, valkey_url, partitions=request.param) as made:
        yield made


def wish(world: World, wanted: Wish, throttle: int | None = None, view: str = "tally") -> None:
    rebuilding.wish(world.engine, view, wanted, throttle, NOW)


def build(world: World, *views: View) -> None:
    by_item = world.reader.partitions > 1
    given = [replace(view, by_item=by_item) for view in views or (items.VIEW, tally.VIEW)]
    builder(world, *given).look()


def in_step(world: World) -> list[set[str]]:
    return [set(row["in_step"].split(",")) for row in world.rows(tables.partitions, "partition")]


def test_a_view_is_built_anew_is_equal_and_is_live(ledger: World) -> None:
    tally.install(ledger, live=1)
    History(ledger).add(200)

    wish(ledger, "rebuild")
    build(ledger)

    now = book(ledger)
    assert (now.live, now.state, now.previous) == (2, "idle", True)
    count = len(tally.right(ledger))
    assert str(now.detail).startswith(f"equal: {count} rows of tally, sha256 ")
    assert tally.told(ledger, 2) == tally.told(ledger, 1) == tally.right(ledger)
    assert all("tally_2" in each and "tally" not in each for each in in_step(ledger))


def test_commands_that_come_while_it_is_built_are_in_it(ledger: World) -> None:
    tally.install(ledger, live=1)
    history = History(ledger)
    history.add(100)
    wish(ledger, "rebuild")

    with meanwhile(ledger.reads, lambda: history.add(3), times=40):
        while book(ledger).state != "idle":
            build(ledger)
    history.add(20)

    assert book(ledger).live == 2
    assert tally.told(ledger, 2) == tally.right(ledger)


def test_a_build_that_dies_at_any_moment_goes_on_and_is_equal(ledger: World) -> None:
    """Each time it dies one statement later; commands come in between."""
    tally.install(ledger, live=1)
    history = History(ledger)
    history.add(120)
    wish(ledger, "rebuild")

    deaths = 0
    for statements in range(1, 400):
        with dying_after(ledger.engine, statements) as died:
            try:
                build(ledger)
            except Killed:
                deaths += 1
        assert tally.told(ledger, 1) == tally.right(ledger)
        if not died():
            break
        history.add(1)

    assert deaths > 10
    assert (book(ledger).live, book(ledger).state) == (2, "idle")
    assert tally.told(ledger, 2) == tally.right(ledger)


def test_a_build_that_is_begun_again_each_time_it_dies_is_equal(ledger: World) -> None:
    """The slot has rows of before, and those of the builds that died."""
    tally.install(ledger, live=1)
    history = History(ledger)
    history.add(60)

    statements = 1
    while book(ledger).live == 1:
        wish(ledger, "restart")
        with dying_after(ledger.engine, statements), suppress(Killed):
            build(ledger)
        history.add(1)
        statements += 3

    assert tally.told(ledger, 2) == tally.right(ledger)


def test_a_build_by_item_takes_each_item_once_and_then_what_came_meanwhile(ledger: World) -> None:
    tally.install(ledger, live=1)
    history = History(ledger)
    history.add(200)
    before = len(ledger.rows(tables.events, "offset"))
    wish(ledger, "rebuild")
    taken: list[tuple[str, int]] = []

    def notes(connection: Connection, slot: Slot, changes: Changes) -> None:
        tally.project(connection, slot, changes)
        taken.extend((each.event.item_id, each.version) for each in changes.events)

    with meanwhile(ledger.reads, lambda: history.add(2), times=30):
        build(ledger, replace(tally.VIEW, project=notes))

    assert len(set(taken)) == len(taken) == len(ledger.rows(tables.events, "offset")) > before
    is_by_item = taken[:before] == sorted(taken[:before])
    assert is_by_item == (ledger.reader.partitions > 1)
    assert tally.told(ledger, 2) == tally.right(ledger)


def test_how_far_a_build_by_item_is_is_told_while_it_goes_on(ledger: World) -> None:
    tally.install(ledger, live=1)
    History(ledger).add(200)
    events = len(ledger.rows(tables.events, "offset"))
    wish(ledger, "rebuild")
    told: list[int] = []

    def looks() -> None:
        now = book(ledger)
        if now.state == "building":
            with ledger.engine.connect() as connection:
                told.append(rebuilding.progress(connection, now, NOW + 1_000).taken)

    with meanwhile(ledger.reads, looks, times=1000):
        build(ledger)

    assert told == sorted(told)
    assert told[0] == 0
    assert len({each for each in told if 0 < each < events}) > 4


def test_a_build_comes_to_its_end_although_commands_never_do(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More come each time than are taken while the partition is held."""
    monkeypatch.setattr(catchup, "_FEW", 4)
    for name in ("_FIRST", "_LEAST", "_MOST"):
        # However slow the machine is, each time all there is is taken.
        monkeypatch.setattr(pace, name, 1000)
    tally.install(world, live=1)
    history = History(world)
    history.add(60)
    wish(world, "rebuild")
    times = 0

    def writes() -> None:
        nonlocal times
        times += 1
        history.add(20)

    with meanwhile(world.reads, writes, times=60):
        build(world)

    assert times < 60
    assert (book(world).live, book(world).state) == (2, "idle")
    assert tally.told(world, 2) == tally.right(world)


def test_a_cancelled_build_costs_no_writer_anything_and_goes_on_from_there(ledger: World) -> None:
    tally.install(ledger, live=1)
    history = History(ledger)
    history.add(200)
    wish(ledger, "rebuild")

    def cancels(connection: Connection, slot: Slot, changes: Changes) -> None:
        tally.project(connection, slot, changes)
        nonlocal taken
        taken += len(changes.events)
        if taken >= 40:
            cancelled.set()

    taken, cancelled = 0, threading.Event()
    with meanwhile(ledger.reads, lambda: cancelled.is_set() and wish_once(), times=1000):

        def wish_once() -> None:
            if book(ledger).state == "building":
                wish(ledger, "cancel")

        build(ledger, replace(tally.VIEW, project=cancels))
    assert book(ledger).state == "cancelled"
    assert all("tally_2" not in each for each in in_step(ledger))
    kept = taken
    history.add(30)
    wish(ledger, "rebuild")
    build(ledger, replace(tally.VIEW, project=cancels))

    assert 40 <= kept < 200
    events = len(ledger.rows(tables.events, "offset"))
    assert taken == events
    assert book(ledger).live == 2
    assert tally.told(ledger, 2) == tally.right(ledger)


def test_what_is_cancelled_while_it_comes_into_step_is_not_in_step(world: World) -> None:
    """The builder has not looked since, and has the partition a moment after the wish."""
    tally.install(world, live=1)
    History(world).add(30)
    wish(world, "rebuild")
    stores = Stores(world.engine, world.reads, 1)
    terms = catchup.Terms(lambda: True, lambda _: False, Pace())

    assert not catchup.bring(stores, tally.VIEW, 2, terms)
    assert in_step(world) == [{"items", "tally"}]


def test_cancelling_what_was_not_begun_leaves_what_can_be_gone_back_to(ledger: World) -> None:
    tally.install(ledger, live=1)
    history = History(ledger)
    history.add(50)
    wish(ledger, "rebuild")
    build(ledger)
    wish(ledger, "rebuild")
    wish(ledger, "cancel")

    assert (book(ledger).state, book(ledger).live, book(ledger).previous) == ("idle", 2, True)
    wish(ledger, "rebuild")
    with ledger.engine.begin() as connection:
        # What a rebuild must not be made of: the rows of the last time.
        connection.execute(text("UPDATE tally SET events = events + 1"))
    build(ledger)
    assert tally.told(ledger, 1) == tally.right(ledger)


def test_nobody_goes_back_to_a_slot_that_was_begun_to_be_emptied(ledger: World) -> None:
    tally.install(ledger, live=1)
    History(ledger).add(50)
    wish(ledger, "rebuild")
    build(ledger)
    wish(ledger, "rebuild")
    with dying_after(ledger.engine, 9), suppress(Killed):
        build(ledger)
    assert book(ledger).state == "wanted"
    wish(ledger, "cancel")

    with pytest.raises(NotPossible, match="is not kept"):
        wish(ledger, "roll back")
    wish(ledger, "rebuild")
    build(ledger)
    assert tally.told(ledger, 1) == tally.right(ledger)


def test_a_difference_is_told_and_waits_for_somebody_to_decide(ledger: World) -> None:
    tally.install(ledger, live=1)
    history = History(ledger)
    history.add(50)
    with ledger.engine.begin() as connection:
        connection.execute(text("UPDATE tally SET events = events + 1 WHERE item_id = 'lamp-3'"))
    wish(ledger, "rebuild")
    build(ledger)

    now = book(ledger)
    assert (now.live, now.state) == (1, "different")
    damaged = next(row for row in tally.told(ledger, 1) if row[0] == "lamp-3")
    assert f'["lamp-3",{damaged[1]},{damaged[2]}] live, ["lamp-3",{damaged[1] - 1},' in str(
        now.detail
    )
    history.add(20)
    build(ledger)
    assert book(ledger).live == 1
    assert tally.told(ledger, 2) == tally.right(ledger)


def test_a_row_that_is_not_there_is_a_difference(ledger: World) -> None:
    tally.install(ledger, live=1)
    History(ledger).add(50)
    with ledger.engine.begin() as connection:
        connection.execute(text("DELETE FROM tally WHERE item_id = 'lamp-3'"))
    wish(ledger, "rebuild")
    build(ledger)

    count = len(tally.right(ledger))
    told = f"tally has {count - 1} rows live and {count} as built; the first difference: "
    assert str(book(ledger).detail).startswith(told)


def test_what_differs_is_live_when_it_is_accepted(ledger: World) -> None:
    tally.install(ledger, live=1)
    history = History(ledger)
    history.add(50)
    with ledger.engine.begin() as connection:
        connection.execute(text("UPDATE tally SET events = 0"))
    wish(ledger, "rebuild")
    build(ledger)
    wish(ledger, "accept")
    build(ledger)
    history.add(20)

    assert (book(ledger).live, book(ledger).state) == (2, "idle")
    assert tally.told(ledger, 2) == tally.right(ledger)


def test_what_was_accepted_and_met_a_defect_is_caught_up_and_then_live(world: World) -> None:
    tally.install(world, live=1)
    history = History(world)
    history.add(50)
    with world.engine.begin() as connection:
        connection.execute(text("UPDATE tally SET events = 0"))
    wish(world, "rebuild")
    build(world)
    world.append(envelope("old", ReplaceItem("lamp-3", NOW, "Lamp", None, 5, None, "EUR")))
    # A worker that knows only one slot leaves the other one behind.
    world.drain({"items": items.VIEW.into(1), "tally": tally.VIEW.into(1)}).partition(0)
    wish(world, "accept")
    build(world)

    assert (book(world).live, book(world).state) == (2, "idle")
    assert tally.told(world, 2) == tally.right(world)


def test_what_differs_and_is_cancelled_leaves_everything_as_it_is(ledger: World) -> None:
    tally.install(ledger, live=1)
    history = History(ledger)
    history.add(50)
    with ledger.engine.begin() as connection:
        connection.execute(text("UPDATE tally SET events = 0"))
    wish(ledger, "rebuild")
    build(ledger)
    wish(ledger, "cancel")
    history.add(10)
    build(ledger)

    assert (book(ledger).live, book(ledger).state) == (1, "cancelled")
    assert all("tally_2" not in each for each in in_step(ledger))


def test_going_back_catches_up_what_has_happened_since(ledger: World) -> None:
    tally.install(ledger, live=1)
    history = History(ledger)
    history.add(50)
    wish(ledger, "rebuild")
    build(ledger)
    history.add(50)
    wish(ledger, "roll back")
    build(ledger)
    history.add(10)

    assert (book(ledger).live, book(ledger).state, book(ledger).previous) == (1, "idle", True)
    assert tally.told(ledger, 1) == tally.right(ledger)


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


class Broken:
    """A view with a defect that can be mended."""

    def __init__(self, error: Exception) -> None:
        self.error: Exception | None = error

    def __call__(self, connection: Connection, slot: Slot, changes: Changes) -> None:
        tally.project(connection, slot, changes)
        if self.error is not None:
            raise self.error


def test_a_build_that_fails_says_why_and_leaves_what_is_live(ledger: World) -> None:
    tally.install(ledger, live=1)
    history = History(ledger)
    history.add(50)
    wish(ledger, "rebuild")
    broken = Broken(ZeroDivisionError("a defect of the view"))
    build(ledger, replace(tally.VIEW, project=broken))

    now = book(ledger)
    assert (now.live, now.state) == (1, "failed")
    assert now.detail == "it raised an error of its own: ZeroDivisionError: a defect of the view"
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


def test_a_new_view_on_an_old_ledger_is_built_and_live(ledger: World) -> None:
    History(ledger).add(100)
    tally.install(ledger, live=None)
    assert book(ledger).live is None

    build(ledger)
    History(ledger, seed=8).add(10)

    assert (book(ledger).live, book(ledger).previous) == (1, False)
    assert tally.told(ledger, 1) == tally.right(ledger)


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


@pytest.mark.parametrize("moment", range(1, 7))
def test_of_two_builders_that_do_not_know_of_each_other_none_doubles_an_event(
    world: World, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """A lock of the database is gone with its connection, and nobody notices."""
    tally.install(world, live=1)
    History(world).add(150)
    wish(world, "rebuild")
    build_other = builder(world, tally.VIEW)
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
        build(world)

    assert steps > moment
    assert book(world).live == 2
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


def test_a_throttle_is_kept_to_and_can_be_changed_under_way(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tally.install(world, live=1)
    History(world).add(200)
    rests: list[tuple[float, int]] = []
    taken: list[int] = []

    def sped_up(connection: Connection, slot: Slot, changes: Changes) -> None:
        tally.project(connection, slot, changes)
        taken.append(len(changes.events))

    def waited(seconds: float) -> bool:
        rests.append((seconds, len(taken)))
        if len(taken) == 2:
            wish(world, "rebuild", throttle=1_000_000)
        return False

    class Rests:
        def wait(self, seconds: float) -> bool:
            return waited(seconds)

    monkeypatch.setattr(pace.threading, "Event", Rests)
    wish(world, "rebuild", throttle=10)
    build(world, replace(tally.VIEW, project=sped_up))

    assert taken[:2] == [10, 10]
    assert taken[2] > 10
    assert rests
    assert book(world).live == 2


def test_what_is_built_is_emptied_in_pieces_on_sqlite(
    sqlite_url: str, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others wait for the file meanwhile."""
    monkeypatch.setattr(shadow, "_FIRST", 4)
    monkeypatch.setattr(shadow, "_LEAST", 4)
    monkeypatch.setattr(shadow, "_MOST", 4)
    with World.of(sqlite_url, valkey_url, partitions=1) as world:
        tally.install(world, live=1)
        history = History(world)
        history.add(100)
        for _ in range(2):
            wish(world, "rebuild")
            build(world)
        left: list[int] = []
        wish(world, "rebuild")
        with meanwhile(world.engine, lambda: left.append(len(tally_rows(world))), times=1000):
            build(world)

        assert [each for each in left if each][:3] == [12, 8, 4]


def tally_rows(world: World) -> list[Any]:
    with world.reads.connect() as connection:
        return list(connection.execute(tally.TABLES[2].select()))


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


def test_no_checkpoint_claims_more_of_the_log_than_was_taken(ledger: World) -> None:
    tally.install(ledger, live=1)
    history = History(ledger)
    history.add(60)
    wish(ledger, "rebuild")
    checked = 0

    def check() -> None:
        nonlocal checked
        history.add(2)
        with ledger.reads.connect() as connection:
            claims = connection.execute(text(_CLAIMS)).all()
            checked += int(connection.scalar(text("SELECT count(*) FROM checkpoints")) or 0)
        assert claims == []

    with meanwhile(ledger.reads, check, times=100):
        while book(ledger).state != "idle":
            build(ledger)

    assert checked > 15


_CLAIMS = """
SELECT c.projection, o.command_id
FROM checkpoints c
JOIN outcomes o ON o."partition" = c."partition"
JOIN events e ON e.command_id = o.command_id AND e."partition" = c."partition"
WHERE (o.epoch < c.epoch OR (o.epoch = c.epoch AND o.n <= c.n)) AND e."offset" > c."offset"
"""
