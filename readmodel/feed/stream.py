"""The feed as Server-Sent Events: what one follower gets, for as long as it stays."""

import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from itertools import count

import structlog
from sqlalchemy.exc import SQLAlchemyError

from readmodel.feed.portions import Portion, Portions
from readmodel.pulse import Ledger, Pulse, Relay
from readmodel.views.changes import Place, Wanted

# Seconds without an event after which a sign of life is sent; proxies close what is silent for 30.
HEARTBEAT = 15.0
# Milliseconds after which a client that was cut off comes again.
_BEGIN = b"retry: 1000\n\n"
# Seconds until the next try where the database is away.
_AWAY = 1.0
# Seconds between two sendings to a follower, for each one there is: a few follow with no delay, and
# many share what they cost everybody else.
_ROUND = 0.0006
# Each follower has its moment of the round, as far from the others' as may be: multiples of the
# golden ratio fill it evenly, however many there are.
_GOLDEN = (5**0.5 - 1) / 2
# Followers that work at once, of those who are woken by the same look at the ledger.
_AT_ONCE = 1

log = structlog.get_logger("readmodel")


@dataclass(frozen=True, slots=True)
class _Ended:
    """The follower is let go."""


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
        self._relay = Relay(_AT_ONCE)
        self._numbers = count()
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
        moment = next(self._numbers) * _GOLDEN % 1
        yield _BEGIN
        portion, said = first, time.monotonic()
        while True:
            if portion.frames or time.monotonic() - said >= self._heartbeat:
                # An id without data moves a client's place, and it gets to see nothing.
                yield portion.frames or portion.heartbeat
                said = time.monotonic()
            following = self._following(portion, wanted, (moment, said + self._heartbeat), may_stay)
            while following is None:
                # Most clients would not come again after an error.
                yield b":\n\n"
                self._away.wait(_AWAY)
                following = self._following(portion, wanted, (moment, 0.0), may_stay)
            if isinstance(following, _Ended):
                return
            portion = following

    def _following(
        self,
        portion: Portion,
        wanted: Wanted,
        times: tuple[float, float],
        may_stay: Callable[[], bool],
    ) -> Portion | _Ended | None:
        """Wait for what follows a portion and read it; nothing more than a portion without frames
        where it is time for a sign of life, and `None` while the database is away.

        `times` are the follower's moment of a round, from 0 to 1, and when it is time for a sign of
        life.
        """
        upto = None if portion.behind else self._wait(portion.end, *times)
        try:
            if self._pulse.closed or not may_stay():
                return _Ended()
            if upto is None and not portion.behind:
                return replace(portion, frames=b"")
            return self._portions.after(portion.end, wanted, upto)
        except SQLAlchemyError as error:
            log.warning("followers wait for the database", error=str(error))
            return None
        finally:
            # Not while it sends: a client that reads slowly would keep the turn.
            if upto is not None:
                self._relay.done()

    def _wait(self, place: Place, moment: float, until: float) -> Place | None:
        """Wait until there is more, and tell how far the ledger was then; `None` where it is time
        for a sign of life. Who gets a place has a turn.
        """
        seen: list[Place] = []

        def is_beyond(ledger: Ledger) -> bool:
            if not ledger.is_beyond(place):
                return False
            self._portions.mark(ledger.place)
            seen.append(ledger.place)
            return True

        now = time.monotonic()
        left = max(0.0, until - now)
        length = self._count * _ROUND
        rest = min((moment - now / length) % 1 * length, left) if length else 0.0
        return seen[0] if self._pulse.wait_for(is_beyond, left, rest, self._relay) else None
