"""What stands in the log: a command with its id, its sender and its circumstances, as JSON."""

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, assert_never, cast

import orjson

from domain import rules
from domain.commands import (
    ABSENT,
    Absent,
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
from domain.refusals import RuleBroken

_LONGEST_ID = 255
_LONGEST_TEXT = 4000
_LONGEST_TIME = 10**15


@dataclass(frozen=True, slots=True)
class Envelope:
    """A command on the log.

    `fingerprint` is that of the payload it came with; `reply_to` names the API process that waits
    for the outcome, `with_item` says whether it wants the item with it, which nobody does for a row
    of a batch; `trace` is a W3C
    traceparent.
    """

    id: str
    command: Command
    actor: str
    fingerprint: str
    reply_to: str | None = None
    reason: str | None = None
    trace: str | None = None
    with_item: bool = True


@dataclass(frozen=True, slots=True)
class Ask:
    """A request to hear again what became of a command that was accepted before."""

    id: str
    command_id: str
    fingerprint: str
    reply_to: str
    with_item: bool = True


@dataclass(frozen=True, slots=True)
class Order:
    """An operator's word on a dead command: try it again, or give it up."""

    id: str
    what: Literal["replay", "discard"]
    command_id: str
    actor: str


Entry = Envelope | Ask | Order


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A log entry that this release can not read; `why` is a traceback.

    `id` and `item_id` are what could be made out all the same.
    """

    id: str | None
    item_id: str | None
    why: str


class UnreadableEntry(Exception):
    """A log entry that this release can not read."""


def encode(entry: Entry) -> bytes:
    match entry:
        case Envelope():
            document: dict[str, Any] = {
                "id": entry.id,
                "actor": entry.actor,
                "fp": entry.fingerprint,
                **_encode_command(entry.command),
            }
            optional = {"reply": entry.reply_to, "reason": entry.reason, "trace": entry.trace}
            document |= {name: value for name, value in optional.items() if value is not None}
            if not entry.with_item:
                document["bare"] = 1
        case Ask():
            document = {
                "id": entry.id,
                "op": "ask",
                "of": entry.command_id,
                "fp": entry.fingerprint,
                "reply": entry.reply_to,
            }
            if not entry.with_item:
                document["bare"] = 1
        case Order():
            document = {
                "id": entry.id,
                "op": entry.what,
                "of": entry.command_id,
                "actor": entry.actor,
            }
        case _:
            assert_never(entry)
    return orjson.dumps(document)


def decode(body: bytes) -> Entry:
    """Raises UnreadableEntry."""
    try:
        document = orjson.loads(body)
        _check(document)
        with_item = "bare" not in document
        match document["op"]:
            case "ask":
                return Ask(
                    document["id"], document["of"], document["fp"], document["reply"], with_item
                )
            case "replay" | "discard":
                return Order(document["id"], document["op"], document["of"], document["actor"])
            case _:
                pass
        return Envelope(
            document["id"],
            _decode_command(document),
            document["actor"],
            document["fp"],
            document.get("reply"),
            document.get("reason"),
            document.get("trace"),
            with_item,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RuleBroken) as error:
        raise UnreadableEntry(f"{type(error).__name__}: {error}") from error


def read(body: bytes) -> Entry | Unreadable:
    """Decode an entry, or say why it can not be."""
    try:
        return decode(body)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  whatever it is: the entry is kept, with the reason
        why = traceback.format_exc()
    try:
        document = orjson.loads(body)
    except ValueError:
        return Unreadable(None, None, why)
    return Unreadable(_text(document, "id"), _text(document, "item"), why)


def _text(document: Any, name: str) -> str | None:
    value = cast("dict[str, Any]", document).get(name) if isinstance(document, dict) else None
    if isinstance(value, str) and 0 < len(value) <= _LONGEST_ID and "\0" not in value:
        return value
    return None


def _is_text(least: int, most: int) -> Callable[[object], bool]:
    return lambda value: (
        isinstance(value, str) and least <= len(value) <= most and "\0" not in value
    )


def _or_null(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or check(value)


def _is_item_id(value: object) -> bool:
    return isinstance(value, str) and rules.item_id(value) == value


def _is_price(value: object) -> bool:
    return type(value) is int and rules.price(value) == value


def _is_currency(value: object) -> bool:
    return isinstance(value, str) and rules.currency(value) == value


def _is_time(value: object) -> bool:
    return type(value) is int and abs(value) < _LONGEST_TIME


# What each member is like as this release writes it.
_MEMBERS: Mapping[str, Callable[[object], bool]] = {
    "id": _is_text(1, _LONGEST_ID),
    "of": _is_text(1, _LONGEST_ID),
    "actor": _is_text(0, _LONGEST_TEXT),
    "reply": _is_text(0, _LONGEST_TEXT),
    "trace": _is_text(0, _LONGEST_TEXT),
    "fp": _is_text(0, _LONGEST_TEXT),
    "reason": _or_null(_is_text(0, _LONGEST_TEXT)),
    "item": _is_item_id,
    "at": _is_time,
    "eff": _is_time,
    "name": _is_text(1, rules.NAME_LIMIT),
    "desc": _or_null(_is_text(0, rules.DESCRIPTION_LIMIT)),
    "price": _is_price,
    "cur": _or_null(_is_currency),
    "new": _or_null(_is_currency),
}


def _check(document: Any) -> None:
    """See that every member is as this release writes it: what is not would be refused by a
    database only, or be in the ledger for ever.
    """
    for name, value in cast("dict[str, Any]", document).items():
        check = _MEMBERS.get(name)
        if check is not None and not check(value):
            raise UnreadableEntry(f"{name} is nothing that this release writes: {value!r:.100}")


def _encode_command(command: Command) -> dict[str, Any]:
    document: dict[str, Any] = {"item": command.item_id, "at": command.received_at}
    if command.effective_at is not None:
        document["eff"] = command.effective_at
    match command:
        case CreateItem():
            document |= {
                "op": "create",
                "name": command.name,
                "desc": command.description,
                "price": command.price,
                "cur": command.currency,
            }
        case ReplaceItem():
            document |= {
                "op": "replace",
                "name": command.name,
                "desc": command.description,
                "price": command.price,
                "cur": command.currency,
                "new": command.currency_if_new,
                "exp": _encode_expected(command.expected),
            }
        case PatchItem():
            document |= {"op": "patch", "exp": _encode_expected(command.expected)}
            document |= _changes(command)
        case DeleteItem():
            document |= {"op": "delete", "exp": _encode_expected(command.expected)}
        case RestoreItem():
            document |= {"op": "restore", "exp": _encode_expected(command.expected)}
        case _:
            assert_never(command)
    return document


def _changes(command: PatchItem) -> dict[str, Any]:
    """List what a patch mentions; null is something it can say of a description only."""
    said = {"name": command.name, "price": command.price, "cur": command.currency}
    changes: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
    if command.description is not ABSENT:
        changes["desc"] = command.description
    return changes


def _decode_command(document: dict[str, Any]) -> Command:
    item_id, received_at, effective_at = document["item"], document["at"], document.get("eff")
    match document["op"]:
        case "create":
            return CreateItem(
                item_id,
                received_at,
                document["name"],
                document["desc"],
                document["price"],
                document["cur"],
                effective_at,
            )
        case "replace":
            return ReplaceItem(
                item_id,
                received_at,
                document["name"],
                document["desc"],
                document["price"],
                document["cur"],
                document["new"],
                _decode_expected(document["exp"]),
                effective_at,
            )
        case "patch":
            description: str | Absent | None = document.get("desc", ABSENT)
            return PatchItem(
                item_id,
                received_at,
                document.get("name"),
                description,
                document.get("price"),
                document.get("cur"),
                _decode_expected(document["exp"]),
                effective_at,
            )
        case "delete":
            expected = _decode_expected(document["exp"])
            return DeleteItem(item_id, received_at, expected, effective_at)
        case "restore":
            expected = _decode_expected(document["exp"])
            return RestoreItem(item_id, received_at, expected, effective_at)
        case other:
            raise ValueError(f"unknown operation {other!r}")


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
