"""A stored event as readers are told it: its data in the newest form, with moments in RFC 3339."""

from dataclasses import dataclass
from functools import lru_cache

import orjson

from ledger.shapes import Shape
from ledger.upcasting import stored_type, upcast
from runtime.times import rfc3339


@dataclass(frozen=True, slots=True)
class Told:
    """The type of an event, and its data as JSON. `shape` says what that holds; `None` where a
    newer release has written it: it is told as it is stored, with the `version` it is stored in.
    """

    name: str
    version: int
    shape: Shape | None
    data: bytes


@lru_cache(maxsize=256)
def _stays(stored: str) -> bool:
    """Say whether data of a known type is told as it is stored."""
    of = stored_type(stored)
    return of.newest is not None and of.version == of.newest.version and not of.newest.moments


def tell(stored: str, data: str) -> Told:
    """Tell an event by its stored type and data."""
    of = stored_type(stored)
    shape = of.newest
    if shape is None:
        return Told(of.name, of.version, None, data.encode())
    if _stays(stored):
        return Told(of.name, shape.version, shape, data.encode())
    members = upcast(of.name, of.version, orjson.loads(data))
    for name in shape.moments:
        if members.get(name) is not None:
            members[name] = rfc3339(members[name])
    return Told(of.name, shape.version, shape, orjson.dumps(members))
