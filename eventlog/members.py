"""What each member of a log entry is like, as this release writes it."""

from collections.abc import Callable, Mapping
from typing import Any, get_args

from domain import rules
from eventlog.envelope import FILE_NAME_LIMIT, Mark

_LONGEST_ID = 255
_LONGEST_TEXT = 4000
_LONGEST_TIME = 10**15
# What a client can write exactly, whatever it is written in.
_LAST_VERSION = 2**53 - 1


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


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < _LONGEST_TIME


def _is_version(value: object) -> bool:
    return type(value) is int and 1 <= value <= _LAST_VERSION


def _is_flag(value: object) -> bool:
    return type(value) is int and value in {0, 1}


def _is_rows(value: object) -> bool:
    """Say whether it is rows, as a list of them has, or how many there are, as a mark says."""
    return isinstance(value, list) or _is_count(value)


_MARKS = frozenset(get_args(Mark))

# What each member is like as this release writes it.
_MEMBERS: Mapping[str, Callable[[object], bool]] = {
    "id": _is_text(1, _LONGEST_ID),
    "of": _is_text(1, _LONGEST_ID),
    "actor": _is_text(0, _LONGEST_TEXT),
    "reply": _is_text(0, _LONGEST_TEXT),
    "trace": _is_text(0, _LONGEST_TEXT),
    "request": _is_text(0, _LONGEST_TEXT),
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
    "to": _is_version,
    "sched": _is_text(1, _LONGEST_ID),
    "from": _is_time,
    "until": _or_null(_is_time),
    "by": _is_text(0, _LONGEST_TEXT),
    "why": _or_null(_is_text(0, _LONGEST_TEXT)),
    "dead": _is_time,
    "import": _is_text(1, _LONGEST_ID),
    "mark": _MARKS.__contains__,
    "reverts": _or_null(_is_text(1, _LONGEST_ID)),
    "file": _or_null(_is_text(1, FILE_NAME_LIMIT)),
    "after": _is_text(0, _LONGEST_ID),
    "rows": _is_rows,
    "row": _is_count,
    "dry": _is_flag,
    "stop": _is_flag,
    "revive": _is_flag,
    "code": _is_text(1, _LONGEST_TEXT),
    "detail": _or_null(_is_text(0, _LONGEST_TEXT)),
}


def check(document: Mapping[str, Any]) -> None:
    """See that every member is as this release writes it: what is not would be refused by a
    database only, or be in the ledger for ever. Raises ValueError, or RuleBroken.
    """
    for name, value in document.items():
        is_well = _MEMBERS.get(name)
        if is_well is not None and not is_well(value):
            raise ValueError(f"{name} is nothing that this release writes: {value!r:.100}")
