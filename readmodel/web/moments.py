"""Moments and spans as people read them. A moment is RFC 3339 in UTC, as `rfc3339` writes it."""

from runtime.times import parse_rfc3339

_TO_THE_SECOND = len("2026-11-22T08:00:00")
_TO_THE_MINUTE = len("2026-11-22T08:00")
_WHOLE_MINUTE = ":00"
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
# Shorter spans are told with a decimal.
_FEW = 10


def moment(at: str) -> str:
    """Write a moment to the second."""
    return at[:_TO_THE_SECOND].replace("T", " ")


def short(at: str) -> str:
    """Write a moment without its seconds, where there are none."""
    whole = at[_TO_THE_MINUTE:_TO_THE_SECOND] == _WHOLE_MINUTE
    return moment(at)[:_TO_THE_MINUTE] if whole else moment(at)


def span(seconds: float) -> str:
    """Write how long something takes or waits, in the two largest units that matter."""
    whole = round(seconds)
    if round(seconds, 1) < _FEW:
        return f"{seconds:.1f} s"
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def ago(at: str, now: int) -> str:
    """Write how long ago a moment was, `now` being milliseconds since 1970. Clocks of several
    machines differ: what seems to lie ahead is now.
    """
    seconds = (now - parse_rfc3339(at)) // 1000
    for unit, name in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute")):
        if seconds >= unit:
            count = seconds // unit
            return f"{count} {name}{'' if count == 1 else 's'} ago"
    return "just now" if seconds < _FEW else f"{seconds} seconds ago"
