"""Every second: find what waits, ring for it, and drain it here when ringing does not help.

RQ is the fast path, not a condition. The sweeper never looks at the bells or at `rung`: they may
have been raised by somebody who died before the doorbell was pressed.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from eventlog.reader import LogReader
from eventlog.ring import DRAIN, Ring
from worker.apply import Held
from worker.drain import Drain, say_why

_TICK = 1.0
# Seconds a partition may wait without anything being done before it is drained here.
_PATIENCE = 2.0
_JOBS_PER_WORKER = 2

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Since when (monotonic seconds) a partition waits with this `done` mark."""

    done: bytes
    since: float


class Sweeper:
    """`monotonic` returns seconds, `workers` the number of workers that listen to the queue."""

    def __init__(
        self,
        drain: Drain,
        reader: LogReader,
        ring: Ring,
        workers: Callable[[], int],
        monotonic: Callable[[], float],
        stopping: threading.Event,
    ) -> None:
        self._drain = drain
        self._reader = reader
        self._ring = ring
        self._workers = workers
        self._monotonic = monotonic
        self._stopping = stopping
        self._seen: dict[int, _Waiting] = {}
        self._first = True
        self._troubled = False

    def run(self) -> None:
        """Sweep until the process is to stop."""
        while not self._stopping.wait(_TICK):
            try:
                self.sweep()
                if self._troubled:
                    log.info("sweeping goes on")
                self._troubled = False
            except (RedisError, SQLAlchemyError, OSError) as error:
                if not self._troubled:
                    log.warning(
                        "sweeping waits for its stores", error=str(error).partition("\n")[0]
                    )
                self._troubled = True
            except Exception:
                log.exception("sweep failed")

    def sweep(self) -> None:
        """Look once at every partition. Raises what the stores raise."""
        waiting = self._reader.waiting()
        if self._first:
            # The mark tells how far Redis was told, not how far this database is: one that was set
            # back is behind its mark. Every partition is looked at once.
            waiting = dict.fromkeys(range(self._reader.partitions), b"") | waiting
            self._first = False
        now = self._monotonic()
        self._seen = {
            partition: before
            if (before := self._seen.get(partition)) is not None and before.done == done
            else _Waiting(done, now)
            for partition, done in waiting.items()
        }
        overdue = [
            partition for partition, each in self._seen.items() if now - each.since >= _PATIENCE
        ]
        if waiting and not self._press_the_bell(list(waiting)):
            overdue = list(waiting)
        for partition in overdue:
            # One slice each: a partition that never ends, or fails, must not hold up the others.
            try:
                self._drain.partition(partition)
            except Held:
                continue
            except Exception as error:  # noqa: BLE001  it is said, and the others go on
                say_why(error, partition)

    def _press_the_bell(self, waiting: list[int]) -> bool:
        """Ring for what waits and say whether that went through."""
        try:
            self._ring.put_back(waiting)
            if self._ring.jobs_waiting() < _JOBS_PER_WORKER * max(1, self._workers()):
                self._ring.enqueue(DRAIN)
        except RedisError as error:
            # A full Redis, or a doorbell Redis that is away: the log itself may well be readable.
            log.warning("the doorbell does not ring", error=str(error))
            return False
        return True
