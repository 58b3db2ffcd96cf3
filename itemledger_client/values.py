"""What is read: items, what happened to them, and prices. Prices are whole numbers of minor units
(cents); times know their zone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Item:
    """An item at one of its versions."""

    id: str
    name: str
    description: str | None
    price: int
    currency: str
    version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Item":
        return cls(
            document["id"],
            document["name"],
            document["description"],
            document["price"],
            document["currency"],
            document["version"],
            moment(document["created_at"]),
            moment(document["updated_at"]),
            moment_or_none(document["deleted_at"]),
        )


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list; `next` is the cursor of the part after it, `None` at the end. `total` is
    there where it was asked for.
    """

    members: tuple[T, ...]
    next: str | None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field before and after an event."""

    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Event:
    """An event of an item's history, and which fields it changed."""

    version: int
    type: str
    changes: Mapping[str, FieldChange]
    actor: str
    reason: str | None
    command_id: str
    recorded_at: datetime
    effective_at: datetime

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Event":
        changes: Mapping[str, Mapping[str, Any]] = document["changes"]
        return cls(
            document["version"],
            document["type"],
            {name: FieldChange(each["from"], each["to"]) for name, each in changes.items()},
            document["actor"],
            document["reason"],
            document["command_id"],
            moment(document["recorded_at"]),
            moment(document["effective_at"]),
        )


@dataclass(frozen=True, slots=True)
class Change:
    """An event of the feed. `cursor` goes on right after it; `data` is as its type has it. Types
    will be added: pass over those that you do not know.
    """

    cursor: str
    partition: int
    offset: int
    item_id: str
    version: int
    type: str
    data: Mapping[str, Any]
    command_id: str
    actor: str
    reason: str | None
    recorded_at: datetime
    effective_at: datetime
    schema: str | None

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Change":
        return cls(
            document["cursor"],
            document["partition"],
            document["offset"],
            document["item_id"],
            document["version"],
            document["type"],
            document["data"],
            document["command_id"],
            document["actor"],
            document["reason"],
            moment(document["recorded_at"]),
            moment(document["effective_at"]),
            document["schema"],
        )


@dataclass(frozen=True, slots=True)
class PatchOperation:
    """An operation of a JSON Patch (RFC 6902)."""

    op: str
    path: str
    value: Any

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "PatchOperation":
        return cls(document["op"], document["path"], document.get("value"))


@dataclass(frozen=True, slots=True)
class PriceInterval:
    """A price, in force from a moment on until right before another, or still."""

    price: int
    currency: str
    since: datetime
    until: datetime | None
    version: int

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "PriceInterval":
        return cls(
            document["price"],
            document["currency"],
            moment(document["from"]),
            moment_or_none(document["until"]),
            document["version"],
        )


@dataclass(frozen=True, slots=True)
class PriorPrice:
    """The lowest price that was in force in a window, in force from `since` on. `window_complete`
    says that the item had a price in the whole of it.
    """

    price: int
    currency: str
    since: datetime
    version: int
    window_start: datetime
    window_end: datetime
    window_complete: bool

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "PriorPrice":
        return cls(
            document["price"],
            document["currency"],
            moment(document["from"]),
            document["version"],
            moment(document["window_start"]),
            moment(document["window_end"]),
            document["window_complete"],
        )


@dataclass(frozen=True, slots=True)
class ScheduledPrice:
    """A price that takes effect by itself. `status` is `pending`, `active` (a sale that has begun),
    `done` or `cancelled`.
    """

    id: str
    item_id: str
    price: int
    currency: str
    effective_from: datetime
    effective_until: datetime | None
    status: str
    actor: str
    reason: str | None
    recorded_at: datetime

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "ScheduledPrice":
        return cls(
            document["id"],
            document["item_id"],
            document["price"],
            document["currency"],
            moment(document["effective_from"]),
            moment_or_none(document["effective_until"]),
            document["status"],
            document["actor"],
            document["reason"],
            moment(document["recorded_at"]),
        )


def moment(text: str) -> datetime:
    """Read an RFC 3339 time. Raises ValueError."""
    return datetime.fromisoformat(text)


def moment_or_none(text: str | None) -> datetime | None:
    return None if text is None else moment(text)


def written(at: datetime | str) -> str:
    """Write a time for a request; a text is sent as it is. Raises ValueError without a zone."""
    if isinstance(at, str):
        return at
    if at.tzinfo is None:
        raise ValueError(f"{at!r} has no time zone: say which moment is meant")
    return at.isoformat()
