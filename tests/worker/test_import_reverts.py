"""An import is taken back: every item that it touched is as it was before."""

from collections.abc import Callable, Sequence

import pytest

import worker.further
import worker.imported
from domain.commands import PatchItem, RestoreItem
from eventlog.appender import EntryRefused
from eventlog.envelope import Entry, ImportMark
from eventlog.partition import partition_of
from ledger import tables
from ledger.imports import Counts
from runtime.failpoints import FailedOnPurpose
from runtime.row_ids import row_id
from tests.worker.checks import differences, drain, head, outcomes
from tests.worker.importing import Importing, catalogue, create, delete, patch, put
from tests.worker.poison import POISON, order, states
from tests.worker.world import NOW, World, envelope
from worker.drain import Drain

LAMP, JUG = "lamp-1", "jug-1"
MANY = [f"item-{n}" for n in range(11)]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> int:
    """A revert goes on after every three items."""
    monkeypatch.setattr(worker.imported, "REVERT_AT_ONCE", 3)
    monkeypatch.setattr(worker.further, "REVERT_AT_ONCE", 3)
    return 3


def test_every_touched_item_is_as_it_was_before(two_partitions: World) -> None:
    world = two_partitions
    for name in (LAMP, JUG, "pot-1", "cup-1"):
        world.append(envelope(f"c-{name}", create(name)), partition=partition_of(name, 2))
    for name in ("pot-1", "cup-1"):
        world.append(envelope(f"d-{name}", delete(name)), partition=partition_of(name, 2))
    drain(world)
    before = catalogue(world)
    importing = Importing(world)
    importing.mark("begun")
    importing.feed(put(LAMP, 1), delete(JUG), put("pot-1", 2), put("cup-1"), create("new-1"))
    importing.feed(put(LAMP, 3), put("new-2"), patch("new-2", 9))
    importing.received()
    drain(world)
    assert catalogue(world).keys() == {LAMP, "pot-1", "cup-1", "new-1", "new-2"}
    taking = importing.revert()
    drain(world)

    assert catalogue(world) == before
    assert taking.counts() == Counts(applied=6)
    told = taking.told()
    assert (told.status, told.rows, told.reverts) == ("received", 6, "imp")
    assert outcomes(world)[row_id("rev", 1)]["status"] == "applied"
    assert differences(world) == ()


def test_what_somebody_has_changed_since_is_refused_and_the_others_are_taken_back(
    world: World,
) -> None:
    importing = Importing(world)
    importing.feed(put(LAMP), put(JUG))
    importing.received()
    world.append(envelope("c1", PatchItem(LAMP, NOW, price=5)))
    drain(world)
    taking = importing.revert()
    drain(world)

    assert catalogue(world) == {LAMP: ("Thing", None, 5, "EUR")}
    assert taking.counts() == Counts(applied=1, rejected=1)
    why = {row["item_id"]: (row["code"], row["detail"]) for row in _rows(world, "rev")}
    changed = "it was changed since (it is at version 2, the import made version 1)"
    assert why == {LAMP: ("precondition-failed", changed), JUG: (None, None)}
    assert differences(world) == ()


@pytest.mark.parametrize("drained", [False, True], ids=["one batch", "three batches"])
def test_what_somebody_has_changed_between_two_rows_of_an_item_is_refused(
    world: World, drained: bool
) -> None:
    def settle() -> None:
        if drained:
            drain(world)

    world.append(envelope("c1", create(LAMP)), envelope("c2", create(JUG)))
    importing = Importing(world)
    importing.feed(patch(LAMP, 1), patch(JUG, 1))
    settle()
    world.append(envelope("c3", PatchItem(LAMP, NOW, name="Anna's")))
    settle()
    importing.feed(patch(LAMP, 2), patch(JUG, 2))
    settle()
    # What is mixed stays so, however the import goes on.
    importing.feed(patch(LAMP, 3), patch(JUG, 3))
    drain(world)
    taking = importing.revert()
    drain(world)

    assert catalogue(world) == {
        LAMP: ("Anna's", None, 3, "EUR"),
        JUG: ("Thing", None, 100, "EUR"),
    }
    assert taking.counts() == Counts(applied=1, rejected=1)
    (refused,) = [row for row in _rows(world, "rev") if row["item_id"] == LAMP]
    assert (refused["code"], refused["detail"]) == (
        "precondition-failed",
        "somebody else changed it between two rows of the import (it is at version 5)",
    )
    assert differences(world) == ()


def test_an_item_that_was_touched_in_several_batches_is_as_it_was_before_the_first(
    world: World,
) -> None:
    world.append(envelope("c1", create(LAMP)))
    importing = Importing(world)
    for price in (1, 2, 3):
        importing.feed(put(LAMP, price))
        drain(world)
    taking = importing.revert()
    drain(world)

    assert catalogue(world) == {LAMP: ("Thing", None, 100, "EUR")}
    assert taking.counts() == Counts(applied=1)
    assert differences(world) == ()


def test_rows_that_changed_nothing_touch_nothing(world: World) -> None:
    world.append(envelope("c1", create(LAMP)))
    importing = Importing(world)
    importing.feed(put(LAMP), create(LAMP), "no row")
    drain(world)
    taking = importing.revert()
    drain(world)

    assert head(world, LAMP)["version"] == 1
    assert taking.counts() == Counts()
    assert taking.told().rows == 0


def test_more_items_than_are_taken_back_at_once_in_all_partitions(
    two_partitions: World, at_once: int
) -> None:
    world = two_partitions
    importing = Importing(world)
    importing.feed(*map(put, MANY))
    drain(world)
    taking = importing.revert()
    drain(world)

    assert {partition_of(each, 2) for each in MANY} == {0, 1}
    assert catalogue(world) == {}
    assert taking.counts() == Counts(applied=len(MANY))
    assert sorted(taking.statuses()) == list(range(1, len(MANY) + 1))
    assert (taking.told().status, taking.told().rows) == ("received", len(MANY))
    assert differences(world) == ()


@pytest.mark.parametrize("count", [3, 6])
def test_exactly_as_many_as_are_taken_back_at_once(world: World, at_once: int, count: int) -> None:
    importing = Importing(world)
    importing.feed(*map(put, MANY[:count]))
    drain(world)
    taking = importing.revert()
    drain(world)

    assert catalogue(world) == {}
    assert taking.told().rows == count


def test_rows_that_stand_right_before_it_in_the_log_are_taken_back_too(world: World) -> None:
    importing = Importing(world)
    importing.mark("begun")
    importing.feed(put(LAMP), put(JUG))
    importing.received()
    taking = importing.revert()
    drain(world)

    assert catalogue(world) == {}
    assert taking.counts() == Counts(applied=2)
    assert taking.told().rows == 2


def test_a_revert_is_taken_back_as_any_import_is(world: World, at_once: int) -> None:
    importing = Importing(world)
    importing.feed(*map(put, MANY))
    drain(world)
    before = catalogue(world)
    taking = importing.revert()
    drain(world)
    again = taking.revert("again")
    drain(world)

    assert catalogue(world) == before
    assert again.counts() == Counts(applied=len(MANY))
    assert differences(world) == ()


def test_a_second_revert_of_the_same_import_is_refused_row_by_row(world: World) -> None:
    importing = Importing(world)
    importing.feed(put(LAMP))
    drain(world)
    importing.revert()
    drain(world)
    second = importing.revert("second")
    drain(world)

    assert second.counts() == Counts(rejected=1)
    assert catalogue(world) == {}


def test_an_item_that_somebody_has_brought_back_since_stays(world: World) -> None:
    world.append(envelope("c1", create(LAMP)))
    importing = Importing(world)
    importing.feed(delete(LAMP))
    world.append(envelope("c2", RestoreItem(LAMP, NOW)))
    drain(world)
    taking = importing.revert()
    drain(world)

    assert catalogue(world).keys() == {LAMP}
    assert taking.counts() == Counts(rejected=1)


def test_a_revert_that_overtakes_the_beginning_of_its_import_takes_it_back_all_the_same(
    two_partitions: World,
) -> None:
    world = two_partitions
    late = next(name for name in MANY if partition_of(name, 2) == 1)
    early = next(name for name in MANY if partition_of(name, 2) == 0)
    importing = Importing(world, late)
    importing.feed(put(LAMP), put(JUG))
    importing.received()
    taking = importing.revert(early)
    world.drain().partition(0)
    assert (taking.told().status, taking.told().rows) == ("received", None)
    drain(world)

    assert catalogue(world) == {}
    assert (taking.told().status, taking.told().rows) == ("received", 2)
    assert taking.counts() == Counts(applied=2)


@pytest.mark.parametrize(
    ("dry", "detail"),
    [(True, "import imp was a dry run: it changed nothing"), (None, "no import imp is known")],
)
def test_what_changed_nothing_can_not_be_taken_back(
    world: World, dry: bool | None, detail: str
) -> None:
    importing = Importing(world, dry=bool(dry))
    if dry:
        importing.mark("begun")
        importing.feed(put(LAMP))
        drain(world)
    taking = importing.revert()
    drain(world)

    assert (taking.told().status, taking.told().detail) == ("failed", detail)
    assert taking.counts() == Counts()


def test_an_item_that_waits_behind_a_dead_command_is_taken_back_after_it(
    world: World, allergic: Callable[[], None]
) -> None:
    importing = Importing(world)
    importing.feed(put(LAMP), put(JUG))
    world.append(envelope("bad", patch(LAMP, POISON)))
    drain(world)
    taking = importing.revert()
    drain(world)
    assert catalogue(world).keys() == {LAMP}
    assert taking.counts() == Counts(applied=1, other=1)
    world.append(order("o1", "discard", "bad"))
    drain(world)

    assert catalogue(world) == {}
    assert taking.counts() == Counts(applied=2)
    assert states(world) == {}
    assert differences(world) == ()


@pytest.mark.parametrize("point", ["tx.after_commit", "tidy.before"])
def test_a_revert_goes_on_whenever_its_process_dies_after_a_commit(
    two_partitions: World, at_once: int, point: str
) -> None:
    world = two_partitions
    importing = Importing(world)
    importing.feed(*map(put, MANY))
    drain(world)
    taking = importing.revert()
    died = 0
    for _ in range(60):
        for partition in (0, 1):
            try:
                _dying(world, point).partition(partition)
            except FailedOnPurpose:
                died += 1

    assert died > len(MANY) // at_once
    drain(world)
    assert catalogue(world) == {}
    assert taking.told().rows == len(MANY)
    assert taking.counts() == Counts(applied=len(MANY))
    assert differences(world) == ()


def test_a_revert_goes_on_when_the_log_takes_entries_again(
    world: World, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_partition: int, _entries: Sequence[Entry]) -> None:
        raise EntryRefused("the log is full")

    importing = Importing(world)
    importing.feed(*map(put, MANY))
    drain(world)
    taking = importing.revert()
    draining = world.drain()
    with monkeypatch.context() as patched:
        patched.setattr(draining._intake._further._appender, "append", full)
        draining.partition(0)
    assert len(catalogue(world)) == len(MANY) - at_once
    # What was settled before has left the log: it may be that which makes it full.
    assert len(world.log()) == 1
    # Others are applied, and told of, before it is tried again.
    world.append(envelope("c1", create(LAMP)), envelope("c2", patch(LAMP, 5)))
    draining.partition(0)
    drain(world)

    assert catalogue(world).keys() == {LAMP}
    assert taking.told().rows == len(MANY)
    assert differences(world) == ()


def test_what_a_full_log_put_off_is_not_forgotten_by_the_batches_that_follow_it(
    world: World, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the same drain, which does not look at what was done before."""
    monkeypatch.setattr("worker.session._LEAST", 1)
    monkeypatch.setattr("worker.session.BATCH", 1)
    importing = Importing(world)
    importing.feed(*map(put, MANY))
    drain(world)
    taking = importing.revert()
    world.append(envelope("c1", create(LAMP)), envelope("c2", patch(LAMP, 5)))
    draining = world.drain()
    appender = draining._intake._further._appender
    append, refused = appender.append, list[str]()

    def full_at_first(partition: int, entries: Sequence[Entry]) -> object:
        if not refused:
            refused.extend(each.id for each in entries)
            raise EntryRefused("the log is full")
        return append(partition, entries)

    monkeypatch.setattr(appender, "append", full_at_first)
    draining.partition(0)
    drain(world)

    assert len(refused) == 1
    assert catalogue(world).keys() == {LAMP}
    assert taking.told().rows == len(MANY)


def test_what_goes_on_with_a_revert_is_taken_once(world: World, at_once: int) -> None:
    importing = Importing(world)
    importing.feed(*map(put, MANY))
    drain(world)
    importing.revert()
    drain(world)
    before = world.rows(tables.events, "offset"), world.rows(tables.import_counts, "import_id")
    entries = [each.entry for each in world.log() if not isinstance(each.entry, ImportMark)]
    world.redis.flushdb()
    for entry in entries[-3:]:
        world.append(entry)  # type: ignore[arg-type]
    drain(world)

    assert (
        world.rows(tables.events, "offset"),
        world.rows(tables.import_counts, "import_id"),
    ) == before


def _dying(world: World, point: str) -> Drain:
    def reach(reached: str) -> None:
        if reached == point:
            raise FailedOnPurpose(point)

    return world.drain(reach=reach)


def _rows(world: World, import_id: str) -> list[dict[str, object]]:
    return [row for name, row in outcomes(world).items() if name.startswith(f"{import_id}.")]
