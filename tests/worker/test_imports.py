"""The rows of an import: taken once each, counted, and told of."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from domain.commands import PatchItem, ReplaceItem
from eventlog.envelope import Mark
from eventlog.partition import partition_of
from ledger.imports import Counts
from runtime.row_ids import row_id
from tests.worker.checks import differences, drain, outcomes, prices
from tests.worker.importing import Importing, catalogue, create, delete, patch, put, row
from tests.worker.poison import POISON, order, states
from tests.worker.world import NOW, World, envelope

# Of partition 0, and of partition 1, as of two.
LAMP, JUG = "lamp-1", "jug-1"


def test_rows_are_applied_in_order_with_an_outcome_each_and_counted(world: World) -> None:
    importing = Importing(world)
    importing.mark("begun")
    importing.feed(put(LAMP), put(JUG), put(LAMP, 90), put(LAMP, 90), create(LAMP))
    importing.feed(delete(JUG), patch("never-1", 5))
    importing.received()
    drain(world)

    assert importing.statuses() == {
        1: "applied",
        2: "applied",
        3: "applied",
        4: "unchanged",
        5: "rejected",
        6: "applied",
        7: "rejected",
    }
    assert importing.counts() == Counts(applied=4, unchanged=1, rejected=2)
    assert catalogue(world) == {LAMP: ("Thing", None, 90, "EUR")}
    told = importing.told()
    assert (told.status, told.rows, told.actor) == ("received", 7, "anna")
    assert outcomes(world)[row_id("imp", 3)]["version"] == 2
    assert differences(world) == ()


def test_a_row_that_is_no_command_is_rejected_with_what_was_wrong(world: World) -> None:
    importing = Importing(world)
    importing.mark("begun")
    importing.feed(put(LAMP), "price: not a whole number", put(JUG))
    drain(world)

    found = outcomes(world)[row_id("imp", 2)]
    assert (found["status"], found["http_status"]) == ("rejected", 422)
    assert (found["code"], found["detail"]) == ("invalid-body", "price: not a whole number")
    assert (found["item_id"], found["fingerprint"]) == ("", "f2")
    assert importing.counts() == Counts(applied=2, rejected=1)


def test_another_row_in_the_place_of_one_that_was_taken_is_rejected_and_told(world: World) -> None:
    importing = Importing(world)
    importing.mark("begun")
    taken = [row("imp", 1, put(LAMP, 1)), row("imp", 2, "bad")]
    others = [
        replace(row("imp", 1, put(LAMP, 7)), fingerprint="other"),
        replace(row("imp", 2, put(LAMP, 8)), fingerprint="right"),
        row("imp", 3, put(LAMP, 9)),
    ]
    importing.send(0, taken)
    drain(world)
    importing.send(0, others)
    token = world.log()[-1].position.token
    drain(world)

    assert [price for price, _ in prices(world, LAMP)] == [9]
    assert importing.counts() == Counts(applied=2, rejected=3)
    found = outcomes(world)
    assert found[row_id("imp", 1)]["status"] == "applied"
    for each, item_id in zip(others, (LAMP, ""), strict=False):
        told = found[f"{each.id}@{token}"]
        assert (told["status"], told["http_status"]) == ("rejected", 422)
        assert (told["code"], told["item_id"]) == ("idempotency-key-reused", item_id)


def test_rows_that_are_known_are_dropped_and_not_counted_again(world: World) -> None:
    importing = Importing(world)
    importing.mark("begun")
    rows = [row("imp", n, each) for n, each in enumerate((put(LAMP, 1), "bad", put(LAMP, 2)), 1)]
    importing.send(0, rows)
    importing.send(0, [*rows, row("imp", 4, put(LAMP, 3))])
    drain(world)
    importing.send(0, rows)
    drain(world)

    assert [price for price, _ in prices(world, LAMP)] == [2, 3]
    assert importing.counts() == Counts(applied=3, rejected=1)
    assert differences(world) == ()


def test_rows_and_commands_of_one_item_come_in_the_order_of_the_log(world: World) -> None:
    importing = Importing(world)
    importing.mark("begun")
    importing.feed(put(LAMP, 1))
    world.append(envelope("c1", PatchItem(LAMP, NOW, price=2)))
    importing.feed(put(LAMP, 3))
    drain(world)

    assert [price for price, _ in prices(world, LAMP)] == [2, 3]


def test_an_older_row_is_rejected_as_a_command_would_be(world: World) -> None:
    importing = Importing(world)
    importing.mark("begun")
    importing.feed(put(LAMP, 1, effective_at=NOW - 5), put(LAMP, 2, effective_at=NOW - 9))
    drain(world)

    assert importing.statuses() == {1: "applied", 2: "rejected"}
    assert outcomes(world)[row_id("imp", 2)]["code"] == "effective-at-too-early"


def test_an_import_that_stops_takes_no_row_after_the_first_that_is_rejected(world: World) -> None:
    importing = Importing(world, stop=True)
    importing.mark("begun")
    importing.feed(put(LAMP), patch("never-1", 5), put(LAMP, 90))
    importing.feed(put(JUG), "no row")
    drain(world)
    importing.feed(put(JUG))
    drain(world)

    assert importing.statuses() == {1: "applied", 2: "rejected"} | dict.fromkeys(
        range(3, 7), "skipped"
    )
    assert importing.counts() == Counts(applied=1, rejected=1, skipped=4, stopped=1)
    assert outcomes(world)[row_id("imp", 4)]["item_id"] == JUG
    assert catalogue(world).keys() == {LAMP}
    assert differences(world) == ()


def test_a_row_that_is_no_command_stops_an_import_too(world: World) -> None:
    importing = Importing(world, stop=True)
    importing.feed("no row", put(LAMP))
    drain(world)

    assert importing.statuses() == {1: "rejected", 2: "skipped"}


def test_one_that_does_not_stop_goes_on(world: World) -> None:
    importing = Importing(world)
    importing.feed("no row", put(LAMP))
    drain(world)

    assert importing.statuses() == {1: "rejected", 2: "applied"}


def test_an_import_that_is_stopped_in_one_partition_is_stopped_in_the_others(
    two_partitions: World,
) -> None:
    world = two_partitions
    importing = Importing(world, stop=True)
    importing.feed(put(LAMP), patch("pot-1", 5))
    drain(world)
    importing.feed(put(JUG), put(LAMP, 90))
    drain(world)

    assert importing.statuses() == {1: "applied", 2: "rejected", 3: "skipped", 4: "skipped"}
    assert importing.counts() == Counts(applied=1, rejected=1, skipped=2, stopped=1)


def test_the_process_that_feeds_it_is_told_that_it_is_stopped(world: World) -> None:
    world.redis.hset("itemledger:import:imp", "state", "receiving")
    importing = Importing(world, stop=True)
    importing.feed("no row")
    drain(world)

    assert world.redis.hget("itemledger:import:imp", "state") == b"stopped"


def test_a_cancelled_import_takes_no_more_rows(two_partitions: World) -> None:
    world = two_partitions
    importing = Importing(world)
    importing.mark("begun")
    importing.feed(put(LAMP), put(JUG))
    importing.mark("cancelled")
    drain(world)
    importing.feed(put(LAMP, 90), put(JUG, 90))
    drain(world)

    assert importing.statuses() == {1: "applied", 2: "applied", 3: "skipped", 4: "skipped"}
    assert importing.counts() == Counts(applied=2, skipped=2)
    assert importing.told().status == "cancelled"


def test_a_cancelled_import_has_the_rows_that_whoever_fed_it_had_put_on_the_log(
    world: World,
) -> None:
    importing = Importing(world)
    importing.mark("begun")
    importing.mark("cancelled")
    drain(world)
    assert importing.told().rows is None
    importing.mark("cancelled", rows=20)
    importing.mark("cancelled")
    drain(world)
    assert (importing.told().status, importing.told().rows) == ("cancelled", 20)


def test_an_import_never_has_fewer_rows_than_were_received_once(world: World) -> None:
    importing = Importing(world)
    importing.mark("begun")
    for rows in (3, 1, 0):
        importing.mark("received", rows=rows)
        drain(world)
        assert importing.told().rows == 3
    importing.mark("received", rows=5)
    drain(world)
    assert importing.told().rows == 5


def test_what_its_file_is_called_is_kept_also_from_who_sends_it_again_without_a_name(
    world: World,
) -> None:
    importing = Importing(world)
    for said, kept in ((None, None), ("a.csv", "a.csv"), (None, "a.csv"), ("b.csv", "b.csv")):
        importing.mark("begun", file=said)
        importing.mark("resumed")
        drain(world)
        assert importing.told().file == kept


def test_a_row_that_is_no_command_is_told_with_the_id_that_it_names(world: World) -> None:
    importing = Importing(world)
    importing.mark("begun")
    bad = row("imp", 1, "price: not a whole number")
    importing.send(0, [replace(bad, item_id=LAMP)])
    drain(world)
    assert outcomes(world)[row_id("imp", 1)]["item_id"] == LAMP


def test_rows_in_the_same_batch_as_the_cancellation_are_not_taken(world: World) -> None:
    importing = Importing(world)
    importing.mark("begun")
    importing.feed(put(LAMP))
    importing.mark("cancelled")
    importing.feed(put(LAMP, 90))
    drain(world)

    assert importing.statuses() == {1: "applied", 2: "skipped"}


@pytest.mark.parametrize(
    ("marks", "status"),
    [
        (["begun"], "receiving"),
        (["begun", "paused"], "paused"),
        (["begun", "paused", "resumed"], "receiving"),
        (["begun", "paused", "begun"], "receiving"),
        (["begun", "paused", "received"], "received"),
        (["begun", "failed"], "failed"),
        (["begun", "failed", "begun"], "receiving"),
        (["begun", "failed", "begun", "received"], "received"),
        (["begun", "failed", "cancelled"], "cancelled"),
        (["begun", "received", "paused"], "received"),
        (["begun", "received", "failed"], "received"),
        (["begun", "received", "begun"], "received"),
        (["begun", "received", "cancelled"], "cancelled"),
        (["begun", "cancelled", "resumed"], "cancelled"),
        (["begun", "cancelled", "received"], "cancelled"),
        (["begun", "cancelled", "failed"], "cancelled"),
        (["cancelled", "begun"], "cancelled"),
        (["received", "begun"], "received"),
        (["failed", "begun"], "receiving"),
        (["paused", "begun"], "receiving"),
    ],
    ids=str,
)
def test_where_an_import_is_after_marks_in_any_order(
    world: World, marks: list[Mark], status: str
) -> None:
    importing = Importing(world, dry=True, stop=True)
    for mark in marks:
        if mark == "begun":
            importing.mark(mark)
        else:
            failed = "the client left" if mark == "failed" else None
            # Only where it begins is said what it is.
            importing.mark(mark, rows=7, detail=failed, dry=False, stop=False)
    drain(world)
    told = importing.told()

    assert told.status == status
    assert (told.dry, told.stop) == (True, True)
    assert told.rows == (7 if {"received", "cancelled"} & {*marks} else None)
    assert told.detail == ("the client left" if status == "failed" else None)


def test_a_row_that_is_dead_counts_as_other_and_once_it_is_replayed_as_applied(
    world: World, allergic: Callable[[], None]
) -> None:
    importing = Importing(world)
    importing.mark("begun")
    importing.feed(put(LAMP), patch(LAMP, POISON), patch(LAMP, 80), put(JUG))
    drain(world)
    assert states(world) == {row_id("imp", 2): "dead", row_id("imp", 3): "parked"}
    assert importing.counts() == Counts(applied=2, other=2)
    allergic()
    world.append(order("o1", "replay", row_id("imp", 2)))
    drain(world)

    assert importing.counts() == Counts(applied=4)
    assert importing.statuses() == dict.fromkeys(range(1, 5), "applied")
    assert differences(world) == ()


def test_a_row_that_is_given_up_stays_counted_as_other(
    world: World, allergic: Callable[[], None]
) -> None:
    importing = Importing(world)
    importing.feed(put(LAMP), patch(LAMP, POISON), patch(LAMP, 80))
    drain(world)
    world.append(order("o1", "discard", row_id("imp", 2)))
    drain(world)

    assert importing.counts() == Counts(applied=2, other=1)
    assert importing.statuses() == {1: "applied", 2: "dead", 3: "applied"}


def test_a_row_that_is_dead_again_is_counted_once(
    world: World, allergic: Callable[[], None]
) -> None:
    importing = Importing(world)
    importing.feed(put(LAMP), patch(LAMP, POISON))
    drain(world)
    world.append(order("o1", "replay", row_id("imp", 2)))
    drain(world)

    assert importing.counts() == Counts(applied=1, other=1)


def test_the_items_of_these_tests_are_of_two_partitions() -> None:
    assert [partition_of(each, 2) for each in (LAMP, "pot-1", JUG, "cup-1")] == [0, 0, 1, 1]
    assert isinstance(put(LAMP), ReplaceItem)
