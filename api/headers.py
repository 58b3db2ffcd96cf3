"""What a client asks for in headers: how to be answered, under which key, on which condition."""

import re
from collections.abc import Iterable

from fastapi import Request

from api.problems import bad_header
from domain.commands import AtVersion, Existence, Expected
from runtime.preferences import Preferences, read_preferences
from runtime.times import parse_rfc3339

_KEY = re.compile(r'"([\x21\x23-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255})')
_ETAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_ETAGS = re.compile(rf"{_ETAG.pattern}(?:[ \t]*,[ \t]*{_ETAG.pattern})*")
_VERSION = re.compile(r"[1-9][0-9]{0,15}")


def preferences(request: Request) -> Preferences:
    return read_preferences(request.headers.getlist("prefer"))


def idempotency_key(request: Request) -> str | None:
    """Read `Idempotency-Key`: a quoted string or bare, 1 to 255 visible ASCII characters."""
    sent = request.headers.getlist("idempotency-key")
    if not sent:
        return None
    key = read_key(sent[0]) if len(sent) == 1 else None
    if key is None:
        raise bad_header("Idempotency-Key", "must be one key of 1 to 255 visible ASCII characters")
    return key


def read_key(sent: str) -> str | None:
    """Read one `Idempotency-Key`; `None` where it is none."""
    match = _KEY.fullmatch(sent.strip())
    return None if match is None else match[1] or match[2]


def deadline_of(request: Request) -> int | None:
    """Read `Command-Deadline`, an RFC 3339 moment after which the command is not wanted."""
    sent = request.headers.getlist("command-deadline")
    if not sent:
        return None
    if len(sent) > 1:
        raise bad_header("Command-Deadline", "must be sent once")
    try:
        return parse_rfc3339(sent[0].strip())
    except ValueError as error:
        raise bad_header("Command-Deadline", str(error)) from error


def take_no_condition(request: Request) -> None:
    """Refuse conditions where nothing is judged by them: they would be passed over in silence."""
    for header in ("If-Match", "If-None-Match"):
        if header in request.headers:
            raise bad_header(header, "is not taken here; a row of a batch has if_version")


def if_match(request: Request) -> Expected:
    """Read `If-Match`. A weak tag never matches (RFC 9110, 13.1.1), nor does one not of ours."""
    if "if-none-match" in request.headers:
        raise bad_header("If-None-Match", "is only taken with PUT: create, do not replace")
    return _if_match(request)


def _if_match(request: Request) -> Expected:
    sent = request.headers.getlist("if-match")
    if not sent:
        return Existence.ANY
    value = ",".join(sent).strip()
    if value == "*":
        return Existence.MUST_EXIST
    return AtVersion(frozenset(_versions("If-Match", value)))


def expected_by_put(request: Request) -> Expected:
    """Read `If-Match` or `If-None-Match: *` (create only); both at once can not be meant."""
    expected = _if_match(request)
    none_match = request.headers.getlist("if-none-match")
    if not none_match:
        return expected
    if ",".join(none_match).strip() != "*":
        raise bad_header("If-None-Match", "only * is taken here: create, do not replace")
    if expected is not Existence.ANY:
        raise bad_header("If-None-Match", "can not be sent together with If-Match")
    return Existence.MUST_NOT_EXIST


def _versions(header: str, value: str) -> Iterable[int]:
    # A tag may have commas in it.
    if _ETAGS.fullmatch(value) is None:
        raise bad_header(header, 'must be * or a list of entity tags such as "7"')
    for weak, tag in _ETAG.findall(value):
        if not weak and _VERSION.fullmatch(tag):
            yield int(tag)
