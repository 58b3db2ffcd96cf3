"""Events of older versions become those of the newest one while they are read; what is stored, and
hashed, stays as it is.

The version is a suffix of the stored type: `ItemRepriced.v2`; without one it is the first.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ledger.shapes import NEWEST, Shape

Members = dict[str, Any]
# Makes the members of the next version of those of one.
Upcast = Callable[[Members], Members]

# Parts the name of a stored type from its version; no type's own name has it.
SEPARATOR = ".v"
_STORED = re.compile(r"(?P<name>.+?)\.v(?P<version>[1-9][0-9]{0,3})", re.DOTALL)


class UnknownEvent(LookupError):
    """The type, or this version of it, was written by a newer release."""


@dataclass(frozen=True, slots=True)
class StoredType:
    """A type as it is stored. `newest` is the shape its events are read in; `None` where this
    release does not know the type, or not this version of it.
    """

    name: str
    version: int
    newest: Shape | None


@lru_cache(maxsize=256)
def stored_type(stored: str) -> StoredType:
    """Tell name and version of a stored type."""
    match = _STORED.fullmatch(stored)
    name, version = (stored, 1) if match is None else (match["name"], int(match["version"]))
    newest = NEWEST.get(name)
    known = newest is not None and version <= newest.version
    return StoredType(name, version, newest if known else None)


def upcast(name: str, version: int, members: Members) -> Members:
    """Bring the members of an event to the newest version of its type, one version at a time."""
    for each in range(version, NEWEST[name].version):
        members = UPCASTS[name, each](members)
    return members


def _with_its_schedule(members: Members) -> Members:
    # There were no scheduled prices yet, or none had to do with it.
    return {**members, "schedule_id": members.get("schedule_id")}


# By the version that each begins with; a test holds that none is missing.
UPCASTS: Mapping[tuple[str, int], Upcast] = {("ItemRepriced", 1): _with_its_schedule}
