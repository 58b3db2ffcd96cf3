"""Moments as whole milliseconds since 1970 (UTC), and their text forms of RFC 3339 and of HTTP."""

import re
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
# The first of the year 1, before which nothing can be written.
FIRST_MOMENT = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
# Hours, and what an offset is of: Python takes `+01:60`, and later ones `24:00:00`.
_HOURS, _MINUTES = r"([01]\d|2[0-3])", r"[0-5]\d"
_RFC3339 = re.compile(
    rf"\d{{4}}-\d{{2}}-\d{{2}}[Tt ]{_HOURS}:\d{{2}}:\d{{2}}(\.\d+)?([Zz]|[+-]{_HOURS}:{_MINUTES})",
    re.ASCII,
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# As JSON Schema has it, too.
HTTP_DATE_PATTERN = (
    rf"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), ([0-9]{{2}}) ({'|'.join(_MONTHS)}) ([0-9]{{4}})"
    " ([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT"
)
_HTTP_DATE = re.compile(HTTP_DATE_PATTERN)


def now_ms() -> int:
    """Read the wall clock."""
    return time.time_ns() // 1_000_000


# The events of a batch share their moment.
@lru_cache(maxsize=1024)
def rfc3339(at: int) -> str:
    """Write a moment as `2026-11-22T08:00:00.000Z`: UTC, always three decimals."""
    moment = _EPOCH + at * _MILLISECOND
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def parse_rfc3339(text: str) -> int:
    """Read a moment; finer parts than a millisecond are cut off.

    Raises ValueError where the text is no RFC 3339 date-time with a zone.
    """
    if _RFC3339.fullmatch(text) is None:
        raise ValueError("not an RFC 3339 date-time with a zone, such as 2026-11-22T08:00:00Z")
    at = (datetime.fromisoformat(text.upper()) - _EPOCH) // _MILLISECOND
    if not FIRST_MOMENT <= at <= _LAST:
        raise ValueError("outside the years 0001 to 9999")
    return at


def http_date(at: int) -> str:
    """Write the second of a moment as `Sat, 22 Nov 2025 08:00:00 GMT` (RFC 9110, 5.6.7)."""
    return format_datetime(_EPOCH + at // 1000 * timedelta(seconds=1), usegmt=True)


def parse_http_date(text: str) -> int:
    """Read the first millisecond of a second that is written as `http_date` does; the name of the
    day is not compared with the date.

    Raises ValueError where the text is no such date: of the older forms of HTTP none is taken.
    """
    found = _HTTP_DATE.fullmatch(text)
    if found is None:
        raise ValueError("not a date of HTTP, such as Sat, 22 Nov 2025 08:00:00 GMT")
    _, day, month, year, hour, minute, second = found.groups()
    at = datetime(
        int(year),
        _MONTHS.index(month) + 1,
        int(day),
        int(hour),
        int(minute),
        int(second),
        tzinfo=UTC,
    )
    return (at - _EPOCH) // _MILLISECOND
