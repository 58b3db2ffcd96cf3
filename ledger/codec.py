"""Events as stored: a type name with its version, and a JSON object of the event's own members."""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

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


def _writing(name: str) -> tuple[str, Callable[[Any], Any], tuple[str, ...]]:
    """Prepare to write events of a type: its stored type, how its members are read, their names."""
    shape = NEWEST[name]
    names = tuple(shape.members)
    match len(names):
        case 0:
            return shape.stored_type, lambda _: (), names
        case 1:
            first = attrgetter(names[0])
            return shape.stored_type, lambda event: (first(event),), names
        case _:
            return shape.stored_type, attrgetter(*names), names


_WRITING = {kind: _writing(name) for name, kind in _TYPES.items()}


def encode(event: Event) -> tuple[str, str]:
    """Return the stored type and the JSON text of the event's own members."""
    stored, members, names = _WRITING[type(event)]
    return stored, orjson.dumps(dict(zip(names, members(event), strict=True))).decode()


def decode(stored: str, data: str, item_id: str, recorded_at: int, effective_at: int) -> Event:
    """Read an event back from its row, whichever version of its type that holds.

    Raises UnknownEvent where a newer release has written it.
    """
    of = stored_type(stored)
    if of.newest is None:
        raise UnknownEvent(f"{stored} is not known to this release: run the one that wrote it")
    members = upcast(of.name, of.version, orjson.loads(data))
    return _TYPES[of.name](item_id, recorded_at, effective_at, **members)
