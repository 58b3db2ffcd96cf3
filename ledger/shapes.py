"""What events say in their `data`, per type and version: the one description that the codec, the
upcasting, the JSON Schemas and the feed are made of.

A shape that was released never changes: another form of an event is another version of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain import rules

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a member holds. `schema` is that of its value as readers are told it; a moment is told
    in RFC 3339 and stored in milliseconds since 1970.
    """

    schema: Mapping[str, Any]
    is_moment: bool = False


_TEXT = Kind({"type": "string"})
_TEXT_OR_NULL = Kind({"type": ["string", "null"]})
_PRICE = Kind(
    {
        "type": "integer",
        "minimum": 0,
        "maximum": rules.PRICE_LIMIT,
        "description": "In minor units: 12.99 EUR is 1299",
    }
)
_CURRENCY = Kind({"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217"})
_MOMENT = Kind({"type": "string", "format": "date-time"}, is_moment=True)
_MOMENT_OR_NULL = Kind({"type": ["string", "null"], "format": "date-time"}, is_moment=True)
_SCHEDULE = Kind({"type": "string", "description": "The id of a scheduled price"})
_SCHEDULE_OR_NULL = Kind(
    {
        "type": ["string", "null"],
        "description": "The scheduled price that began or ended with it, if one did",
    }
)
_HOW = Kind({"enum": ["cancelled", "ended"]})


@dataclass(frozen=True, slots=True)
class Shape:
    """One version of an event type. `members` are the event's own, in the order in which they are
    written; those that are `optional` may be missing.
    """

    type: str
    version: int
    says: str
    members: Mapping[str, Kind]
    optional: frozenset[str] = frozenset()

    @property
    def stored_type(self) -> str:
        """The type as the ledger keeps it: the first version has no suffix."""
        return self.type if self.version == 1 else f"{self.type}.v{self.version}"

    @property
    def moments(self) -> tuple[str, ...]:
        return tuple(name for name, kind in self.members.items() if kind.is_moment)

    def schema(self, url: str) -> dict[str, Any]:
        """Write the JSON Schema (2020-12) of `data`; `url` is where it is served."""
        return {
            "$schema": SCHEMA_DIALECT,
            "$id": url,
            "title": f"{self.type}, version {self.version}",
            "description": self.says,
            "type": "object",
            "properties": {name: kind.schema for name, kind in self.members.items()},
            "required": [name for name in self.members if name not in self.optional],
        }


_REPRICED = "The item has another price, or the same number in another currency."

# All versions there ever were, the newest of a type last.
SHAPES: tuple[Shape, ...] = (
    Shape(
        "ItemCreated",
        1,
        "The item began to be.",
        {"name": _TEXT, "description": _TEXT_OR_NULL, "price": _PRICE, "currency": _CURRENCY},
    ),
    Shape("ItemRenamed", 1, "The item has another name.", {"name": _TEXT}),
    Shape(
        "ItemDescribed",
        1,
        "The item has another description, or none any more.",
        {"description": _TEXT_OR_NULL},
    ),
    Shape(
        "ItemRepriced",
        1,
        _REPRICED,
        {"price": _PRICE, "currency": _CURRENCY, "schedule_id": _SCHEDULE},
        # Before there were scheduled prices, and then with every other price.
        optional=frozenset({"schedule_id"}),
    ),
    Shape(
        "ItemRepriced",
        2,
        _REPRICED,
        {"price": _PRICE, "currency": _CURRENCY, "schedule_id": _SCHEDULE_OR_NULL},
    ),
    Shape("ItemDeleted", 1, "The item is deleted; its history stays.", {}),
    Shape("ItemRestored", 1, "A deleted item is back, as it was.", {}),
    Shape(
        "ItemPriceScheduled",
        1,
        "A price will take effect at effective_from, and end at effective_until if that is not "
        "null. Actor and reason are of the command that asked for it.",
        {
            "schedule_id": _SCHEDULE,
            "price": _PRICE,
            "currency": _CURRENCY,
            "effective_from": _MOMENT,
            "effective_until": _MOMENT_OR_NULL,
            "actor": _TEXT,
            "reason": _TEXT_OR_NULL,
        },
    ),
    Shape(
        "ItemPriceUnscheduled",
        1,
        "A scheduled price is over without changing the price: it was cancelled, or it ended when "
        "somebody had given the item another price meanwhile.",
        {"schedule_id": _SCHEDULE, "how": _HOW},
    ),
)

NEWEST: Mapping[str, Shape] = {shape.type: shape for shape in SHAPES}


def stored_types(name: str) -> tuple[str, ...]:
    """Name a type in all its versions, as the ledger keeps them."""
    return tuple(shape.stored_type for shape in SHAPES if shape.type == name)
