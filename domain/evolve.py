"""How an event changes an item. Never refuses: what happened, happened."""

from collections.abc import Iterable
from dataclasses import replace
from typing import assert_never

from domain.events import (
    Event,
    ItemCreated,
    ItemDeleted,
    ItemDescribed,
    ItemPriceScheduled,
    ItemPriceUnscheduled,
    ItemRenamed,
    ItemRepriced,
    ItemRestored,
)
from domain.item import Item
from domain.schedules import Price, Schedule


def evolve(item: Item | None, event: Event) -> Item:
    """Take one event into the state. Anything but a creation needs an item to happen to."""
    if isinstance(event, ItemCreated):
        at = event.recorded_at
        return Item(
            event.item_id,
            event.name,
            event.description,
            event.price,
            event.currency,
            1,
            at,
            at,
            None,
            event.effective_at,
        )
    if item is None:
        raise AssertionError(f"{type(event).__name__} of {event.item_id} before its creation")
    name, description, price, currency = item.name, item.description, item.price, item.currency
    deleted_at, schedules = item.deleted_at, item.schedules
    match event:
        case ItemRepriced():
            price, currency = event.price, event.currency
            schedules = _moved_on(item, event.schedule_id)
        case ItemRenamed():
            name = event.name
        case ItemDescribed():
            description = event.description
        case ItemDeleted():
            deleted_at = event.recorded_at
        case ItemRestored():
            deleted_at = None
        case ItemPriceScheduled():
            schedules = (*schedules, _scheduled(event))
        case ItemPriceUnscheduled():
            schedules = tuple(each for each in schedules if each.id != event.schedule_id)
        case _:
            assert_never(event)
    return Item(
        item.id,
        name,
        description,
        price,
        currency,
        item.version + 1,
        item.created_at,
        event.recorded_at,
        deleted_at,
        event.effective_at,
        schedules,
    )


def _scheduled(event: ItemPriceScheduled) -> Schedule:
    return Schedule(
        event.schedule_id,
        Price(event.price, event.currency),
        event.effective_from,
        event.effective_until,
        event.actor,
        event.reason,
    )


def _moved_on(item: Item, schedule_id: str | None) -> tuple[Schedule, ...]:
    """Let a schedule begin, remembering what it comes back to, or be over. A sale during which
    anybody else sets a price comes back to nothing, whatever that price is.
    """
    if not item.schedules:
        return ()
    schedules: list[Schedule] = []
    for each in item.schedules:
        if each.id != schedule_id:
            overtaken = each.has_begun and not each.overtaken
            schedules.append(replace(each, regular=None, overtaken=True) if overtaken else each)
        elif not each.has_begun and each.ends is not None:
            schedules.append(replace(each, regular=item.priced))
    return tuple(schedules)


def fold(events: Iterable[Event], start: Item | None = None) -> Item | None:
    """Take events into the state one after another."""
    item = start
    for event in events:
        item = evolve(item, event)
    return item
