"""Every second: find what waits, ring for it, and drain it here when ringing does not help.

RQ is the fast path, not a condition. The sweeper never looks at the bells or at `rung`: they may
have been raised by somebody who died before the doorbell was pressed.
"""

import random
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog
from redis.exceptions import RedisError
from sqlalchemy import Engine

from eventlog.lookout import Lookout, Sight
from eventlog.ring import DRAIN, Ring
from ledger import partitions
from ledger.partitions import Checkpoint
from runtime.failpoints import Reach, nowhere
from runtime.positions import Position
from worker.apply import Held
from worker.drain import Drain
from worker.losses import Losses
from worker.pause import Pause

_TICK = 1.0
# Seconds a partition may wait without anything being done before it is drained here.
_PATIENCE = 2.0
_JOBS_PER_WORKER = 2
# Seconds that one sweep drains at most: others want to be looked at, and told how this worker is.
_DRAIN_HERE = 5.0

log = structlog.get_logger()


def _tell_nobody(_: Iterable[Checkpoint]) -> None:
    """Leave it at looking."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Since when (monotonic seconds) a partition waits with this much done."""

    done: tuple[Position, Position | None]
    since: float


class Sweeper:
    """`monotonic` returns seconds, `workers` the number of workers that listen to the queue; `also`
    is called with every sweep, and `beat` with where the ledger is then.
    """

    def __init__(
        self,
        engine: Engine,
        drain: Drain,
        lookout: Lookout,
        ring: Ring,
        losses: Losses,
        workers: Callable[[], int],
        monotonic: Callable[[], float],
        stopping: threading.Event,
        pause: Pause,
        also: Callable[[], None],
        reach: Reach = nowhere,
        beat: Callable[[Iterable[Checkpoint]], None] = _tell_nobody,
    ) -> None:
        self._engine = engine
        self._drain = drain
        self._lookout = lookout
        self._all = range(lookout.partitions)
        self._ring = ring
        self._losses = losses
        self._workers = workers
        self._monotonic = monotonic
        self._stopping = stopping
        self._pause = pause
        self._also = also
        self._reach = reach
        self._beat = beat
        self._seen: dict[int, _Waiting] = {}

    def run(self) -> None:
        """Sweep until the process is to stop; while the stores are away, as often as it pays."""
        # At once: whoever was here before may have died with something in hand.
        wait = 0.0
        while not self._stopping.wait(wait):
            try:
                self.sweep()
            except Exception as error:  # noqa: BLE001  it is said, and the next sweep may go well
                self._drain.failed(error, None)
            try:
                self._also()
            except (RedisError, OSError) as error:
                log.debug("no report can be given", error=str(error))
            except Exception:
                # A defect: sweeping goes on all the same.
                log.exception("no report can be given")
            wait = self._pause.left or _TICK

    def sweep(self) -> None:
        """Look once at every partition. Raises what the stores raise."""
        paused = self._pause.state[0] is not None
        # In this order: what the ledger has is never ahead of a log that is whole.
        ledger = partitions.read(self._engine, self._all)
        self._beat(ledger.values())
        sights = self._lookout.look()
        if self._losses.notice(sights, ledger):
            sights = self._lookout.look()
        self._drain.spare(
            self._lookout.scarce,
            [min(each.done, ledger[each.partition].position) for each in sights if each.done],
        )
        waiting = {
            each.partition: (ledger[each.partition].position, each.done)
            for each in sights
            if _waits(each, ledger[each.partition].position)
        }
        now = self._monotonic()
        self._seen = {
            partition: before
            if (before := self._seen.get(partition)) is not None and before.done == done
            else _Waiting(done, now)
            for partition, done in waiting.items()
        }
        overdue = [
            partition
            for partition, each in self._seen.items()
            if paused or now - each.since >= _PATIENCE
        ]
        if waiting and not self._press_the_bell(list(waiting)):
            overdue = list(waiting)
        well = self._drain_here(overdue)
        if well:
            self._drain.worked()

    def _drain_here(self, overdue: Sequence[int]) -> bool:
        """Drain one slice each: a partition that never ends, or fails, must not hold up others.

        Says whether none failed.
        """
        well = True
        over = self._monotonic() + _DRAIN_HERE
        # In any order, as not all may have their turn.
        for partition in random.sample(overdue, len(overdue)):
            if self._monotonic() > over:
                break
            try:
                self._drain.partition(partition)
            except Held:
                continue
            except Exception as error:  # noqa: BLE001  it is said, and the others go on
                self._drain.failed(error, partition)
                well = False
        return well

    def _press_the_bell(self, waiting: list[int]) -> bool:
        """Ring for what waits and say whether that went through."""
        self._reach("sweeper.before_ring")
        try:
            self._ring.put_back(waiting)
            if self._ring.jobs_waiting() < _JOBS_PER_WORKER * max(1, self._workers()):
                self._ring.enqueue(DRAIN)
        except RedisError as error:
            # A full Redis, or a doorbell Redis that is away: the log itself may well be readable.
            self._ring.failed(error)
            return False
        return True


def _waits(sight: Sight, checkpoint: Position) -> bool:
    """Say whether something is to be read, or to be told, of a partition."""
    if sight.last is None:
        return False
    if sight.last > checkpoint:
        return True
    done = sight.done or Position(sight.partition, 0, 0)
    return done < min(sight.last, checkpoint)
