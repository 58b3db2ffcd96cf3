"""What may be wished of a view in which state, and how far it is said to be."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from ledger import checkpoints, partitions, projections
from ledger.checkpoints import Taken
from ledger.engines import writing_engine
from ledger.projections import Projection, Slot, State
from ledger.rebuilding import NotPossible, Wish, progress, wish
from runtime.positions import Position
from tests.ledger.ledgers import NOW, fill
from tests.waiting import until

BUILT: tuple[State, ...] = ("building", "verifying", "different", "accepted")
STATES: tuple[State, ...] = ("idle", "wanted", "returning", "cancelled", "failed", *BUILT)


@pytest.fixture
def ledger(database_url: str) -> Iterator[Engine]:
    engine = writing_engine(database_url)
    partitions.lay_out(engine, 2)
    yield engine
    engine.dispose()


def put(engine: Engine, state: State, live: Slot | None = 1, *, previous: bool = False) -> None:
    with engine.begin() as connection:
        projections.change(
            connection, "items", NOW, ("idle",), state=state, live=live, previous=previous
        )


def book(engine: Engine) -> Projection:
    with engine.begin() as connection:
        found = projections.read(connection, "items")
    assert found is not None
    return found


def in_step(engine: Engine) -> list[frozenset[str]]:
    return [each.in_step for _, each in sorted(partitions.read(engine, [0, 1]).items())]


def refused(engine: Engine, wanted: Wish) -> str | None:
    try:
        wish(engine, "items", wanted, None, NOW + 1)
    except NotPossible as error:
        return str(error)
    return None


@pytest.mark.parametrize("state", STATES)
def test_a_rebuild_begins_anew_goes_on_or_is_under_way(ledger: Engine, state: State) -> None:
    put(ledger, state)
    wish(ledger, "items", "rebuild", None, NOW)

    anew: dict[State, State] = {"idle": "wanted", "failed": "wanted", "different": "wanted"}
    expected = {**anew, "cancelled": "building"}.get(state, state)
    assert book(ledger).state == expected


@pytest.mark.parametrize("state", STATES)
def test_whatever_is_under_way_can_be_begun_anew(ledger: Engine, state: State) -> None:
    put(ledger, state)
    wish(ledger, "items", "restart", 50, NOW)
    assert (book(ledger).state, book(ledger).throttle) == ("wanted", 50)


@pytest.mark.parametrize("state", STATES)
def test_what_was_built_can_be_cancelled_and_what_was_not_begun_is_as_before(
    ledger: Engine, state: State
) -> None:
    put(ledger, state, previous=True)
    before = in_step(ledger)
    with ledger.begin() as connection:
        for each in partitions.lock_all(connection, [0, 1]).values():
            partitions.attach(connection, each, "items_2")
    why = refused(ledger, "cancel")

    if state in {"idle", "failed", "cancelled"}:
        assert why == "it is not being built"
        assert book(ledger).state == state
    else:
        assert why is None
        assert book(ledger).state == ("cancelled" if state in BUILT else "idle")
        assert in_step(ledger) == before
    assert book(ledger).previous


@pytest.mark.parametrize("state", STATES)
def test_what_is_built_for_the_first_time_can_not_be_cancelled(
    ledger: Engine, state: State
) -> None:
    put(ledger, state, live=None)
    assert "for the first time" in str(refused(ledger, "cancel"))
    assert book(ledger).state == state


@pytest.mark.parametrize("state", STATES)
def test_one_can_go_back_while_nothing_is_built(ledger: Engine, state: State) -> None:
    """Also where going back has failed once: what was live before is still kept."""
    put(ledger, state, live=2, previous=True)
    why = refused(ledger, "roll back")

    if state in {"idle", "failed"}:
        assert why is None
        assert book(ledger).state == "returning"
    else:
        assert why == "it is being built: cancel that first"
        assert book(ledger).state == state


@pytest.mark.parametrize("state", STATES)
def test_nobody_can_go_back_to_what_is_not_kept(ledger: Engine, state: State) -> None:
    put(ledger, state, previous=False)
    assert "is not kept" in str(refused(ledger, "roll back"))


@pytest.mark.parametrize("state", STATES)
def test_only_what_differs_is_accepted(ledger: Engine, state: State) -> None:
    put(ledger, state)
    why = refused(ledger, "accept")
    assert (why is None) == (state == "different")
    assert book(ledger).state == ("accepted" if state == "different" else state)


@pytest.mark.parametrize("wanted", ["rebuild", "restart", "cancel", "roll back", "accept"])
def test_nothing_can_be_wished_of_a_view_that_is_not_there(ledger: Engine, wanted: Wish) -> None:
    with pytest.raises(NotPossible, match="run `itemledger migrate`"):
        wish(ledger, "nope", wanted, None, NOW)


def test_a_throttle_under_way_is_heard_of_and_none_changes_nothing(ledger: Engine) -> None:
    put(ledger, "building")
    wish(ledger, "items", "rebuild", 100, NOW)
    assert (book(ledger).state, book(ledger).throttle) == ("building", 100)
    wish(ledger, "items", "rebuild", None, NOW)
    assert book(ledger).throttle == 100


def test_a_wish_is_not_lost_to_a_builder_that_is_just_going_on(
    postgresql_url: str,
) -> None:
    engine = writing_engine(postgresql_url)
    partitions.lay_out(engine, 2)
    put(engine, "building")
    with engine.begin() as connection:
        projections.change(connection, "items", NOW, ("building",), state="verifying")
        wishing = threading.Thread(target=wish, args=(engine, "items", "restart", None, NOW))
        wishing.start()
        until(lambda: _waits(engine), 30, "the wish to wait for the row")
    wishing.join()

    assert book(engine).state == "wanted"
    engine.dispose()


def test_cancelling_and_switching_do_not_wait_for_each_other(postgresql_url: str) -> None:
    """Both take the partitions first, and then the view."""
    engine = writing_engine(postgresql_url)
    partitions.lay_out(engine, 2)
    put(engine, "verifying")
    with engine.begin() as switching:
        partitions.lock_all(switching, [0, 1])
        cancelling = threading.Thread(target=refused, args=(engine, "cancel"))
        cancelling.start()
        until(lambda: _waits(engine), 30, "the wish to wait for the partitions")
        switched = projections.change(switching, "items", NOW, ("verifying",), state="idle", live=2)
    cancelling.join()

    assert switched
    assert (book(engine).state, book(engine).live) == ("idle", 2)
    engine.dispose()


def _waits(engine: Engine) -> bool:
    # Other tests wait for locks in databases of their own.
    asked = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with engine.connect() as connection:
        return bool(connection.scalar(text(asked)))


def test_progress_tells_how_far_it_is_how_fast_and_how_long_it_will_take(
    database_url: str,
) -> None:
    engine = writing_engine(database_url)
    fill(engine)
    with engine.begin() as connection:
        held = partitions.lock_all(connection, [0, 1])
        events = sum(each.offset for each in held.values())
        nowhere = Position(0, 0, 0)
        checkpoints.move(connection, [Taken("items_2", nowhere, held[0].offset)])
        projections.change(
            connection, "items", NOW, ("idle",), state="building", begun_at=NOW, begun_from=10
        )
        seen = projections.read(connection, "items")
        assert seen is not None
        half = progress(connection, seen, NOW + 4_000)
        at_once = progress(connection, seen, NOW)
        over = progress(connection, replace(seen, state="cancelled"), NOW + 4_000)
        other = progress(connection, replace(seen, begun_from=held[0].offset), NOW + 4_000)
        to_be_emptied = progress(connection, replace(seen, state="wanted"), NOW + 4_000)

    assert (half.taken, half.events) == (held[0].offset, events)
    assert half.percent == pytest.approx(100 * held[0].offset / events)
    assert half.rate == pytest.approx((held[0].offset - 10) / 4)
    assert half.left == pytest.approx(held[1].offset / ((held[0].offset - 10) / 4))
    for unknown in (at_once, over, other):
        assert (unknown.rate, unknown.left) == (None, None)
        assert unknown.taken == held[0].offset
    assert (to_be_emptied.taken, to_be_emptied.percent) == (0, 0.0)
    engine.dispose()


@pytest.mark.parametrize(("state", "wanted"), [("cancelled", "rebuild"), ("idle", "roll back")])
def test_what_goes_on_is_as_fast_as_it_has_been_since(
    ledger: Engine, state: State, wanted: Wish
) -> None:
    put(ledger, state, previous=True)
    with ledger.begin() as connection:
        checkpoints.move(connection, [Taken("items_2", Position(0, 0, 0), 40)])
    wish(ledger, "items", wanted, None, NOW)
    assert (book(ledger).begun_at, book(ledger).begun_from) == (NOW, 40)


def test_of_a_ledger_without_events_all_is_taken(ledger: Engine) -> None:
    with ledger.begin() as connection:
        seen = projections.read(connection, "items")
        assert seen is not None
        assert progress(connection, seen, NOW).percent == 100.0
