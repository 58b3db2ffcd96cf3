"""Few requests work at once, for more only fight over the interpreter; some others may wait."""

import asyncio
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from threading import Lock, Semaphore
from typing import Any

Environ = Mapping[str, Any]
WsgiApp = Callable[[Any, Any], Iterable[bytes]]

# Under this name a request says in its WSGI environment that whoever sends it has taken its turn.
HAS_TURN = "itemledger.has-turn"


class Turns:
    """Lets `working` requests work at once, in the order in which they came, and beside them
    `waiting` ones wait for something, without a turn. A server needs a thread for each. Those that
    poll take no places from the others where they have so many of their own (`polling`).
    """

    def __init__(self, working: int, waiting: int, polling: int | None = None) -> None:
        self._free = working
        self._lock = Lock()
        # Each tells somebody that it is his turn.
        self._queue: deque[Callable[[], object]] = deque()
        self._places = Semaphore(waiting)
        self._polls = self._places if polling is None else Semaphore(polling)

    def around(self, app: WsgiApp) -> WsgiApp:
        """Make an application of which each call takes a turn, if it does not have one."""

        def turned(environ: Any, start_response: Any) -> Iterable[bytes]:
            with self.one(environ):
                return app(environ, start_response)

        return turned

    @contextmanager
    def one(self, environ: Environ) -> Generator[None]:
        """Take a turn for the block, unless the request has one."""
        if HAS_TURN in environ:
            yield
            return
        self.take()
        try:
            yield
        finally:
            self.give()

    @contextmanager
    def waiting(self, *, polls: bool = False) -> Generator[bool]:
        """Give the turn of this request away for the block; `False` where so many wait already that
        it has to go on at once. `polls` is whether it waits for whatever comes, and not for what is
        on its way.
        """
        places = self._polls if polls else self._places
        if not places.acquire(blocking=False):
            yield False
            return
        self.give()
        try:
            yield True
        finally:
            self.take()
            places.release()

    def take(self) -> None:
        """Wait for a turn; whoever has one gives it back."""
        mine = Lock()
        mine.acquire()
        if not self._stand(mine.release):
            mine.acquire()

    async def taken(self) -> None:
        """Wait for a turn without a thread; whoever has one gives it back."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()

        def hand() -> None:
            if turn.done():
                self.give()
            else:
                turn.set_result(None)

        if self._stand(lambda: loop.call_soon_threadsafe(hand)):
            return
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.give()
            raise

    def give(self) -> None:
        """Give a turn to who waits for one."""
        with self._lock:
            if self._queue:
                # Handed over, not set free: whoever comes now stands behind.
                self._queue.popleft()()
            else:
                self._free += 1

    def _stand(self, tell: Callable[[], object]) -> bool:
        """Take a free turn, or stand in line to be told of one."""
        with self._lock:
            if self._free > 0:
                self._free -= 1
                return True
            self._queue.append(tell)
            return False
