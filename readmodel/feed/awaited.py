"""Followers on a loop: hundreds cost no thread, and leave everybody else their share of it."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import count
from typing import Any, assert_never

import structlog
from sqlalchemy.exc import SQLAlchemyError

from readmodel.feed.portions import Portion, Portions
from readmodel.feed.stream import HEARTBEAT, Beyond, Follower, MayStay, Piece, Read, Rest
from readmodel.front.hands import Hands
from readmodel.pulse import Ledger, Pulse
from readmodel.views.changes import AheadOfLedger, Place, Wanted

# Seconds between two sendings to a follower, for each one there is: a few follow with no delay, and
# many share what they cost everybody else. For 500 it is a fifth of a second: of half as much, with
# twice the sendings, those who read items beside them took notice, twice as long as without.
_ROUND = 0.0004
# Each follower has its moment of the round, as far from the others' as may be: multiples of the
# golden ratio fill it evenly, however many there are.
_GOLDEN = (5**0.5 - 1) / 2
# Followers that are woken before others have the loop.
_AT_ONCE = 4
# Portions that are read at once, each by a hand.
_READING = 2

log = structlog.get_logger("readmodel")

_Key = tuple[Place, Wanted, Place | None]


class _Waiter:
    """A follower that waits for more than it has."""

    __slots__ = ("place", "turn")

    def __init__(self, place: Place, turn: asyncio.Future[Place | None]) -> None:
        self.place = place
        self.turn = turn

    def wake(self, place: Place | None) -> None:
        if not self.turn.done():
            self.turn.set_result(place)


class Round:
    """Feeds the followers of a process on its loop. `pulse` tells where the ledger is, as long as
    anybody follows. Who takes nothing is asked about every `heartbeat` seconds. To be used from one
    loop.
    """

    def __init__(
        self, portions: Portions, pulse: Pulse, hands: Hands, heartbeat: float = HEARTBEAT
    ) -> None:
        self._portions = portions
        self._pulse = pulse
        self._hands = hands
        self._heartbeat = heartbeat
        self._numbers = count()
        self._ledger: Ledger | None = None
        self._present = 0
        self._unwatch: Callable[[], None] = lambda: None
        # Those that are just sent something, with what cuts them off.
        self._sending: dict[Follower, Callable[[], object]] = {}
        self._asking: asyncio.Task[None] | None = None
        # Those who have what the ledger has, and those it is beyond, in the order of their moments.
        self._waiting: dict[_Waiter, None] = {}
        self._line: deque[_Waiter] = deque()
        self._waking: asyncio.Task[None] | None = None
        self._reading: dict[_Key, asyncio.Future[Portion]] = {}
        self._readers = asyncio.Semaphore(_READING)

    async def feed(
        self,
        follower: Follower,
        send: Callable[[bytes], Awaitable[None]],
        abort: Callable[[], object],
    ) -> None:
        """Send a follower what it follows, until it ends. `abort` ends a `send` that waits for the
        client, and with it the follower.
        """
        self._enter()
        try:
            await self._feed(follower, send, abort)
        finally:
            self._sending.pop(follower, None)
            self._leave()

    async def _feed(
        self,
        follower: Follower,
        send: Callable[[bytes], Awaitable[None]],
        abort: Callable[[], object],
    ) -> None:
        moment = next(self._numbers) * _GOLDEN % 1
        steps = follower.steps()
        step = next(steps, None)
        while step is not None:
            back: Any = None
            error: Exception | None = None
            match step:
                case Piece(data):
                    self._sending[follower] = abort
                    await send(data)
                    del self._sending[follower]
                case Beyond(place, until):
                    back = await self._beyond(place, moment, until)
                case MayStay():
                    back = await self._may_stay(follower)
                case Read(place, wanted, upto):
                    try:
                        back = await self._read(place, wanted, upto)
                    except (SQLAlchemyError, AheadOfLedger) as raised:
                        error = raised
                case Rest(seconds):
                    await asyncio.sleep(seconds)
                case _:
                    assert_never(step)
            try:
                step = steps.send(back) if error is None else steps.throw(error)
            except StopIteration:
                return

    async def _may_stay(self, follower: Follower) -> bool:
        stays = follower.may_stay_at_once()
        return await self._hands.do(follower.may_stay) if stays is None else stays

    async def _ask_the_stalled(self) -> None:
        """Cut off who may not stay and takes nothing: such a one does not come to be asked."""
        while True:
            await asyncio.sleep(self._heartbeat)
            for follower, abort in tuple(self._sending.items()):
                try:
                    stays = await self._may_stay(follower)
                except Exception:
                    # Nor would it stay if it was asked itself, and the others are still to be.
                    log.exception("whether a follower may stay is not to be told")
                    stays = False
                if not stays and follower in self._sending:
                    abort()

    def _enter(self) -> None:
        self._present += 1
        if self._present == 1:
            loop = asyncio.get_running_loop()
            # It is told by the thread that looks.
            self._unwatch = self._pulse.watch(
                lambda ledger: loop.call_soon_threadsafe(self._moved, ledger)
            )
            self._asking = loop.create_task(self._ask_the_stalled(), name="stalled")

    def _leave(self) -> None:
        self._present -= 1
        if not self._present:
            self._unwatch()
            if self._asking is not None:
                self._asking.cancel()
            # What was seen so long ago says nothing of what will be.
            self._ledger = None
            self._portions.forget()

    def _moved(self, ledger: Ledger | None) -> None:
        """Take in where the ledger is; `None` when nobody will look any more."""
        if not self._present:
            return  # It was told on its way here.
        is_first = self._ledger is None
        self._ledger = ledger
        if ledger is None:
            for waiter in (*self._waiting, *self._line):
                waiter.wake(None)
            return
        if self._portions.mark(ledger.place) or is_first:
            # Where it was set back, those who have seen more than there is are let go.
            for waiter in [each for each in self._waiting if self._portions.is_ahead(each.place)]:
                del self._waiting[waiter]
                waiter.wake(None)
        beyond = [each for each in self._waiting if ledger.is_beyond(each.place)]
        for waiter in beyond:
            del self._waiting[waiter]
        self._line.extend(beyond)
        self._wake()

    async def _beyond(self, place: Place, moment: float, until: float) -> Place | None:
        """Wait until there is more, and tell how far the ledger was then; `None` where it is time
        for a sign of life. `moment` is the follower's own of a round, from 0 to 1.
        """
        loop = asyncio.get_running_loop()
        now = time.monotonic()
        left = max(0.0, until - now)
        length = self._present * _ROUND
        rest = min((moment - now / length) % 1 * length, left)
        waiter = _Waiter(place, loop.create_future())
        begins = loop.call_later(rest, self._stand, waiter)
        ends = loop.call_later(left, waiter.wake, None)
        try:
            return await waiter.turn
        finally:
            begins.cancel()
            ends.cancel()
            self._waiting.pop(waiter, None)

    def _stand(self, waiter: _Waiter) -> None:
        """Let a follower have its moment: from now on it is woken when there is more."""
        if self._pulse.closed:
            waiter.wake(None)
        elif self._ledger is not None and self._ledger.is_beyond(waiter.place):
            self._line.append(waiter)
            self._wake()
        elif self._ledger is not None and self._portions.is_ahead(waiter.place):
            waiter.wake(None)
        else:
            self._waiting[waiter] = None

    def _wake(self) -> None:
        if self._line and (self._waking is None or self._waking.done()):
            self._waking = asyncio.create_task(self._wake_all(), name="round")

    async def _wake_all(self) -> None:
        while self._line:
            for _ in range(min(_AT_ONCE, len(self._line))):
                waiter, ledger = self._line.popleft(), self._ledger
                waiter.wake(None if ledger is None else ledger.place)
            # They work now, and then whoever has asked for something else meanwhile.
            await asyncio.sleep(0)

    async def _read(self, place: Place, wanted: Wanted, upto: Place | None) -> Portion:
        """Read what follows, by a hand where that was not read yet; for many who want the same."""
        ready = self._portions.ready(place, wanted, upto)
        if ready is not None:
            return ready
        key = (place, wanted, upto)
        reading = self._reading.get(key)
        if reading is None:
            reading = self._reading[key] = asyncio.ensure_future(self._by_hand(key))
            reading.add_done_callback(partial(self._was_read, key))
        # Who goes away meanwhile does not take it from the others.
        return await asyncio.shield(reading)

    async def _by_hand(self, key: _Key) -> Portion:
        async with self._readers:
            return await self._hands.do(partial(self._portions.after, *key))

    def _was_read(self, key: _Key, reading: asyncio.Future[Portion]) -> None:
        del self._reading[key]
        if not reading.cancelled():
            reading.exception()  # Seen, also where nobody waits for it any more.
