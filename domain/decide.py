"""What a command does to an item: events, none where nothing changes, or a refusal."""

from typing import assert_never

from domain.commands import (
    ABSENT,
    AtVersion,
    Command,
    CreateItem,
    DeleteItem,
    Existence,
    Expected,
    PatchItem,
    ReplaceItem,
    RestoreItem,
)
from domain.events import (
    Event,
    ItemCreated,
    ItemDeleted,
    ItemDescribed,
    ItemRenamed,
    ItemRepriced,
    ItemRestored,
)
from domain.item import Item
from domain.refusals import (
    EffectiveInFuture,
    EffectiveTooEarly,
    ItemExists,
    ItemGone,
    ItemNotFound,
    PreconditionFailed,
)


def decide(command: Command, item: Item | None, now: int) -> tuple[Event, ...]:
    """Decide at the moment `now` (milliseconds), which becomes the events' `recorded_at`.

    Raises a Refusal. Existence is judged first, then what the sender expects, then time.
    """
    match command:
        case CreateItem():
            return _create(command, item, now)
        case ReplaceItem():
            return _replace(command, item, now)
        case PatchItem():
            return _patch(command, item, now)
        case DeleteItem():
            live = _live(command.item_id, item)
            _expect(command.expected, live, live.version)
            return (ItemDeleted(live.id, now, _effective(command, live, now)),)
        case RestoreItem():
            return _restore(command, item, now)
        case _:
            assert_never(command)


def _create(command: CreateItem, item: Item | None, now: int) -> tuple[Event, ...]:
    if item is not None:
        state = "exists, deleted" if item.is_deleted else "exists"
        raise ItemExists(f"item {item.id} {state}, at version {item.version}", item.version)
    return (
        ItemCreated(
            command.item_id,
            now,
            _effective(command, None, now),
            command.name,
            command.description,
            command.price,
            command.currency,
        ),
    )


def _replace(command: ReplaceItem, item: Item | None, now: int) -> tuple[Event, ...]:
    live = None if item is None or item.is_deleted else item
    _expect(command.expected, live, 0 if item is None else item.version)
    at = _effective(command, item, now)
    if item is None:
        return (
            ItemCreated(
                command.item_id,
                now,
                at,
                command.name,
                command.description,
                command.price,
                command.currency or command.currency_if_new,
            ),
        )
    events: list[Event] = []
    if item.is_deleted:
        events.append(ItemRestored(item.id, now, at))
    events += _changes(
        item, now, at, command.name, command.description, command.price, command.currency
    )
    return tuple(events)


def _patch(command: PatchItem, item: Item | None, now: int) -> tuple[Event, ...]:
    live = _live(command.item_id, item)
    _expect(command.expected, live, live.version)
    at = _effective(command, live, now)
    return tuple(
        _changes(
            live,
            now,
            at,
            live.name if command.name is None else command.name,
            live.description if command.description is ABSENT else command.description,
            live.price if command.price is None else command.price,
            command.currency,
        )
    )


def _restore(command: RestoreItem, item: Item | None, now: int) -> tuple[Event, ...]:
    if item is None:
        raise ItemNotFound(f"there is no item {command.item_id}")
    _expect(command.expected, item, item.version)
    at = _effective(command, item, now)
    return (ItemRestored(item.id, now, at),) if item.is_deleted else ()


def _changes(
    item: Item,
    now: int,
    at: int,
    name: str,
    description: str | None,
    price: int,
    currency: str | None,
) -> list[Event]:
    """List one event per field that differs, in the order name, description, price."""
    events: list[Event] = []
    if name != item.name:
        events.append(ItemRenamed(item.id, now, at, name))
    if description != item.description:
        events.append(ItemDescribed(item.id, now, at, description))
    if price != item.price or (currency or item.currency) != item.currency:
        events.append(ItemRepriced(item.id, now, at, price, currency or item.currency))
    return events


def _live(item_id: str, item: Item | None) -> Item:
    if item is None:
        raise ItemNotFound(f"there is no item {item_id}")
    if item.is_deleted:
        raise ItemGone(f"item {item_id} is deleted, at version {item.version}", item.version)
    return item


def _expect(expected: Expected, item: Item | None, version: int) -> None:
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


def _effective(command: Command, item: Item | None, now: int) -> int:
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
