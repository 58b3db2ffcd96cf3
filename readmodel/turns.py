"""Few requests work at once, for more only fight over the interpreter; some others may wait."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from threading import Lock, Semaphore
from typing import Any

Environ = Mapping[str, Any]
WsgiApp = Callable[[Any, Any], Iterable[bytes]]


class Turns:
    """Lets `working` requests work at once, in the order in which they came, and beside them
    `waiting` ones wait for something, without a turn. A server needs a thread for each.
    """

    def __init__(self, working: int, waiting: int) -> None:
        self._free = working
        self._lock = Lock()
        self._queue: deque[Lock] = deque()
        self._places = Semaphore(waiting)

    def around(self, app: WsgiApp) -> WsgiApp:
        """Make an application of which each call takes a turn."""

        def turned(environ: Any, start_response: Any) -> Iterable[bytes]:
            self.take()
            try:
                return app(environ, start_response)
            finally:
                self.give()

        return turned

    @contextmanager
    def waiting(self) -> Generator[bool]:
        """Give the turn of this request away for the block; `False` where so many wait already that
        it has to go on at once.
        """
        if not self._places.acquire(blocking=False):
            yield False
            return
        self.give()
        try:
            yield True
        finally:
            self.take()
            self._places.release()

    def take(self) -> None:
        """Wait for a turn; whoever has one gives it back."""
        with self._lock:
            if self._free > 0:
                self._free -= 1
                return
            mine = Lock()
            mine.acquire()
            self._queue.append(mine)
        mine.acquire()

    def give(self) -> None:
        """Give a turn to who waits for one."""
        with self._lock:
            if self._queue:
                # Handed over, not set free: whoever comes now stands behind.
                self._queue.popleft().release()
            else:
                self._free += 1
