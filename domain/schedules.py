"""Prices that take effect by themselves: what is pending of an item, and what is due of it."""

from collections.abc import Iterable
from dataclasses import dataclass

# Pending at the same time, per item: they are kept with its head and looked at by every command.
SCHEDULES_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Price:
    """An amount in minor units, in a currency of ISO 4217."""

    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """A scheduled price that has not begun, or, with the `regular` price it comes back to, has.
    One that was `overtaken` has begun, too: the item was given another price since, and that one
    stays.

    Times are milliseconds since 1970; it is in force from `begins` until just before `ends`.
    """

    id: str
    price: Price
    begins: int
    ends: int | None
    actor: str
    reason: str | None
    regular: Price | None = None
    overtaken: bool = False

    @property
    def has_begun(self) -> bool:
        return self.overtaken or self.regular is not None

    @property
    def due_at(self) -> int:
        """The moment at which something happens to it next."""
        if not self.has_begun:
            return self.begins
        if self.ends is None:
            raise AssertionError(f"schedule {self.id} has begun and never ends")
        return self.ends


@dataclass(frozen=True, slots=True)
class Due:
    """A schedule that begins or ends at a moment; `command_id` names that happening for ever."""

    schedule: Schedule
    at: int

    @property
    def command_id(self) -> str:
        return f"due-{self.schedule.id}-{self.at}"


def next_due(schedules: Iterable[Schedule]) -> Due | None:
    """Find what happens next: at one moment, what ends comes before what begins."""
    first = min(
        schedules, key=lambda each: (each.due_at, not each.has_begun, each.id), default=None
    )
    return None if first is None else Due(first, first.due_at)


def overlapping(schedules: Iterable[Schedule], begins: int, ends: int | None) -> Schedule | None:
    """Find one that begins at the same moment, or a sale that another sale would overlap: what its
    end comes back to would be nobody's regular price.
    """
    for each in schedules:
        if not each.has_begun and each.begins == begins:
            return each
        if ends is not None and each.ends is not None and each.begins < ends and begins < each.ends:
            return each
    return None
