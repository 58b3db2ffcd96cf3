"""How an event changes an item. Never refuses: what happened, happened."""

from collections.abc import Iterable
from typing import assert_never

from domain.events import (
    Event,
    ItemCreated,
    ItemDeleted,
    ItemDescribed,
    ItemRenamed,
    ItemRepriced,
    ItemRestored,
)
from domain.item import Item


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
    )


def fold(events: Iterable[Event], start: Item | None = None) -> Item | None:
    """Take events into the state one after another."""
    item = start
    for event in events:
        item = evolve(item, event)
    return item
