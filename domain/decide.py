"""What a command does to an item: events, none where nothing changes, or a refusal."""

from collections.abc import Callable
from typing import assert_never

from domain import pricing
from domain.checks import effective, expect, live
from domain.commands import (
    ABSENT,
    CancelScheduledPrice,
    Command,
    CreateItem,
    DeleteItem,
    PatchItem,
    ReplaceItem,
    RestoreItem,
    RevertItem,
    SchedulePrice,
    TakeDue,
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
from domain.evolve import fold
from domain.item import Item
from domain.refusals import ItemExists, ItemNotFound, NoSuchVersion

# Rebuilds the item as it was at a version it has reached.
Earlier = Callable[[int], Item]


def decide(command: Command, item: Item | None, now: int, earlier: Earlier) -> tuple[Event, ...]:
    """Decide at the moment `now` (milliseconds), which becomes the events' `recorded_at`. What is
    due of the item has happened before.

    Raises a Refusal. Existence is judged first, then what the sender expects, then the rest.
    """
    match command:
        case CreateItem():
            return _create(command, item, now)
        case ReplaceItem():
            return _replace(command, item, now)
        case PatchItem():
            return _patch(command, item, now)
        case DeleteItem() | RestoreItem() | RevertItem():
            return _whole(command, item, now, earlier)
        case SchedulePrice() | CancelScheduledPrice() | TakeDue():
            return _of_schedules(command, item, now)
        case _:
            assert_never(command)


def _whole(
    command: DeleteItem | RestoreItem | RevertItem, item: Item | None, now: int, earlier: Earlier
) -> tuple[Event, ...]:
    match command:
        case DeleteItem():
            there = live(command.item_id, item)
            expect(command.expected, there, there.version)
            return _delete(there, now, effective(command, there, now))
        case RestoreItem():
            return _restore(command, item, now)
        case RevertItem():
            return _revert(command, item, now, earlier)
        case _:
            assert_never(command)


def _of_schedules(
    command: SchedulePrice | CancelScheduledPrice | TakeDue, item: Item | None, now: int
) -> tuple[Event, ...]:
    match command:
        case SchedulePrice():
            return pricing.schedule(command, item, now)
        case CancelScheduledPrice():
            return pricing.cancel(command, item, now)
        case TakeDue():
            return ()
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
            effective(command, None, now),
            command.name,
            command.description,
            command.price,
            command.currency,
        ),
    )


def _replace(command: ReplaceItem, item: Item | None, now: int) -> tuple[Event, ...]:
    there = None if item is None or item.is_deleted else item
    expect(command.expected, there, 0 if item is None else item.version)
    at = effective(command, item, now)
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
    there = live(command.item_id, item)
    expect(command.expected, there, there.version)
    at = effective(command, there, now)
    return tuple(
        _changes(
            there,
            now,
            at,
            there.name if command.name is None else command.name,
            there.description if command.description is ABSENT else command.description,
            there.price if command.price is None else command.price,
            command.currency,
        )
    )


def _delete(item: Item, now: int, at: int) -> tuple[Event, ...]:
    """Delete an item: its sale ends, and nothing of it is pending any more."""
    return (*pricing.give_up_all(item, now, at), ItemDeleted(item.id, now, at))


def _revert(
    command: RevertItem, item: Item | None, now: int, earlier: Earlier
) -> tuple[Event, ...]:
    if item is not None and item.is_deleted and command.revive:
        there = item
    else:
        there = live(command.item_id, item)
    expect(command.expected, there, there.version)
    if not 1 <= command.to_version <= there.version:
        raise NoSuchVersion(
            f"item {there.id} has the versions 1 to {there.version}, not {command.to_version}",
            there.version,
        )
    at = effective(command, there, now)
    then = earlier(command.to_version)
    events = _changes(there, now, at, then.name, then.description, then.price, then.currency)
    if there.is_deleted and not then.is_deleted:
        events.insert(0, ItemRestored(there.id, now, at))
    if then.is_deleted and not there.is_deleted:
        return (*events, *_delete(fold(events, there) or there, now, at))
    return tuple(events)


def _restore(command: RestoreItem, item: Item | None, now: int) -> tuple[Event, ...]:
    if item is None:
        raise ItemNotFound(f"there is no item {command.item_id}")
    expect(command.expected, item, item.version)
    at = effective(command, item, now)
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
