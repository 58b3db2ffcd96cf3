"""What is judged of most commands: that the item is there, is as expected, and comes after its last
change. Each raises a Refusal.
"""

from typing import assert_never

from domain.commands import AtVersion, Command, Existence, Expected
from domain.item import Item
from domain.refusals import (
    EffectiveInFuture,
    EffectiveTooEarly,
    ItemGone,
    ItemNotFound,
    PreconditionFailed,
)


def live(item_id: str, item: Item | None) -> Item:
    """Return the item, which has to be there and not deleted."""
    if item is None:
        raise ItemNotFound(f"there is no item {item_id}")
    if item.is_deleted:
        raise ItemGone(f"item {item_id} is deleted, at version {item.version}", item.version)
    return item


def expect(expected: Expected, item: Item | None, version: int) -> None:
    """Compare what the sender believes with the item that is there, `None` where there is none."""
    match expected:
        case Existence.ANY:
            return
        case Existence.MUST_EXIST:
            if item is None:
                raise PreconditionFailed("there is no such item", version)
        case Existence.MUST_NOT_EXIST:
            if item is not None:
                raise PreconditionFailed(f"the item exists, at version {version}", version)
        case AtVersion(versions):
            if item is None or item.version not in versions:
                raise PreconditionFailed(f"the item is at version {version}", version)
        case _:
            assert_never(expected)


def effective(command: Command, item: Item | None, now: int) -> int:
    """Find the moment the change takes effect: as given, else now, never before the item's last."""
    given = command.effective_at
    if given is not None and given > command.received_at:
        raise EffectiveInFuture("effective_at lies after the moment the command was received")
    last = None if item is None else item.effective_at
    if given is None:
        return now if last is None else max(now, last)
    if item is not None and last is not None and given < last:
        raise EffectiveTooEarly("effective_at lies before the item's last change", item.version)
    return given
