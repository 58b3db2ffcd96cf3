"""How the worker processes are, each as it says itself."""

from dataclasses import dataclass
from typing import Any, Literal

import orjson
from redis import Redis

from eventlog import keys

# Seconds: how often one reports, and after how long one that did not is taken for gone.
REPORT_EVERY = 5.0
GONE_AFTER = 15.0
# Seconds: a name is kept no longer, so that the dead do not pile up.
_FORGOTTEN_AFTER = 3600.0

State = Literal["working", "paused"]


@dataclass(frozen=True, slots=True)
class Report:
    """`why` says what a paused worker waits for; times are milliseconds since 1970. Of its process:
    the seconds of processors that it has used, and the bytes of memory that it has, `None` where
    that is not told.
    """

    name: str
    state: State
    why: str | None
    since: int
    seen: int
    cpu_seconds: float | None = None
    memory: int | None = None


def tell(redis: "Redis", report: Report) -> None:
    document = {
        "state": report.state,
        "why": report.why,
        "since": report.since,
        "seen": report.seen,
        "cpu": report.cpu_seconds,
        "memory": report.memory,
    }
    redis.hset(keys.WORKERS, report.name, orjson.dumps(document))


def sign_off(redis: "Redis", name: str, now: int) -> None:
    """Take a worker out that ends, and those that never could."""
    found: Any = redis.hgetall(keys.WORKERS)
    gone = [each for each in read(found) if not is_remembered(each, now)]
    redis.hdel(keys.WORKERS, name, *(each.name for each in gone))


def is_remembered(report: Report, now: int) -> bool:
    """Say whether a worker reported so lately that its silence still says something."""
    return now - report.seen <= _FORGOTTEN_AFTER * 1000


def read(found: dict[bytes, bytes]) -> list[Report]:
    """Read the hash of all workers as Redis answers it; what is no report is left out."""
    reports = [_read(name, text) for name, text in sorted(found.items())]
    return [each for each in reports if each is not None]


def _read(name: bytes, text: bytes) -> Report | None:
    try:
        document = orjson.loads(text)
        return Report(
            name.decode(errors="replace"),
            document["state"],
            document["why"],
            int(document["since"]),
            int(document["seen"]),
            document.get("cpu"),
            document.get("memory"),
        )
    except (ValueError, KeyError, TypeError):
        # Of another release, or of somebody else.
        return None
