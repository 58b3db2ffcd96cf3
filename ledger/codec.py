"""Events as stored: a type name with its version, and a JSON object of the event's own members."""

from collections.abc import Mapping

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
from ledger.shapes import NEWEST
from ledger.upcasting import UnknownEvent, stored_type, upcast

_TYPES: Mapping[str, type[Event]] = {
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


def encode(event: Event) -> tuple[str, str]:
    """Return the stored type and the JSON text of the event's own members."""
    shape = NEWEST[type(event).__name__]
    members = {name: getattr(event, name) for name in shape.members}
    return shape.stored_type, orjson.dumps(members).decode()


def decode(stored: str, data: str, item_id: str, recorded_at: int, effective_at: int) -> Event:
    """Read an event back from its row, whichever version of its type that holds.

    Raises UnknownEvent where a newer release has written it.
    """
    of = stored_type(stored)
    if of.newest is None:
        raise UnknownEvent(f"{stored} is not known to this release: run the one that wrote it")
    members = upcast(of.name, of.version, orjson.loads(data))
    return _TYPES[of.name](item_id, recorded_at, effective_at, **members)
