"""What a process counts of itself while it works, to be read when somebody asks.

Counting stands in the way of every request, so it is plain numbers here: an eighth of what the
counters of prometheus-client cost. `runtime.metrics` writes them out.
"""

import resource
import sys
import threading
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Seconds until an answer: from a read of one row to the longest that one may wait for.
SECONDS = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0),
)
# Requests that led to no route are counted together: what clients write is no label.
NO_ROUTE = "other"
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


@dataclass(frozen=True, slots=True)
class Usage:
    """What this process has used so far: seconds of processors, and the bytes of memory that it has
    now, `None` where the system does not tell.
    """

    cpu_seconds: float
    memory: int | None


def usage() -> Usage:
    used = resource.getrusage(resource.RUSAGE_SELF)
    memory = None
    if sys.platform == "linux":
        with open("/proc/self/statm", "rb") as pages:  # noqa: PTH123  a tenth of what a Path takes
            memory = int(pages.read().split()[1]) * resource.getpagesize()
    return Usage(round(used.ru_utime + used.ru_stime, 3), memory)


@dataclass(frozen=True, slots=True)
class Spread:
    """How often a value was at most each of `bounds`, and beyond the last; `total` is their sum.
    `counts` has one more than there are bounds, and none is counted twice.
    """

    bounds: Sequence[float]
    counts: Sequence[int]
    total: float


class Histogram:
    """Takes in one value after the other; for one thread."""

    __slots__ = ("_bounds", "_counts", "_total")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        self._counts[bisect_left(self._bounds, value)] += times
        self._total += value * times

    def add(self, other: Spread) -> None:
        """Take in what another one has of the same bounds."""
        self._counts = [mine + more for mine, more in zip(self._counts, other.counts, strict=True)]
        self._total += other.total

    def seen(self) -> Spread:
        return Spread(self._bounds, tuple(self._counts), self._total)


@dataclass(frozen=True, slots=True)
class Answered:
    """By method, route and status how many requests were answered; by method and route after how
    many seconds.
    """

    counts: Mapping[tuple[str, str, str], int]
    seconds: Mapping[tuple[str, str], Spread]


class Requests:
    """The requests of this process, whichever of its threads answers them. A route is a template,
    such as `/items/{item_id}`, so that there are only so many.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: dict[tuple[str, str, str], Histogram] = {}

    def count(self, method: str, route: str, status: str, seconds: float, times: int = 1) -> None:
        """Count a request, or several that took equally long."""
        with self._lock:
            taken = self._taken.get((method, route, status))
            if taken is None:
                known = method if method in _METHODS else NO_ROUTE
                taken = self._taken.setdefault((known, route, status), Histogram())
            taken.observe(seconds, times)

    def seen(self) -> Answered:
        with self._lock:
            taken = {answered: each.seen() for answered, each in self._taken.items()}
        by_route: dict[tuple[str, str], Histogram] = {}
        for (method, route, _), spread in taken.items():
            by_route.setdefault((method, route), Histogram()).add(spread)
        return Answered(
            {answered: sum(each.counts) for answered, each in taken.items()},
            {asked: each.seen() for asked, each in by_route.items()},
        )
