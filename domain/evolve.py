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
        return Item(
            id=event.item_id,
            name=event.name,
            description=event.description,
            price=event.price,
            currency=event.currency,
            version=1,
            created_at=event.recorded_at,
            updated_at=event.recorded_at,
            deleted_at=None,
            effective_at=event.effective_at,
        )
    if item is None:
        raise AssertionError(f"{type(event).__name__} of {event.item_id} before its creation")
    name, description, price, currency = item.name, item.description, item.price, item.currency
    deleted_at = item.deleted_at
    match event:
        case ItemRenamed():
            name = event.name
        case ItemDescribed():
            description = event.description
        case ItemRepriced():
            price, currency = event.price, event.currency
        case ItemDeleted():
            deleted_at = event.recorded_at
        case ItemRestored():
            deleted_at = None
        case ItemPriceScheduled() | ItemPriceUnscheduled():
            pass
        case _:
            assert_never(event)
    return Item(
        id=item.id,
        name=name,
        description=description,
        price=price,
        currency=currency,
        version=item.version + 1,
        created_at=item.created_at,
        updated_at=event.recorded_at,
        deleted_at=deleted_at,
        effective_at=event.effective_at,
        schedules=_schedules(item, event),
    )


def _schedules(item: Item, event: Event) -> tuple[Schedule, ...]:
    match event:
        case ItemRepriced():
            return _moved_on(item, event.schedule_id)
        case ItemPriceScheduled():
            return (*item.schedules, _scheduled(event))
        case ItemPriceUnscheduled():
            return tuple(each for each in item.schedules if each.id != event.schedule_id)
        case _:
            return item.schedules


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
