"""What somebody asks of an item, in the imperative; it may be refused.

`effective_at` is `None` unless the sender says when the change took effect. `received_at` is when
the command was accepted. `expected` is what the sender believes about the item.
"""

from enum import Enum, auto

from domain.value import value


class Absent(Enum):
    """A member that a patch does not mention, as opposed to one that is set to null."""

    ABSENT = auto()


ABSENT = Absent.ABSENT


@value
class AtVersion:
    """The item must be at one of these versions."""

    versions: frozenset[int]


class Existence(Enum):
    """What is asked of the item's being there at all."""

    ANY = "any"
    MUST_EXIST = "must-exist"
    MUST_NOT_EXIST = "must-not-exist"


Expected = AtVersion | Existence


@value
class CreateItem:
    item_id: str
    received_at: int
    name: str
    description: str | None
    price: int
    currency: str
    effective_at: int | None = None


@value
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


@value
class PatchItem:
    item_id: str
    received_at: int
    name: str | None = None
    description: str | Absent | None = ABSENT
    price: int | None = None
    currency: str | None = None
    expected: Expected = Existence.ANY
    effective_at: int | None = None


@value
class DeleteItem:
    item_id: str
    received_at: int
    expected: Expected = Existence.ANY
    effective_at: int | None = None


@value
class RestoreItem:
    item_id: str
    received_at: int
    expected: Expected = Existence.ANY
    effective_at: int | None = None


@value
class RevertItem:
    """Bring back name, description and price as they were at an earlier version; with `revive` also
    those of an item that is deleted by now.
    """

    item_id: str
    received_at: int
    to_version: int
    expected: Expected = Existence.ANY
    effective_at: int | None = None
    revive: bool = False


@value
class SchedulePrice:
    """A price that takes effect by itself at `effective_from` and, with `effective_until`, ends by
    itself; without a currency it is in the item's own. `actor` and `reason` are told with the
    change when it comes.
    """

    item_id: str
    received_at: int
    schedule_id: str
    price: int
    currency: str | None
    effective_from: int
    effective_until: int | None
    actor: str
    reason: str | None = None
    expected: Expected = Existence.ANY
    effective_at: int | None = None


@value
class CancelScheduledPrice:
    """Take a scheduled price back; one that has begun ends now."""

    item_id: str
    received_at: int
    schedule_id: str
    expected: Expected = Existence.ANY
    effective_at: int | None = None


@value
class TakeDue:
    """Let a scheduled price begin or end that is due when this is received. Before any command of
    an item that happens anyway; this one comes where no other does.
    """

    item_id: str
    received_at: int
    effective_at: int | None = None


Command = (
    CreateItem
    | ReplaceItem
    | PatchItem
    | DeleteItem
    | RestoreItem
    | RevertItem
    | SchedulePrice
    | CancelScheduledPrice
    | TakeDue
)
