"""The feed as Server-Sent Events: what one follower gets, for as long as it stays.

What is to be done for a follower is written once, as steps without I/O. A WSGI server does them in
the thread that it has for the request; `readmodel.feed.awaited` does them on a loop, for hundreds.
"""

import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, assert_never

import structlog
from sqlalchemy.exc import SQLAlchemyError

from readmodel.feed.portions import Portion, Portions
from readmodel.pulse import Ledger, Pulse
from readmodel.views.changes import AheadOfLedger, Place, Wanted

# Seconds without an event after which a sign of life is sent; proxies close what is silent for 30.
HEARTBEAT = 15.0
# Milliseconds after which a client that was cut off comes again.
_BEGIN = b"retry: 1000\n\n"
# Seconds until the next try where the database is away.
_AWAY = 1.0

log = structlog.get_logger("readmodel")


@dataclass(frozen=True, slots=True)
class Piece:
    """Send this; what is sent next may wait until the client has taken it."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Beyond:
    """Wait until the ledger is beyond a place, until a moment of `time.monotonic` at most; comes
    back with how far it was seen to be, or `None`.
    """

    place: Place
    until: float


@dataclass(frozen=True, slots=True)
class MayStay:
    """Ask whether the follower still may; comes back with a bool."""


@dataclass(frozen=True, slots=True)
class Read:
    """Read what follows a place; comes back with a Portion, or raises what the database raises,
    and AheadOfLedger.
    """

    place: Place
    wanted: Wanted
    upto: Place | None


@dataclass(frozen=True, slots=True)
class Rest:
    """Wait so many seconds."""

    seconds: float


Step: TypeAlias = Piece | Beyond | MayStay | Read | Rest
Steps: TypeAlias = Generator[Step, Any, None]


@dataclass(frozen=True, slots=True)
class _Ended:
    """The follower is let go."""


class Follower:
    """Somebody who follows, as the body of an answer: an iterable that waits, for a WSGI server.

    Begins with a portion that is read already. `may_stay` may take seconds; `may_stay_at_once`
    tells the same without waiting for anybody, or `None`. `leave` gives the place back.
    """

    def __init__(
        self,
        streams: "Streams",
        first: Portion,
        wanted: Wanted,
        may_stay: Callable[[], bool],
        may_stay_at_once: Callable[[], bool | None],
        leave: Callable[[], None],
    ) -> None:
        self.first = first
        self.wanted = wanted
        self.may_stay = may_stay
        self.may_stay_at_once = may_stay_at_once
        self._streams = streams
        self._leave = leave

    def __iter__(self) -> Iterator[bytes]:
        return self._streams.follow(self.first, self.wanted, self.may_stay)

    def steps(self) -> Steps:
        return self._streams.steps(self.first, self.wanted)

    def close(self) -> None:
        self._leave()


class Streams:
    """Feeds all followers of a process. What many of them get is read and written once.

    A client that reads slowly holds up nobody: no more than one portion is kept for it, and it goes
    on from its place in the ledger when it reads again.
    """

    def __init__(
        self, portions: Portions, pulse: Pulse, most: int, heartbeat: float = HEARTBEAT
    ) -> None:
        """At `most` so many followers at once; `heartbeat` is in seconds."""
        self.portions = portions
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
        """Send what follows, beginning with a portion that is read already, and wait in between.
        Ends where the follower may not stay, or the process ends.
        """
        steps = self.steps(first, wanted)
        step = next(steps, None)
        while step is not None:
            back: Any = None
            error: Exception | None = None
            match step:
                case Piece(data):
                    yield data
                case Beyond(place, until):
                    back = self._wait(place, until)
                case MayStay():
                    back = may_stay()
                case Read(place, wanted, upto):
                    try:
                        back = self.portions.after(place, wanted, upto)
                    except (SQLAlchemyError, AheadOfLedger) as raised:
                        error = raised
                case Rest(seconds):
                    self._away.wait(seconds)
                case _:
                    assert_never(step)
            try:
                step = steps.send(back) if error is None else steps.throw(error)
            except StopIteration:
                return

    def steps(self, first: Portion, wanted: Wanted) -> Steps:
        """Tell what is to be done for a follower, one after the other."""
        yield Piece(_BEGIN)
        portion, said = first, time.monotonic()
        while True:
            if portion.frames or time.monotonic() - said >= self._heartbeat:
                # An id without data moves a client's place, and it gets to see nothing.
                yield Piece(portion.frames or portion.heartbeat)
                said = time.monotonic()
            following = yield from self._following(portion, wanted, said + self._heartbeat)
            while following is None:
                # Most clients would not come again after an error.
                yield Piece(b":\n\n")
                yield Rest(_AWAY)
                following = yield from self._following(portion, wanted, 0.0)
            if isinstance(following, _Ended):
                return
            portion = following

    def _following(
        self, portion: Portion, wanted: Wanted, until: float
    ) -> Generator[Step, Any, Portion | _Ended | None]:
        """Wait for what follows a portion and read it; nothing more than a portion without frames
        where it is time for a sign of life, and `None` while the database is away.
        """
        upto: Place | None = None
        if not portion.behind:
            upto = yield Beyond(portion.end, until)
        if self._pulse.closed or not (yield MayStay()):
            return _Ended()
        if upto is None and not portion.behind:
            # Of a ledger that was set back nothing may follow: whoever comes again is told.
            ahead = self.portions.is_ahead(portion.end)
            return _Ended() if ahead else replace(portion, frames=b"")
        try:
            following: Portion = yield Read(portion.end, wanted, upto)
        except AheadOfLedger:
            return _Ended()
        except SQLAlchemyError as error:
            log.warning("followers wait for the database", error=str(error))
            return None
        return following

    def _wait(self, place: Place, until: float) -> Place | None:
        seen: list[Place] = []

        def is_beyond(ledger: Ledger) -> bool:
            self.portions.mark(ledger.place)
            if not ledger.is_beyond(place):
                return False
            seen.append(ledger.place)
            return True

        left = max(0.0, until - time.monotonic())
        return seen[0] if self._pulse.wait_for(is_beyond, left) else None
