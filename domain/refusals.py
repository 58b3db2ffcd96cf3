"""The ways to say no. Each has a stable `code`, a `title`, and a kind that is not yet HTTP."""

from typing import ClassVar, Literal

Kind = Literal["absent", "gone", "conflict", "precondition", "invalid"]


class DomainError(Exception):
    """A rule of the catalogue was broken; `str()` says by what."""

    code: ClassVar[str]
    title: ClassVar[str]
    kind: ClassVar[Kind]
    mend: ClassVar[str]


class RuleBroken(DomainError):
    """A value that no item may have. `field` names the member, `rule` the broken rule."""

    code = "invalid-value"
    title = "A value is not allowed"
    kind = "invalid"
    mend = "Send a value that the rule in `detail` allows."

    def __init__(self, field: str, rule: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field
        self.rule = rule


class Refusal(DomainError):
    """A command that the item, as it stands, does not accept.

    `version` is the item's, 0 where there is none.
    """

    def __init__(self, detail: str, version: int = 0) -> None:
        super().__init__(detail)
        self.version = version


class ItemNotFound(Refusal):
    """There never was an item of this id."""

    code = "item-not-found"
    title = "No such item"
    kind = "absent"
    mend = "Create it first, or look at the id again: ids tell upper from lower case."


class ItemGone(Refusal):
    """The item was deleted; it can be restored."""

    code = "item-deleted"
    title = "The item is deleted"
    kind = "gone"
    mend = "Restore it, or PUT it with new values. Its history stays readable."


class ItemExists(Refusal):
    """An item of this id exists, or existed and is deleted."""

    code = "item-exists"
    title = "The item exists already"
    kind = "conflict"
    mend = "Replace it with PUT, change it with PATCH, or choose another id."


class EffectiveTooEarly(Refusal):
    """The change would take effect before the item's last one."""

    code = "effective-at-too-early"
    title = "The item has a later change"
    kind = "conflict"
    mend = "An item's changes take effect in order: send this one at or after the last one."


class EffectiveInFuture(Refusal):
    """The change would take effect after it was received."""

    code = "effective-at-in-future"
    title = "effective_at lies in the future"
    kind = "invalid"
    mend = "Send a moment in the past, or leave effective_at out for now."


class PreconditionFailed(Refusal):
    """The item is not what the sender believes it to be."""

    code = "precondition-failed"
    title = "The item has changed"
    kind = "precondition"
    mend = "Read the item again and send the version it has now; `current_version` names it."


class NoSuchVersion(Refusal):
    """The item never had, or does not have yet, this version."""

    code = "no-such-version"
    title = "The item has no such version"
    kind = "invalid"
    mend = "Choose a version from 1 to the item's own; its history lists them."


class EffectiveFromPast(Refusal):
    """A scheduled price would begin before it was asked for."""

    code = "effective-from-in-past"
    title = "effective_from does not lie in the future"
    kind = "invalid"
    mend = "Send a moment in the future, or change the price now with PATCH."


class ScheduleEndsEarly(Refusal):
    """A scheduled price would end before it begins."""

    code = "effective-until-too-early"
    title = "effective_until does not lie after effective_from"
    kind = "invalid"
    mend = "Send a later effective_until, or leave it out for a price that stays."


class ScheduleOverlaps(Refusal):
    """Another scheduled price begins at the same moment, or two sales would overlap."""

    code = "schedule-overlaps"
    title = "Another scheduled price is in force then"
    kind = "conflict"
    mend = "Cancel the other one, which `detail` names, or choose another time."


class TooManySchedules(Refusal):
    """The item has as many pending scheduled prices as it may have."""

    code = "too-many-scheduled-prices"
    title = "The item has too many scheduled prices"
    kind = "conflict"
    mend = "Cancel some, or wait until some have taken effect."


class ScheduleNotPending(Refusal):
    """There is no such scheduled price, or it is over or cancelled already."""

    code = "scheduled-price-not-found"
    title = "No such scheduled price is pending"
    kind = "absent"
    mend = "Look at the item's scheduled prices: it may have taken effect or been cancelled."


REFUSALS: tuple[type[DomainError], ...] = (
    RuleBroken,
    ItemNotFound,
    ItemGone,
    ItemExists,
    EffectiveTooEarly,
    EffectiveInFuture,
    PreconditionFailed,
    NoSuchVersion,
    EffectiveFromPast,
    ScheduleEndsEarly,
    ScheduleOverlaps,
    TooManySchedules,
    ScheduleNotPending,
)
