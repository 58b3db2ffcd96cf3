"""Waiting for the stores: longer with every failure, and over with the first success."""

import threading
from collections.abc import Callable

_FIRST = 0.05
_LONGEST = 1.0


class Pause:
    """Shared by the threads of a worker. `monotonic` returns seconds, `clock` milliseconds."""

    def __init__(self, monotonic: Callable[[], float], clock: Callable[[], int]) -> None:
        self._monotonic = monotonic
        self._clock = clock
        self._lock = threading.Lock()
        self._delay = 0.0
        self._until = 0.0
        self._why: str | None = None
        self._since = clock()

    def begin(self, why: str) -> bool:
        """Wait a while, twice as long as the last time; say whether this is the first time."""
        with self._lock:
            first = self._why is None
            if first:
                self._since = self._clock()
            self._why = why
            self._delay = min(_LONGEST, self._delay * 2 or _FIRST)
            self._until = self._monotonic() + self._delay
            return first

    def end(self) -> bool:
        """Take note of a success; say whether that ends a pause."""
        with self._lock:
            if self._why is None:
                return False
            self._why = None
            self._delay = self._until = 0.0
            self._since = self._clock()
            return True

    @property
    def left(self) -> float:
        """Seconds until the next try."""
        return max(0.0, self._until - self._monotonic())

    @property
    def state(self) -> tuple[str | None, int]:
        """Tell what is waited for, or `None`, and since when."""
        with self._lock:
            return self._why, self._since
