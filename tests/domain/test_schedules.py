"""Prices that take effect by themselves: asked for, taken back, due."""

from dataclasses import replace

import pytest

from domain.commands import (
    CancelScheduledPrice,
    Command,
    DeleteItem,
    PatchItem,
    RestoreItem,
    SchedulePrice,
    TakeDue,
)
from domain.events import (
    Event,
    ItemCreated,
    ItemDeleted,
    ItemPriceScheduled,
    ItemPriceUnscheduled,
    ItemRepriced,
    ItemRestored,
)
from domain.evolve import evolve, fold
from domain.item import Item
from domain.pricing import take_effect
from domain.refusals import (
    EffectiveFromPast,
    ItemGone,
    ItemNotFound,
    PreconditionFailed,
    ScheduleEndsEarly,
    ScheduleNotPending,
    ScheduleOverlaps,
    TooManySchedules,
)
from domain.schedules import SCHEDULES_LIMIT, Due, next_due
from tests.domain.spec import NOW, given
from tests.domain.test_item import at

EARLIER = NOW - 60_000
BEGINS, ENDS = NOW + 1_000, NOW + 2_000
LAMP = ItemCreated("lamp-1", EARLIER, EARLIER, "Elegant Lamp", None, 12900, "EUR")
GONE = ItemDeleted("lamp-1", EARLIER, EARLIER)
ASK = SchedulePrice("lamp-1", NOW, "sale", 9900, None, BEGINS, ENDS, "anna", "spring")
CANCEL = CancelScheduledPrice("lamp-1", NOW, "sale")
SALE = ItemPriceScheduled(
    "lamp-1", EARLIER, EARLIER, "sale", 9900, "EUR", BEGINS, ENDS, "anna", "spring"
)
RISE = replace(
    SALE, schedule_id="rise", price=14900, effective_from=BEGINS + 500, effective_until=None
)
BEGUN = ItemRepriced("lamp-1", BEGINS, BEGINS, 9900, "EUR", "sale")


def happens_next(*events: Event, now: int = NOW) -> Event:
    item = fold(events)
    assert item is not None
    due = next_due(item.schedules)
    assert due is not None
    return take_effect(item, due, now)


def after(*events: Event) -> Item:
    item = fold(events)
    assert item is not None
    return item


def test_a_price_is_scheduled_in_the_items_own_currency() -> None:
    given(LAMP).when(ASK).then(replace(SALE, recorded_at=NOW, effective_at=NOW))


def test_a_price_is_scheduled_in_another_currency() -> None:
    given(LAMP).when(replace(ASK, currency="USD")).then(
        replace(SALE, recorded_at=NOW, effective_at=NOW, currency="USD")
    )


def test_scheduling_does_not_change_the_price() -> None:
    assert after(LAMP, SALE).price == 12900
    assert after(LAMP, SALE).version == 2


@pytest.mark.parametrize("command", [ASK, CANCEL], ids=["schedule", "cancel"])
def test_what_is_not_there_has_no_scheduled_prices(
    command: SchedulePrice | CancelScheduledPrice,
) -> None:
    given().when(command).then_refused(ItemNotFound, 0)
    given(LAMP, GONE).when(command).then_refused(ItemGone, 2)


@pytest.mark.parametrize("command", [ASK, CANCEL], ids=["schedule", "cancel"])
def test_another_version_than_expected_is_refused(
    command: SchedulePrice | CancelScheduledPrice,
) -> None:
    given(LAMP, SALE).when(replace(command, expected=at(1))).then_refused(PreconditionFailed, 2)


@pytest.mark.parametrize("begins", [NOW, NOW - 1])
def test_a_price_does_not_begin_before_or_when_it_is_asked_for(begins: int) -> None:
    given(LAMP).when(replace(ASK, effective_from=begins)).then_refused(EffectiveFromPast, 1)


@pytest.mark.parametrize("ends", [BEGINS, BEGINS - 1])
def test_a_sale_does_not_end_before_or_when_it_begins(ends: int) -> None:
    given(LAMP).when(replace(ASK, effective_until=ends)).then_refused(ScheduleEndsEarly, 1)


@pytest.mark.parametrize(
    ("begins", "ends"),
    [(BEGINS, ENDS), (BEGINS, None), (BEGINS - 1, BEGINS + 1), (ENDS - 1, ENDS + 1)],
)
def test_what_begins_with_a_sale_or_overlaps_it_as_a_sale_is_refused(
    begins: int, ends: int | None
) -> None:
    other = replace(ASK, schedule_id="other", effective_from=begins, effective_until=ends)
    given(LAMP, SALE).when(other).then_refused(ScheduleOverlaps, 2)


@pytest.mark.parametrize(
    ("begins", "ends"), [(BEGINS - 1, BEGINS), (ENDS, ENDS + 1), (BEGINS + 1, None), (ENDS, None)]
)
def test_sales_may_follow_each_other_and_a_price_that_stays_may_come_at_any_time(
    begins: int, ends: int | None
) -> None:
    other = replace(ASK, schedule_id="other", effective_from=begins, effective_until=ends)
    scheduled = ItemPriceScheduled(
        "lamp-1", NOW, NOW, "other", 9900, "EUR", begins, ends, "anna", "spring"
    )
    given(LAMP, SALE).when(other).then(scheduled)


def test_a_sale_does_not_overlap_one_that_has_begun() -> None:
    other = replace(
        ASK, schedule_id="other", received_at=BEGINS, effective_from=ENDS - 1, effective_until=None
    )
    given(LAMP, SALE, BEGUN).when(replace(other, effective_until=ENDS + 1), BEGINS).then_refused(
        ScheduleOverlaps, 3
    )


def test_an_item_has_so_many_scheduled_prices_and_no_more() -> None:
    many = [
        replace(SALE, schedule_id=f"s{n}", effective_from=NOW + n, effective_until=None)
        for n in range(1, SCHEDULES_LIMIT + 1)
    ]
    later = replace(ASK, effective_from=NOW + SCHEDULES_LIMIT + 9, effective_until=None)
    given(LAMP, *many).when(later).then_refused(TooManySchedules, SCHEDULES_LIMIT + 1)
    given(LAMP, *many[:-1]).when(later).then(
        replace(
            SALE,
            recorded_at=NOW,
            effective_at=NOW,
            effective_from=later.effective_from,
            effective_until=None,
        )
    )


def test_a_sale_that_has_not_begun_is_cancelled() -> None:
    given(LAMP, SALE).when(CANCEL).then(
        ItemPriceUnscheduled("lamp-1", NOW, NOW, "sale", "cancelled")
    )


def test_a_sale_that_has_begun_is_cancelled_and_gives_back_the_regular_price() -> None:
    given(LAMP, SALE, BEGUN).when(CANCEL, BEGINS + 1).then(
        ItemRepriced("lamp-1", BEGINS + 1, BEGINS + 1, 12900, "EUR"),
        ItemPriceUnscheduled("lamp-1", BEGINS + 1, BEGINS + 1, "sale", "cancelled"),
    )


def test_a_sale_whose_price_somebody_changed_is_cancelled_without_giving_one_back() -> None:
    patched = ItemRepriced("lamp-1", BEGINS, BEGINS, 1, "EUR")
    given(LAMP, SALE, BEGUN, patched).when(CANCEL, BEGINS + 1).then(
        ItemPriceUnscheduled("lamp-1", BEGINS + 1, BEGINS + 1, "sale", "cancelled")
    )


@pytest.mark.parametrize(
    "events",
    [
        (LAMP,),
        (LAMP, SALE, ItemPriceUnscheduled("lamp-1", EARLIER, EARLIER, "sale", "cancelled")),
        (LAMP, SALE, BEGUN, replace(BEGUN, price=12900)),
        (LAMP, SALE, BEGUN, ItemPriceUnscheduled("lamp-1", ENDS, ENDS, "sale", "ended")),
    ],
    ids=["never asked for", "cancelled", "over", "over without a price"],
)
def test_what_is_not_pending_is_not_cancelled(events: tuple[Event, ...]) -> None:
    given(*events).when(CANCEL, ENDS).then_refused(ScheduleNotPending, len(events))


def test_a_sale_begins_at_its_moment_and_ends_with_the_regular_price() -> None:
    assert happens_next(LAMP, SALE, now=BEGINS + 9) == replace(BEGUN, recorded_at=BEGINS + 9)
    assert happens_next(LAMP, SALE, BEGUN, now=ENDS + 9) == ItemRepriced(
        "lamp-1", ENDS + 9, ENDS, 12900, "EUR", "sale"
    )
    assert after(LAMP, SALE, BEGUN, replace(BEGUN, price=12900)).schedules == ()


def test_a_price_that_stays_is_over_once_it_has_begun() -> None:
    begun = happens_next(LAMP, RISE)

    assert begun == ItemRepriced("lamp-1", NOW, BEGINS + 500, 14900, "EUR", "rise")
    assert after(LAMP, RISE, begun).schedules == ()


def test_a_sale_gives_nothing_back_where_the_price_was_changed_meanwhile() -> None:
    patched = ItemRepriced("lamp-1", BEGINS, BEGINS + 1, 1, "EUR")

    assert happens_next(LAMP, SALE, BEGUN, patched, now=ENDS) == ItemPriceUnscheduled(
        "lamp-1", ENDS, ENDS, "sale", "ended"
    )


@pytest.mark.parametrize(
    "meanwhile",
    [
        (ItemRepriced("lamp-1", BEGINS, BEGINS + 1, 9900, "EUR", "rise"),),
        (
            ItemRepriced("lamp-1", BEGINS, BEGINS + 1, 12000, "EUR"),
            ItemRepriced("lamp-1", BEGINS, BEGINS + 2, 9900, "EUR"),
        ),
    ],
    ids=["another schedule of the same price", "another price, and then the same"],
)
def test_a_price_that_was_set_during_a_sale_stays_also_where_it_is_that_of_the_sale(
    meanwhile: tuple[Event, ...],
) -> None:
    events = (LAMP, SALE, replace(RISE, price=9900), BEGUN, *meanwhile)

    assert take_effect(after(*events), Due(after(*events).schedules[0], ENDS), ENDS) == (
        ItemPriceUnscheduled("lamp-1", ENDS, ENDS, "sale", "ended")
    )
    given(*events).when(CANCEL, BEGINS + 2).then(
        ItemPriceUnscheduled("lamp-1", BEGINS + 2, BEGINS + 2, "sale", "cancelled")
    )


def test_a_sale_that_was_stored_before_it_could_be_overtaken_goes_by_the_price() -> None:
    stored = replace(after(LAMP, SALE, BEGUN), price=1)

    assert take_effect(stored, Due(stored.schedules[0], ENDS), ENDS) == (
        ItemPriceUnscheduled("lamp-1", ENDS, ENDS, "sale", "ended")
    )


def test_a_sale_during_which_somebody_set_a_price_is_still_in_force_for_other_sales() -> None:
    patched = ItemRepriced("lamp-1", BEGINS, BEGINS + 1, 1, "EUR")
    item = after(LAMP, SALE, BEGUN, patched)
    due = next_due(item.schedules)

    assert due is not None
    assert (due.schedule.id, due.at) == ("sale", ENDS)
    other = replace(ASK, schedule_id="other", received_at=BEGINS + 2, effective_from=ENDS - 1)
    given(LAMP, SALE, BEGUN, patched).when(
        replace(other, effective_until=ENDS + 1), BEGINS + 2
    ).then_refused(ScheduleOverlaps, 4)


def test_a_price_that_stays_and_begins_during_a_sale_outlasts_it() -> None:
    events: list[Event] = [LAMP, SALE, RISE]
    while after(*events).schedules:
        events.append(happens_next(*events))

    assert [each.effective_at for each in events[3:]] == [BEGINS, BEGINS + 500, ENDS]
    assert after(*events).price == 14900


def test_a_sale_of_another_currency_gives_back_the_regular_one() -> None:
    events: list[Event] = [LAMP, replace(SALE, currency="USD")]
    events.append(happens_next(*events))
    assert (after(*events).price, after(*events).currency) == (9900, "USD")
    events.append(happens_next(*events))
    assert (after(*events).price, after(*events).currency) == (12900, "EUR")


def test_what_ends_comes_before_what_begins_at_the_same_moment() -> None:
    following = replace(SALE, schedule_id="a", effective_from=ENDS, effective_until=ENDS + 1)
    item = after(LAMP, SALE, BEGUN, following)
    due = next_due(item.schedules)

    assert due is not None
    assert (due.schedule.id, due.command_id) == ("sale", f"due-sale-{ENDS}")


def test_what_is_due_never_takes_effect_before_the_items_last_change() -> None:
    late = ItemRepriced("lamp-1", BEGINS + 7, BEGINS + 7, 5, "EUR")

    assert happens_next(LAMP, SALE, late).effective_at == BEGINS + 7


def test_deleting_ends_the_sale_and_cancels_what_is_pending() -> None:
    then = BEGINS + 1
    given(LAMP, SALE, RISE, BEGUN).when(DeleteItem("lamp-1", then), then).then(
        ItemRepriced("lamp-1", then, then, 12900, "EUR"),
        ItemPriceUnscheduled("lamp-1", then, then, "sale", "cancelled"),
        ItemPriceUnscheduled("lamp-1", then, then, "rise", "cancelled"),
        ItemDeleted("lamp-1", then, then),
    )


def test_restoring_does_not_bring_back_what_was_pending() -> None:
    cancelled = ItemPriceUnscheduled("lamp-1", EARLIER, EARLIER, "sale", "cancelled")
    restored = ItemRestored("lamp-1", NOW, NOW)
    given(LAMP, SALE, cancelled, GONE).when(RestoreItem("lamp-1", NOW)).then(restored)

    assert after(LAMP, SALE, cancelled, GONE, restored).schedules == ()


@pytest.mark.parametrize(
    "events", [(), (LAMP,), (LAMP, SALE), (LAMP, GONE)], ids=["none", "plain", "sale", "deleted"]
)
def test_the_alarm_itself_changes_nothing(events: tuple[Event, ...]) -> None:
    given(*events).when(TakeDue("lamp-1", BEGINS)).then_nothing()


def test_a_patch_leaves_a_sale_pending() -> None:
    command: Command = PatchItem("lamp-1", NOW, price=1)
    given(LAMP, SALE).when(command).then(ItemRepriced("lamp-1", NOW, NOW, 1, "EUR"))

    assert len(evolve(after(LAMP, SALE), ItemRepriced("lamp-1", NOW, NOW, 1, "EUR")).schedules) == 1
