"""Scheduled prices: asked for, taken back, and taking effect."""

from domain.checks import effective, expect, live
from domain.commands import CancelScheduledPrice, SchedulePrice
from domain.events import Event, ItemPriceScheduled, ItemPriceUnscheduled, ItemRepriced
from domain.item import Item
from domain.refusals import (
    EffectiveFromPast,
    ScheduleEndsEarly,
    ScheduleNotPending,
    ScheduleOverlaps,
    TooManySchedules,
)
from domain.schedules import SCHEDULES_LIMIT, Due, Price, Schedule, overlapping


def schedule(command: SchedulePrice, item: Item | None, now: int) -> tuple[Event, ...]:
    there = live(command.item_id, item)
    expect(command.expected, there, there.version)
    begins, ends = command.effective_from, command.effective_until
    if begins <= command.received_at:
        raise EffectiveFromPast(
            "effective_from does not lie after the moment the command was received", there.version
        )
    if ends is not None and ends <= begins:
        raise ScheduleEndsEarly("effective_until does not lie after effective_from", there.version)
    if len(there.schedules) >= SCHEDULES_LIMIT:
        raise TooManySchedules(
            f"item {there.id} has {SCHEDULES_LIMIT} scheduled prices already", there.version
        )
    other = overlapping(there.schedules, begins, ends)
    if other is not None:
        raise ScheduleOverlaps(
            f"scheduled price {other.id} of item {there.id} is in force then", there.version
        )
    return (
        ItemPriceScheduled(
            there.id,
            now,
            effective(command, there, now),
            command.schedule_id,
            command.price,
            command.currency or there.currency,
            begins,
            ends,
            command.actor,
            command.reason,
        ),
    )


def cancel(command: CancelScheduledPrice, item: Item | None, now: int) -> tuple[Event, ...]:
    there = live(command.item_id, item)
    expect(command.expected, there, there.version)
    at = effective(command, there, now)
    found = next((each for each in there.schedules if each.id == command.schedule_id), None)
    if found is None:
        raise ScheduleNotPending(
            f"item {there.id} has no scheduled price {command.schedule_id} that is pending",
            there.version,
        )
    return _give_up(there, found, now, at)


def give_up_all(item: Item, now: int, at: int) -> tuple[Event, ...]:
    """Cancel what is pending of an item, and end its sale."""
    return tuple(event for each in item.schedules for event in _give_up(item, each, now, at))


def take_effect(item: Item, due: Due, now: int) -> Event:
    """Let a schedule begin or end. A sale ends by giving back the regular price, unless somebody
    has given the item a price meanwhile: that one stays.
    """
    at = max(due.at, item.effective_at)
    each = due.schedule
    if not each.has_begun:
        return _repriced(item, each.price, now, at, each.id)
    regular = _comes_back_to(item, each)
    if regular is not None:
        return _repriced(item, regular, now, at, each.id)
    return ItemPriceUnscheduled(item.id, now, at, each.id, "ended")


def _give_up(item: Item, given_up: Schedule, now: int, at: int) -> tuple[Event, ...]:
    gone = ItemPriceUnscheduled(item.id, now, at, given_up.id, "cancelled")
    regular = _comes_back_to(item, given_up)
    if regular is None or regular == item.priced:
        return (gone,)
    return (_repriced(item, regular, now, at, None), gone)


def _comes_back_to(item: Item, sale: Schedule) -> Price | None:
    """Tell which price the end of a sale gives back, if it does. What was stored before sales knew
    that they were overtaken tells it by the price alone.
    """
    return sale.regular if item.priced == sale.price else None


def _repriced(item: Item, price: Price, now: int, at: int, schedule_id: str | None) -> ItemRepriced:
    return ItemRepriced(item.id, now, at, price.amount, price.currency, schedule_id)
