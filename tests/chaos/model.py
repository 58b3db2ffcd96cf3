"""A second account of the rules: what events make of an item, and what it answers to a command.

Written from the public interface, not from the product's code.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.chaos.final import EventRow
from tests.chaos.wishes import Wish

_FIELDS = ("name", "description", "price", "currency")
_DEFAULT_CURRENCY = "EUR"


@dataclass(frozen=True, slots=True)
class State:
    name: str
    description: str | None
    price: int
    currency: str
    version: int
    created_at: int
    updated_at: int
    deleted_at: int | None


@dataclass(frozen=True, slots=True)
class Expected:
    """What must become of a command: its outcome, and its events as (type, data)."""

    status: str
    http_status: int
    version: int
    code: str | None
    events: tuple[tuple[str, Mapping[str, Any]], ...] = ()


class Impossible(Exception):
    """These events cannot follow each other."""


def after(state: State | None, event: EventRow) -> State:
    """Take one event. Raises Impossible."""
    data = event.members
    at = event.recorded_at
    if event.name == "ItemCreated":
        if state is not None:
            raise Impossible("created twice")
        return State(**{each: data[each] for each in _FIELDS}, version=1, created_at=at,
                     updated_at=at, deleted_at=None)  # fmt: skip
    if state is None:
        raise Impossible(f"{event.type} before its creation")
    changed = replace(state, version=state.version + 1, updated_at=at)
    match event.name:
        case "ItemRenamed" | "ItemDescribed" | "ItemRepriced":
            if state.deleted_at is not None:
                raise Impossible(f"{event.type} of a deleted item")
            return replace(changed, **data)
        case "ItemDeleted":
            if state.deleted_at is not None:
                raise Impossible("deleted twice")
            return replace(changed, deleted_at=at)
        case "ItemRestored":
            if state.deleted_at is None:
                raise Impossible("restored while it is there")
            return replace(changed, deleted_at=None)
        case other:
            raise Impossible(f"an event of type {other}")


def judge(wish: Wish, state: State | None) -> Expected:
    """Say what must become of a valid command."""
    match wish.op:
        case "create":
            return _create(wish, state)
        case "put":
            return _put(wish, state)
        case "restore":
            return _restore(wish, state)
        case "patch" | "delete":
            return _change(wish, state)


def _refuse(http_status: int, code: str, state: State | None) -> Expected:
    return Expected("rejected", http_status, 0 if state is None else state.version, code)


def _create(wish: Wish, state: State | None) -> Expected:
    if state is not None:
        return _refuse(409, "item-exists", state)
    return Expected("applied", 201, 1, None, (("ItemCreated", _new(wish)),))


def _new(wish: Wish) -> dict[str, Any]:
    given = {"description": None, "currency": _DEFAULT_CURRENCY, **wish.fields}
    return {each: given[each] for each in _FIELDS}


def _put(wish: Wish, state: State | None) -> Expected:
    there = state is not None and state.deleted_at is None
    if not _as_expected(wish, state, there=there):
        return _refuse(412, "precondition-failed", state)
    if state is None:
        return Expected("applied", 201, 1, None, (("ItemCreated", _new(wish)),))
    events = [] if there else [("ItemRestored", {})]
    fields = {"description": None, "currency": state.currency, **wish.fields}
    events += _differences(state, fields)
    return _applied(200 if there else 201, state, events)


def _change(wish: Wish, state: State | None) -> Expected:
    if state is None:
        return _refuse(404, "item-not-found", state)
    if state.deleted_at is not None:
        return _refuse(410, "item-deleted", state)
    if not _as_expected(wish, state, there=True):
        return _refuse(412, "precondition-failed", state)
    if wish.op == "delete":
        return _applied(204, state, [("ItemDeleted", {})])
    now = {each: getattr(state, each) for each in _FIELDS}
    return _applied(200, state, _differences(state, now | dict(wish.fields)))


def _restore(wish: Wish, state: State | None) -> Expected:
    if state is None:
        return _refuse(404, "item-not-found", state)
    if not _as_expected(wish, state, there=True):
        return _refuse(412, "precondition-failed", state)
    return _applied(200, state, [] if state.deleted_at is None else [("ItemRestored", {})])


def _as_expected(wish: Wish, state: State | None, *, there: bool) -> bool:
    if wish.expect is None:
        return True
    if wish.expect == "none":
        return not there
    return there and state is not None and state.version == wish.expect


def _differences(state: State, fields: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    events: list[tuple[str, Mapping[str, Any]]] = []
    for kind, names in (
        ("ItemRenamed", ("name",)),
        ("ItemDescribed", ("description",)),
        ("ItemRepriced", ("price", "currency")),
    ):
        if any(getattr(state, name) != fields[name] for name in names):
            events.append((kind, {name: fields[name] for name in names}))
    return events


def _applied(
    http_status: int, state: State, events: list[tuple[str, Mapping[str, Any]]]
) -> Expected:
    status = "applied" if events else "unchanged"
    return Expected(status, http_status, state.version + len(events), None, tuple(events))
