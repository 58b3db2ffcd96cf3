"""Views are built anew beside the live one: nothing is lost or doubled, whatever happens."""

import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, text

from ledger import rebuilding, tables
from ledger.changes import Changes
from ledger.projections import Slot
from ledger.rebuilding import NotPossible
from tests.waiting import until
from tests.worker import tally
from tests.worker.builder.building import build, in_step, wish
from tests.worker.histories import History, Killed, book, dying_after, meanwhile
from tests.worker.world import NOW, World
from worker import builder, catchup, pace, shadow
from worker.builder import Builder
from worker.pace import Pace
from worker.stores import Stores


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


def test_a_new_view_on_an_old_ledger_is_built_and_live(ledger: World) -> None:
    History(ledger).add(100)
    tally.install(ledger, live=None)
    assert book(ledger).live is None

    build(ledger)
    History(ledger, seed=8).add(10)

    assert (book(ledger).live, book(ledger).previous) == (1, False)
    assert tally.told(ledger, 1) == tally.right(ledger)


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


def test_a_throttled_build_does_not_keep_another_view_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One event a second may take days."""
    monkeypatch.setattr(builder, "_TURN", 0.2)
    tally.install(world, live=1)
    History(world).add(200)
    wish(world, "rebuild", view="items", throttle=1)
    wish(world, "rebuild")

    def is_live_after_a_look(view: str) -> bool:
        build(world)
        return book(world, view).live == 2

    until(lambda: is_live_after_a_look("tally"), 30, "the other view to be built")

    assert tally.told(world, 2) == tally.right(world)
    assert book(world, "items").state == "building"
    wish(world, "rebuild", view="items", throttle=1_000_000)
    until(lambda: is_live_after_a_look("items"), 30, "the first one to be built, too")


@contextmanager
def emptied_by_fours(
    database_url: str, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> Generator[World]:
    """Prepare a view that was built twice, so that the next build has a slot to empty."""
    for most in ("_FIRST", "_LEAST", "_MOST"):
        monkeypatch.setattr(shadow, most, 4)
    with World.of(database_url, valkey_url, partitions=1) as world:
        tally.install(world, live=1)
        History(world).add(100)
        for _ in range(2):
            wish(world, "rebuild")
            build(world)
        yield world


def test_what_is_built_is_emptied_in_pieces(
    database_url: str, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others wait meanwhile: for the file on SQLite, and who cancels for the view."""
    with emptied_by_fours(database_url, valkey_url, monkeypatch) as world:
        left: list[int] = []
        wish(world, "rebuild")
        with meanwhile(world.engine, lambda: left.append(len(tally_rows(world))), times=1000):
            build(world)

        assert [each for each in left if each][:3] == [12, 8, 4]


def test_who_works_has_a_turn_between_the_pieces(
    sqlite_url: str, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one connection goes to who asks for it at once, before who waits for it."""
    with emptied_by_fours(sqlite_url, valkey_url, monkeypatch) as world:
        rests: list[int] = []

        class Rests:
            def wait(self, _: float) -> bool:
                rests.append(len(tally_rows(world)))
                return False

        monkeypatch.setattr(pace.threading, "Event", Rests)
        wish(world, "rebuild")
        stores = Stores(world.engine, world.reads, 1)
        Builder(stores, [tally.VIEW], world.clock, world.stopping, Pace(rest=1.0)).look()

        assert [each for each in dict.fromkeys(rests) if each][:2] == [8, 4]


def tally_rows(world: World) -> list[Any]:
    with world.reads.connect() as connection:
        return list(connection.execute(tally.TABLES[2].select()))


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
