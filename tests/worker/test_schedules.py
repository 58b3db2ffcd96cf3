"""Scheduled prices take effect once, at their moment and in their place."""

from collections.abc import Callable

import pytest
import structlog

import worker.alarm
import worker.work
from domain.commands import (
    CancelScheduledPrice,
    CreateItem,
    DeleteItem,
    PatchItem,
    SchedulePrice,
)
from domain.pricing import take_effect
from eventlog.appender import Appender
from eventlog.envelope import Envelope
from eventlog.partition import partition_of
from tests.worker.checks import (
    alarm,
    differences,
    drain,
    head,
    outcomes,
    prices,
    statuses,
    told,
    types,
)
from tests.worker.poison import LAMP, POISON, lamp, order, states
from tests.worker.world import NOW, World, envelope

BEGINS, ENDS = NOW + 1_000, NOW + 2_000
BEGIN_ID, END_ID = f"due-s-{BEGINS}", f"due-s-{ENDS}"


def schedule(
    name: str = "s", item_id: str = "lamp-1", begins: int = BEGINS, ends: int | None = ENDS
) -> Envelope:
    command = SchedulePrice(item_id, NOW, name, 70, None, begins, ends, "otto", "spring")
    return envelope(name, command)


def patch(name: str, price: int, received_at: int) -> Envelope:
    return envelope(name, PatchItem("lamp-1", received_at, price=price))


@pytest.fixture
def sale(world: World) -> World:
    """A lamp at 100 that is to be sold for 70."""
    world.append(LAMP, schedule())
    drain(world)
    return world


def at_moment(world: World, now: int) -> None:
    """Let the clock come to a moment, and what is due by then happen one after another."""
    world.clock.now = now
    for _ in range(5):
        alarm(world).look()
        drain(world)


def test_a_sale_begins_and_ends_by_itself(sale: World) -> None:
    assert head(sale, "lamp-1")["price"] == 100
    at_moment(sale, BEGINS)
    assert head(sale, "lamp-1")["price"] == 70
    at_moment(sale, ENDS + 5)

    assert prices(sale, "lamp-1") == [(70, BEGINS), (100, ENDS)]
    assert head(sale, "lamp-1")["due_at"] is None
    assert statuses(sale) == {"c1": "applied", "s": "applied"} | dict.fromkeys(
        [BEGIN_ID, END_ID], "applied"
    )
    assert differences(sale) == ()


def test_what_happens_is_told_by_whom_it_was_asked_for(sale: World) -> None:
    at_moment(sale, BEGINS)

    (*_, last) = told(sale, "lamp-1")
    assert (last["command_id"], last["actor"], last["reason"]) == (BEGIN_ID, "otto", "spring")


def test_nothing_is_due_before_its_moment(sale: World) -> None:
    sale.clock.now = BEGINS - 1

    assert alarm(sale).look() == 0


def test_an_alarm_goes_on_whatever_it_meets_and_says_so_once(
    sale: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.alarm, "_TICK", 0.001)
    meets = [ValueError("a defect"), ValueError("a defect"), OSError("nobody there")]

    def clock() -> int:
        if meets:
            raise meets.pop(0)
        sale.stopping.set()
        return BEGINS

    appender = Appender(sale.redis, sale.ring)
    with structlog.testing.capture_logs() as lines:
        worker.alarm.Alarm(sale.engine, appender, 1, clock, sale.stopping).run()

    assert [(each["log_level"], str(each.get("exc_info"))) for each in lines] == [
        ("error", "a defect"),
        ("warning", "None"),
    ]
    assert sale.log()[-1].entry.id == BEGIN_ID


def test_two_alarms_that_look_at_the_same_time_let_it_begin_once(sale: World) -> None:
    sale.clock.now = BEGINS
    assert [alarm(sale).look(), alarm(sale).look()] == [1, 1]
    drain(sale)
    assert alarm(sale).look() == 0

    assert len(sale.log()) == 3
    assert prices(sale, "lamp-1") == [(70, BEGINS)]


def test_an_alarm_that_comes_again_once_the_log_has_forgotten_it_changes_nothing(
    sale: World,
) -> None:
    sale.clock.now = BEGINS
    alarm(sale).look()
    entry = sale.log()[-1].entry
    drain(sale)
    sale.redis.flushdb()
    assert isinstance(entry, Envelope)
    sale.append(entry)
    drain(sale)

    assert prices(sale, "lamp-1") == [(70, BEGINS)]
    assert differences(sale) == ()


def test_commands_come_before_or_after_it_as_they_were_received(sale: World) -> None:
    sale.append(patch("before", 90, BEGINS - 1), patch("after", 80, BEGINS))
    sale.clock.now = BEGINS + 5
    alarm(sale).look()
    drain(sale)

    assert prices(sale, "lamp-1") == [(90, BEGINS + 5), (70, BEGINS + 5), (80, BEGINS + 5)]
    assert [row["command_id"] for row in told(sale, "lamp-1")] == [
        "c1",
        "s",
        "before",
        BEGIN_ID,
        "after",
    ]
    assert differences(sale) == ()


def test_a_command_that_was_received_after_the_moment_does_not_wait_for_the_alarm(
    sale: World,
) -> None:
    sale.clock.now = BEGINS + 5
    sale.append(patch("after", 80, BEGINS + 3))
    drain(sale)

    assert prices(sale, "lamp-1") == [(70, BEGINS), (80, BEGINS + 5)]
    assert alarm(sale).look() == 0


def test_what_was_received_before_and_reached_the_log_after_it_comes_after_it(sale: World) -> None:
    at_moment(sale, BEGINS + 5)
    sale.append(patch("late", 80, BEGINS - 1))
    drain(sale)

    assert prices(sale, "lamp-1") == [(70, BEGINS), (80, BEGINS + 5)]


def test_a_worker_that_starts_later_finds_what_was_due_meanwhile(
    database_url: str, valkey_url: str
) -> None:
    with World.of(database_url, valkey_url, 1) as before:
        before.append(LAMP, schedule())
        drain(before)
    with World.of(database_url, valkey_url, 1) as world:
        at_moment(world, ENDS + 60_000)

        assert prices(world, "lamp-1") == [(70, BEGINS), (100, ENDS)]
        assert differences(world) == ()


def test_a_clock_that_is_set_back_repeats_nothing_and_forgets_nothing(sale: World) -> None:
    at_moment(sale, BEGINS)
    at_moment(sale, NOW - 60_000)
    at_moment(sale, BEGINS)
    at_moment(sale, ENDS)

    assert prices(sale, "lamp-1") == [(70, BEGINS), (100, ENDS)]
    assert differences(sale) == ()


def test_an_alarm_whose_clock_is_ahead_keeps_the_moments_that_were_asked_for(sale: World) -> None:
    sale.clock.now = ENDS + 60_000
    alarm(sale).look()
    sale.clock.now = NOW
    drain(sale)
    sale.append(patch("c2", 5, NOW + 1))
    drain(sale)

    assert prices(sale, "lamp-1") == [(70, BEGINS), (5, BEGINS)]
    assert differences(sale) == ()


def test_what_is_cancelled_does_not_begin_even_where_the_alarm_was_quicker_to_the_log(
    sale: World,
) -> None:
    sale.append(envelope("x", CancelScheduledPrice("lamp-1", BEGINS - 1, "s")))
    sale.clock.now = BEGINS
    alarm(sale).look()
    drain(sale)

    assert prices(sale, "lamp-1") == []
    assert (statuses(sale)["x"], statuses(sale)[BEGIN_ID]) == ("applied", "unchanged")
    assert differences(sale) == ()


def test_a_cancellation_after_the_moment_ends_the_sale(sale: World) -> None:
    sale.clock.now = BEGINS + 9
    sale.append(envelope("x", CancelScheduledPrice("lamp-1", BEGINS + 9, "s")))
    drain(sale)
    at_moment(sale, ENDS)

    assert prices(sale, "lamp-1") == [(70, BEGINS), (100, BEGINS + 9)]
    assert types(sale, "lamp-1")[-1] == "ItemPriceUnscheduled"
    assert differences(sale) == ()


def test_nothing_begins_of_an_item_that_is_deleted(sale: World) -> None:
    sale.append(envelope("x", DeleteItem("lamp-1", NOW)))
    drain(sale)
    at_moment(sale, ENDS)

    assert types(sale, "lamp-1")[2:] == ["ItemPriceUnscheduled", "ItemDeleted"]
    assert differences(sale) == ()


def test_a_sale_leaves_a_price_alone_that_somebody_gave_meanwhile(sale: World) -> None:
    at_moment(sale, BEGINS)
    sale.append(patch("c2", 60, BEGINS + 1))
    at_moment(sale, ENDS)

    assert prices(sale, "lamp-1") == [(70, BEGINS), (60, ENDS)]
    assert head(sale, "lamp-1")["price"] == 60
    assert types(sale, "lamp-1")[-1] == "ItemPriceUnscheduled"
    assert differences(sale) == ()


def test_a_sale_leaves_its_own_price_alone_where_somebody_gave_it_meanwhile(sale: World) -> None:
    at_moment(sale, BEGINS)
    for name, price in (("p1", 90), ("p2", 70)):
        sale.append(patch(name, price, BEGINS + 1))
        drain(sale)
    assert differences(sale) == ()
    at_moment(sale, ENDS + 5)

    assert [price for price, _ in prices(sale, "lamp-1")] == [70, 90, 70]
    assert head(sale, "lamp-1")["schedules"] is None
    assert differences(sale) == ()


def test_a_price_that_stays_and_is_that_of_a_sale_outlasts_it(sale: World) -> None:
    sale.append(schedule("t", begins=BEGINS + 500, ends=None))
    drain(sale)
    at_moment(sale, ENDS + 5)

    assert [price for price, _ in prices(sale, "lamp-1")] == [70, 70]
    assert head(sale, "lamp-1")["schedules"] is None
    assert differences(sale) == ()


@pytest.mark.parametrize("at_once", [1, 3, 500])
def test_however_many_are_due_at_once_all_begin(
    two_partitions: World, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    world, names = two_partitions, [f"item-{n}" for n in range(8)]
    monkeypatch.setattr(worker.alarm, "_AT_ONCE", at_once)
    for n, name in enumerate(names):
        create = envelope(f"c-{name}", CreateItem(name, NOW, "Item", None, 100, "EUR"))
        asked = schedule(f"s-{name}", name, BEGINS + n // 4)
        world.append(create, asked, partition=partition_of(name, 2))
    drain(world)
    world.clock.now = BEGINS + 1
    assert alarm(world).look() == len(names)
    drain(world)

    assert [prices(world, name) for name in names] == [
        [(70, BEGINS + n // 4)] for n in range(len(names))
    ]
    assert {partition_of(name, 2) for name in names} == {0, 1}
    assert differences(world) == ()


def test_several_that_were_due_of_one_item_happen_in_their_order(sale: World) -> None:
    sale.append(
        schedule("rise", begins=BEGINS + 500, ends=None),
        schedule("next", begins=ENDS, ends=ENDS + 500),
    )
    drain(sale)
    sale.clock.now = ENDS + 9
    sale.append(patch("last", 1, ENDS + 9))
    drain(sale)

    assert [row["command_id"] for row in told(sale, "lamp-1")][4:] == [
        BEGIN_ID,
        f"due-rise-{BEGINS + 500}",
        END_ID,
        f"due-next-{ENDS}",
        "last",
    ]


def test_what_is_due_of_an_item_that_waits_behind_a_dead_command_waits_too(
    sale: World, allergic: Callable[[], None]
) -> None:
    sale.append(lamp("bad", POISON))
    drain(sale)
    sale.clock.now = BEGINS
    alarm(sale).look()
    drain(sale)
    assert states(sale) == {"bad": "dead", BEGIN_ID: "parked"}
    assert head(sale, "lamp-1")["price"] == 100
    allergic()
    sale.append(order("o1", "replay", "bad"))
    drain(sale)

    assert states(sale) == {}
    assert [price for price, _ in prices(sale, "lamp-1")] == [POISON, 70]
    assert differences(sale) == ()


def test_an_alarm_that_was_parked_and_came_in_with_another_command_is_taken_once(
    sale: World, allergic: Callable[[], None]
) -> None:
    sale.append(lamp("bad", POISON), patch("c2", 90, BEGINS + 1))
    worse = envelope("worse", PatchItem("lamp-1", BEGINS + 1, price=POISON))
    sale.append(worse)
    drain(sale)
    sale.clock.now = BEGINS + 1
    alarm(sale).look()
    drain(sale)
    sale.append(order("o1", "discard", "bad"))
    drain(sale)
    # It has begun, and its alarm is still parked behind the next one.
    assert states(sale) == {"worse": "dead", BEGIN_ID: "parked"}
    assert outcomes(sale)[BEGIN_ID]["status"] == "applied"
    allergic()
    sale.append(order("o2", "replay", "worse"))
    drain(sale)

    assert states(sale) == {}
    assert [price for price, _ in prices(sale, "lamp-1")] == [70, 90, POISON]
    assert differences(sale) == ()


def test_an_alarm_that_was_given_up_does_not_keep_its_item_from_going_on(
    sale: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a defect of this release")

    monkeypatch.setattr(worker.work, "take_effect", broken)
    sale.clock.now = BEGINS
    alarm(sale).look()
    drain(sale)
    assert states(sale) == {BEGIN_ID: "dead"}
    sale.append(order("o1", "discard", BEGIN_ID))
    drain(sale)
    monkeypatch.setattr(worker.work, "take_effect", take_effect)
    sale.append(patch("c2", 90, BEGINS + 1))
    drain(sale)
    at_moment(sale, ENDS)

    assert states(sale) == {}
    assert [price for price, _ in prices(sale, "lamp-1")] == [70, 90]
    assert differences(sale) == ()
