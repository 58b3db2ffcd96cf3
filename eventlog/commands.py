"""A command as JSON, as it stands in the log."""

from collections.abc import Callable, Mapping
from typing import Any, assert_never

from domain.commands import (
    ABSENT,
    Absent,
    AtVersion,
    CancelScheduledPrice,
    Command,
    CreateItem,
    DeleteItem,
    Existence,
    Expected,
    PatchItem,
    ReplaceItem,
    RestoreItem,
    RevertItem,
    SchedulePrice,
    TakeDue,
)


def encode(command: Command) -> dict[str, Any]:
    return {"item": command.item_id, "at": command.received_at, **said(command)}


def said(command: Command) -> dict[str, Any]:
    """Write what a command says, but for its item and when it was received."""
    document = _said(command)
    if command.effective_at is not None:
        document["eff"] = command.effective_at
    return document


def _said(command: Command) -> dict[str, Any]:
    match command:
        case ReplaceItem():
            return {
                "op": "replace",
                "name": command.name,
                "desc": command.description,
                "price": command.price,
                "cur": command.currency,
                "new": command.currency_if_new,
                "exp": _encode_expected(command.expected),
            }
        case CreateItem():
            return {
                "op": "create",
                "name": command.name,
                "desc": command.description,
                "price": command.price,
                "cur": command.currency,
            }
        case PatchItem():
            expected = _encode_expected(command.expected)
            return {"op": "patch", "exp": expected, **_changes(command)}
        case TakeDue():
            return {"op": "due"}
        case _:
            return {**_encode_other(command), "exp": _encode_expected(command.expected)}


def _encode_other(
    command: DeleteItem | RestoreItem | RevertItem | SchedulePrice | CancelScheduledPrice,
) -> dict[str, Any]:
    match command:
        case DeleteItem():
            return {"op": "delete"}
        case RestoreItem():
            return {"op": "restore"}
        case RevertItem():
            return {"op": "revert", "to": command.to_version, "revive": int(command.revive)}
        case SchedulePrice():
            return {
                "op": "schedule",
                "sched": command.schedule_id,
                "price": command.price,
                "cur": command.currency,
                "from": command.effective_from,
                "until": command.effective_until,
                "by": command.actor,
                "why": command.reason,
            }
        case CancelScheduledPrice():
            return {"op": "cancel", "sched": command.schedule_id}
        case _:
            assert_never(command)


def _changes(command: PatchItem) -> dict[str, Any]:
    """List what a patch mentions; null is something it can say of a description only."""
    said = {"name": command.name, "price": command.price, "cur": command.currency}
    changes: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
    if command.description is not ABSENT:
        changes["desc"] = command.description
    return changes


def decode(document: dict[str, Any], received_at: int | None = None) -> Command:
    """Read a command; where it does not say itself when it was received, that is told beside it.

    Raises KeyError, ValueError and the like where it is nothing that `encode` makes.
    """
    decoder = _DECODERS.get(document["op"])
    if decoder is None:
        raise ValueError(f"unknown operation {document['op']!r}")
    at = document["at"] if received_at is None else received_at
    return decoder(document, document["item"], at, document.get("eff"))


def _create(document: dict[str, Any], item_id: str, at: int, effective_at: int | None) -> Command:
    return CreateItem(
        item_id,
        at,
        document["name"],
        document["desc"],
        document["price"],
        document["cur"],
        effective_at,
    )


def _replace(document: dict[str, Any], item_id: str, at: int, effective_at: int | None) -> Command:
    return ReplaceItem(
        item_id,
        at,
        document["name"],
        document["desc"],
        document["price"],
        document["cur"],
        document["new"],
        _decode_expected(document["exp"]),
        effective_at,
    )


def _patch(document: dict[str, Any], item_id: str, at: int, effective_at: int | None) -> Command:
    description: str | Absent | None = document.get("desc", ABSENT)
    return PatchItem(
        item_id,
        at,
        document.get("name"),
        description,
        document.get("price"),
        document.get("cur"),
        _decode_expected(document["exp"]),
        effective_at,
    )


def _delete(document: dict[str, Any], item_id: str, at: int, effective_at: int | None) -> Command:
    return DeleteItem(item_id, at, _decode_expected(document["exp"]), effective_at)


def _restore(document: dict[str, Any], item_id: str, at: int, effective_at: int | None) -> Command:
    return RestoreItem(item_id, at, _decode_expected(document["exp"]), effective_at)


def _revert(document: dict[str, Any], item_id: str, at: int, effective_at: int | None) -> Command:
    expected = _decode_expected(document["exp"])
    revive = bool(document["revive"])
    return RevertItem(item_id, at, document["to"], expected, effective_at, revive)


def _schedule(document: dict[str, Any], item_id: str, at: int, effective_at: int | None) -> Command:
    return SchedulePrice(
        item_id,
        at,
        document["sched"],
        document["price"],
        document["cur"],
        document["from"],
        document["until"],
        document["by"],
        document["why"],
        _decode_expected(document["exp"]),
        effective_at,
    )


def _cancel(document: dict[str, Any], item_id: str, at: int, effective_at: int | None) -> Command:
    expected = _decode_expected(document["exp"])
    return CancelScheduledPrice(item_id, at, document["sched"], expected, effective_at)


def _due(_: dict[str, Any], item_id: str, at: int, effective_at: int | None) -> Command:
    return TakeDue(item_id, at, effective_at)


_DECODERS: Mapping[str, Callable[[dict[str, Any], str, int, int | None], Command]] = {
    "create": _create,
    "replace": _replace,
    "patch": _patch,
    "delete": _delete,
    "restore": _restore,
    "revert": _revert,
    "schedule": _schedule,
    "cancel": _cancel,
    "due": _due,
}


def _encode_expected(expected: Expected) -> str | list[int]:
    match expected:
        case Existence():
            return expected.value
        case AtVersion(versions):
            return sorted(versions)
        case _:
            assert_never(expected)


def _decode_expected(value: str | list[int]) -> Expected:
    return Existence(value) if isinstance(value, str) else AtVersion(frozenset(value))
