"""Events as stored: a type name and a JSON object of the event's own members."""

from typing import Any, assert_never

import orjson

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


def encode(event: Event) -> tuple[str, str]:
    """Return the type name and the JSON text of the event's own members."""
    members: dict[str, Any]
    match event:
        case ItemCreated():
            members = {
                "name": event.name,
                "description": event.description,
                "price": event.price,
                "currency": event.currency,
            }
        case ItemRenamed():
            members = {"name": event.name}
        case ItemDescribed():
            members = {"description": event.description}
        case ItemRepriced():
            members = {"price": event.price, "currency": event.currency}
            if event.schedule_id is not None:
                members["schedule_id"] = event.schedule_id
        case ItemDeleted() | ItemRestored():
            members = {}
        case ItemPriceScheduled():
            members = {
                "schedule_id": event.schedule_id,
                "price": event.price,
                "currency": event.currency,
                "effective_from": event.effective_from,
                "effective_until": event.effective_until,
                "actor": event.actor,
                "reason": event.reason,
            }
        case ItemPriceUnscheduled():
            members = {"schedule_id": event.schedule_id, "how": event.how}
        case _:
            assert_never(event)
    return type(event).__name__, orjson.dumps(members).decode()


_TYPES: dict[str, type[Event]] = {
    each.__name__: each
    for each in (
        ItemCreated,
        ItemRenamed,
        ItemDescribed,
        ItemRepriced,
        ItemDeleted,
        ItemRestored,
        ItemPriceScheduled,
        ItemPriceUnscheduled,
    )
}


def decode(type_name: str, data: str, item_id: str, recorded_at: int, effective_at: int) -> Event:
    """Read an event back from its row."""
    return _TYPES[type_name](item_id, recorded_at, effective_at, **orjson.loads(data))
