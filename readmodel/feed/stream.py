"""The feed as Server-Sent Events: what one follower gets, for as long as it stays."""

import threading
import time
from collections.abc import Callable, Generator
from dataclasses import replace

import structlog
from sqlalchemy.exc import SQLAlchemyError

from readmodel.feed.portions import Portion, Portions
from readmodel.pulse import Ledger, Pulse
from readmodel.views.changes import Place, Wanted

# Seconds without an event after which a sign of life is sent; proxies close what is silent for 30.
HEARTBEAT = 15.0
# Milliseconds after which a client that was cut off comes again.
_BEGIN = b"retry: 1000\n\n"
# Seconds until the next try where the database is away.
_AWAY = 1.0
# Seconds that a follower rests between two sendings, for each other one there is: a few follow with
# no delay, and many share what they cost everybody else.
_REST = 0.0005

log = structlog.get_logger("readmodel")


class Streams:
    """Feeds all followers of a process. Each has a thread that waits; what many of them get is read
    and written once.

    A client that reads slowly holds up its own thread and nothing else: no more than one portion is
    kept for it, and it goes on from its place in the ledger when it reads again.
    """

    def __init__(
        self, portions: Portions, pulse: Pulse, most: int, heartbeat: float = HEARTBEAT
    ) -> None:
        """At `most` so many followers at once; `heartbeat` is in seconds."""
        self._portions = portions
        self._pulse = pulse
        self._most = most
        self._heartbeat = heartbeat
        self._count = 0
        self._lock = threading.Lock()
        self._away = threading.Event()

    @property
    def count(self) -> int:
        """How many follow at the moment."""
        return self._count

    def enter(self) -> Callable[[], None] | None:
        """Take a place; return what gives it back, once, or `None` where there is none left."""
        with self._lock:
            if self._count >= self._most:
                return None
            self._count += 1
        left = threading.Lock()

        def leave() -> None:
            if left.acquire(blocking=False):
                with self._lock:
                    self._count -= 1

        return leave

    def follow(
        self, first: Portion, wanted: Wanted, may_stay: Callable[[], bool]
    ) -> Generator[bytes]:
        """Send what follows, beginning with a portion that is read already. Ends where the follower
        may not stay, or the process ends.
        """
        yield _BEGIN
        portion, said = first, time.monotonic()
        while True:
            if portion.frames or time.monotonic() - said >= self._heartbeat:
                # An id without data moves a client's place, and it gets to see nothing.
                yield portion.frames or portion.heartbeat
                said = time.monotonic()
            rests = not portion.behind
            upto = self._wait(portion.end, said + self._heartbeat) if rests else None
            if self._pulse.closed or not may_stay():
                return
            if rests and upto is None:
                portion = replace(portion, frames=b"")
            else:
                portion = yield from self._next(portion.end, wanted, upto)

    def _wait(self, place: Place, until: float) -> Place | None:
        """Wait until there is more, and tell how far the ledger was then; `None` where it is time
        for a sign of life.
        """
        seen: list[Place] = []

        def is_beyond(ledger: Ledger) -> bool:
            if not ledger.is_beyond(place):
                return False
            seen.append(tuple(ledger.offsets[each] for each in sorted(ledger.offsets)))
            return True

        left = max(0.0, until - time.monotonic())
        rest = min(self._count * _REST, left)
        return seen[0] if self._pulse.wait_for(is_beyond, left, rest) else None

    def _next(
        self, place: Place, wanted: Wanted, upto: Place | None
    ) -> Generator[bytes, None, Portion]:
        """Read what follows; while the database is away, stay: most clients would not come again
        after an error.
        """
        while True:
            try:
                return self._portions.after(place, wanted, upto)
            except SQLAlchemyError as error:
                log.warning("followers wait for the database", error=str(error))
            if self._pulse.closed:
                return Portion(b"", place, behind=False, heartbeat=b"")
            yield b":\n\n"
            self._away.wait(_AWAY)
