"""How a build goes about it, beside the writing."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

# Events per transaction: at first, at least, and at most.
_FIRST, _LEAST, _MOST = 500, 100, 20_000


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds that a transaction of a build may last, since others wait for it, and that it may
    `beside` other work, of which `busy` tells, if that is not the same; for how long it rests after
    each then, in parts of what that lasted; and at most how many events a second.
    """

    transaction: float = 0.03
    beside: float | None = None
    rest: float = 0.0
    throttle: int | None = None
    busy: Callable[[], bool] = lambda: True

    @property
    def longest(self) -> float:
        """Seconds that the next transaction may last."""
        return self.transaction if self.beside is None or not self.busy() else self.beside


class Stride:
    """Finds out how many events fit in a transaction, and rests after each; `going` ends a rest."""

    def __init__(self, pace: Pace, going: Callable[[], bool]) -> None:
        self._pace = pace
        self._going = going
        self._count = _FIRST
        self._rests = threading.Event()

    @property
    def count(self) -> int:
        """How many events are to be read next."""
        return min(self._count, self._pace.throttle or self._count)

    def note(self, count: int, lasted: float) -> None:
        """Hear how many seconds a transaction took for so many events."""
        fitting = int(count * self._pace.longest / max(lasted, 0.001))
        self._count = max(_LEAST, min(_MOST, 2 * self._count, max(fitting, self._count // 2)))

    def rest(self, count: int, lasted: float) -> None:
        """Leave the others their share, and keep to the throttle, after so many events in so many
        seconds.
        """
        rest = lasted * self._pace.rest if self._pace.busy() else 0.0
        if self._pace.throttle is not None:
            rest = max(rest, count / self._pace.throttle - lasted)
        until = time.monotonic() + rest
        while (left := until - time.monotonic()) > 0 and self._going():
            self._rests.wait(min(left, 0.2))
