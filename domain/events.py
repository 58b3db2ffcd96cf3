"""What has happened to an item, in the past tense; each event moves its version by one.

`recorded_at` is the ledger's clock, `effective_at` the moment the change took effect in the
world; both are milliseconds since 1970.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ItemCreated:
    item_id: str
    recorded_at: int
    effective_at: int
    name: str
    description: str | None
    price: int
    currency: str


@dataclass(frozen=True, slots=True)
class ItemRenamed:
    item_id: str
    recorded_at: int
    effective_at: int
    name: str


@dataclass(frozen=True, slots=True)
class ItemDescribed:
    item_id: str
    recorded_at: int
    effective_at: int
    description: str | None


@dataclass(frozen=True, slots=True)
class ItemRepriced:
    item_id: str
    recorded_at: int
    effective_at: int
    price: int
    currency: str


@dataclass(frozen=True, slots=True)
class ItemDeleted:
    item_id: str
    recorded_at: int
    effective_at: int


@dataclass(frozen=True, slots=True)
class ItemRestored:
    item_id: str
    recorded_at: int
    effective_at: int


Event = ItemCreated | ItemRenamed | ItemDescribed | ItemRepriced | ItemDeleted | ItemRestored
