"""Moments as whole milliseconds since 1970 (UTC), and their text form of RFC 3339."""

import re
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_FIRST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
_RFC3339 = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(\.\d+)?([Zz]|[+-]\d{2}:\d{2})",
    re.ASCII,
)


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
    if not _FIRST <= at <= _LAST:
        raise ValueError("outside the years 0001 to 9999")
    return at
