"""Query parameters: read strictly, all mistakes of a request told at once."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

from werkzeug.datastructures import MultiDict

from domain import rules
from domain.refusals import RuleBroken
from readmodel.views.words import words_asked
from runtime.times import parse_rfc3339

PAGE_LIMIT = 200
DEFAULT_PAGE = 50
IDS_LIMIT = 200
QUERY_LIMIT = 200
WORDS_LIMIT = 50
# Ten years, in days of 24 hours.
WINDOW_LIMIT = 3650

_DIGITS = re.compile(r"[0-9]{1,16}")
_NUMBER = re.compile(r"0|[1-9][0-9]*")
# No item comes to it, and every database can count so far.
_BEYOND_ALL = 10**18
# Of a value that is told back.
_SHOWN = 80
_Chosen = TypeVar("_Chosen")

Reader = Callable[[str], Any]


class BadValue(ValueError):
    """A value that a parameter does not take; `code` is stable, `str()` says what it takes."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class BadParameters(Exception):
    """The query parameters of a request are not those of its resource."""

    def __init__(self, errors: list[Mapping[str, str]]) -> None:
        super().__init__("; ".join(f"{each['parameter']}: {each['detail']}" for each in errors))
        self.errors = errors


def read(args: MultiDict[str, str], readers: Mapping[str, Reader]) -> dict[str, Any]:
    """Read the parameters that are there. Raises BadParameters naming every one that is wrong."""
    values: dict[str, Any] = {}
    errors: list[Mapping[str, str]] = []
    for name, given in args.lists():
        if name not in readers:
            known = ", ".join(sorted(readers)) or "none"
            detail = f"no parameter of this resource; it takes {known}"
            errors.append(_error(name, "unknown-parameter", detail))
        elif len(given) > 1:
            errors.append(_error(name, "repeated-parameter", "given more than once"))
        else:
            try:
                values[name] = readers[name](given[0])
            except BadValue as error:
                errors.append(_error(name, error.code, str(error)))
    if errors:
        raise BadParameters(errors)
    return values


def refuse_other_bytes(query: bytes) -> None:
    """Raise BadParameters where a query string is not UTF-8, as one that was written in Latin-1:
    what is read of it is not what was meant.
    """
    for pair in query.split(b"&"):
        written = unquote_to_bytes(pair)
        try:
            written.decode()
        except UnicodeDecodeError:
            name = written.partition(b"=")[0].decode(errors="replace")
            detail = "its percent-encoded bytes are no UTF-8"
            raise bad(name, "not-utf-8", detail) from None


def bad(parameter: str, code: str, detail: str) -> BadParameters:
    """Make the refusal of a single parameter."""
    return BadParameters([_error(parameter, code, detail)])


def text(value: str) -> str:
    return value


def limit(value: str) -> int:
    return limit_upto(PAGE_LIMIT)(value)


def limit_upto(most: int) -> Callable[[str], int]:
    """Make the reader of the length of a page."""

    def read_limit(value: str) -> int:
        if _DIGITS.fullmatch(value) is None or not 1 <= int(value) <= most:
            raise BadValue("limit-range", f"a whole number from 1 to {most}")
        return int(value)

    return read_limit


def some_of(known: Collection[str]) -> Callable[[str], tuple[str, ...]]:
    """Make the reader of a list of a few words; their order does not matter."""

    def read_some(value: str) -> tuple[str, ...]:
        given = sorted(set(value.split(",")))
        unknown = next((each for each in given if each not in known), None)
        if unknown is not None:
            raise BadValue(
                "unknown-choice",
                f"{unknown!r:.{_SHOWN}} is not known; some of {', '.join(known)}, with commas",
            )
        return tuple(given)

    return read_some


def item_id(value: str) -> str:
    try:
        return rules.item_id(value)
    except RuleBroken as error:
        raise BadValue(error.rule, str(error)) from error


def version(least: int) -> Reader:
    """Make the reader of a version, written in one way only: what can be kept for ever is to have
    one URL. A number that is higher than any version is read as another such number.
    """

    def read_version(value: str) -> int:
        if _NUMBER.fullmatch(value) is None or (value == "0" and least > 0):
            raise BadValue(
                "not-a-version", f"a whole number from {least} on, without sign or leading zeros"
            )
        return int(value) if len(value) < len(str(_BEYOND_ALL)) else _BEYOND_ALL

    return read_version


def window(value: str) -> int:
    """Read a number of days."""
    if _DIGITS.fullmatch(value) is None or not 1 <= int(value) <= WINDOW_LIMIT:
        raise BadValue("window-range", f"a whole number of days from 1 to {WINDOW_LIMIT}")
    return int(value)


def price(value: str) -> int:
    if _DIGITS.fullmatch(value) is None or int(value) > rules.PRICE_LIMIT:
        raise BadValue(
            "price-range",
            f"a whole number of minor units (12.99 EUR is 1299) from 0 to {rules.PRICE_LIMIT}",
        )
    return int(value)


def currency(value: str) -> str:
    try:
        return rules.currency(value)
    except RuleBroken as error:
        raise BadValue(error.rule, str(error)) from error


def moment(value: str) -> int:
    try:
        return parse_rfc3339(value)
    except ValueError as error:
        hint = "; in a URL a + is written %2B" if " " in value else ""
        raise BadValue("not-a-time", f"{error}{hint}") from error


def flag(value: str) -> bool:
    return one_of({"true": True, "false": False})(value)


def ids(value: str) -> tuple[str, ...]:
    """Read a list of item ids; their order does not matter."""
    given = sorted(set(value.split(",")))
    if len(given) > IDS_LIMIT:
        raise BadValue("too-many-ids", f"at most {IDS_LIMIT} ids, not {len(given)}")
    try:
        return tuple(rules.item_id(each) for each in given)
    except RuleBroken as error:
        raise BadValue(error.rule, f"{error}; several are separated by commas") from error


def words(value: str) -> tuple[str, ...]:
    """Read what is searched for as the words that it asks for."""
    if len(value) > QUERY_LIMIT:
        raise BadValue("query-too-long", f"at most {QUERY_LIMIT} characters, not {len(value)}")
    asked = words_asked(value)
    if not asked:
        raise BadValue(
            "no-words",
            "at least one word, which has a letter, a digit or a symbol such as an emoji; leave q "
            "out to list everything",
        )
    if len(asked) > WORDS_LIMIT:
        raise BadValue("too-many-words", f"at most {WORDS_LIMIT} words, not {len(asked)}")
    return asked


def one_of(choices: Mapping[str, _Chosen]) -> Callable[[str], _Chosen]:
    """Make the reader of a parameter that takes one of a few words."""

    def choose(value: str) -> _Chosen:
        if value not in choices:
            raise BadValue("unknown-choice", f"one of {', '.join(choices)}")
        return choices[value]

    return choose


def _error(parameter: str, code: str, detail: str) -> Mapping[str, str]:
    return {"parameter": parameter, "code": code, "detail": detail}
