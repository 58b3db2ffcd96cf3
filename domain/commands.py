"""What somebody asks of an item, in the imperative; it may be refused.

`effective_at` is `None` unless the sender says when the change took effect. `received_at` is when
the command was accepted. `expected` is what the sender believes about the item.
"""

from dataclasses import dataclass
from enum import Enum, auto


class Absent(Enum):
    """A member that a patch does not mention, as opposed to one that is set to null."""

    ABSENT = auto()


ABSENT = Absent.ABSENT


@dataclass(frozen=True, slots=True)
class AtVersion:
    """The item must be at one of these versions."""

    versions: frozenset[int]


class Existence(Enum):
    """What is asked of the item's being there at all."""

    ANY = "any"
    MUST_EXIST = "must-exist"
    MUST_NOT_EXIST = "must-not-exist"


Expected = AtVersion | Existence


@dataclass(frozen=True, slots=True)
class CreateItem:
    item_id: str
    received_at: int
    name: str
    description: str | None
    price: int
    currency: str
    effective_at: int | None = None


@dataclass(frozen=True, slots=True)
class ReplaceItem:
    """Create, replace or bring back; without a currency the item keeps its own."""

    item_id: str
    received_at: int
    name: str
    description: str | None
    price: int
    currency: str | None
    currency_if_new: str
    expected: Expected = Existence.ANY
    effective_at: int | None = None


@dataclass(frozen=True, slots=True)
class PatchItem:
    item_id: str
    received_at: int
    name: str | None = None
    description: str | Absent | None = ABSENT
    price: int | None = None
    currency: str | None = None
    expected: Expected = Existence.ANY
    effective_at: int | None = None


@dataclass(frozen=True, slots=True)
class DeleteItem:
    item_id: str
    received_at: int
    expected: Expected = Existence.ANY
    effective_at: int | None = None


@dataclass(frozen=True, slots=True)
class RestoreItem:
    item_id: str
    received_at: int
    expected: Expected = Existence.ANY
    effective_at: int | None = None


Command = CreateItem | ReplaceItem | PatchItem | DeleteItem | RestoreItem
