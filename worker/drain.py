"""Empty the partitions that are ready: read after the checkpoint, apply, tell, trim."""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack

import structlog
from sqlalchemy import Engine

from eventlog.appender import Appender
from eventlog.reader import LogReader
from eventlog.ring import Ring
from runtime.errors import first_line
from runtime.failpoints import Reach, nowhere
from runtime.positions import Position
from worker.apply import Applied, Decoded, Held, Project
from worker.batches import Batches
from worker.further import Further
from worker.intake import Intake
from worker.pause import Pause
from worker.session import Session
from worker.tally import Tally
from worker.told import Told, nobody
from worker.trouble import is_outage

# Partitions that share a transaction: what one costs is then paid once for all of them. Where there
# are more, nobody knows which of them to wait for.
_AT_ONCE = 32
# Seconds: how long some partitions are drained while others wait, and how long one job lasts.
_SLICE = 1.0
_JOB = 10.0
# Seconds after a batch for which more are to be expected.
_LATELY = 0.5

log = structlog.get_logger()


class Drain:
    """Shared by a worker's RQ thread and its sweeper; one of them at a time has a partition.

    `clock` returns milliseconds since 1970, `stopping` is set when the process is to end; `tally`
    counts what is applied, and `told` is told of it.
    """

    def __init__(
        self,
        engine: Engine,
        reader: LogReader,
        ring: Ring,
        projections: Mapping[str, Project],
        clock: Callable[[], int],
        stopping: threading.Event,
        pause: Pause | None = None,
        reach: Reach = nowhere,
        tally: Tally | None = None,
        told: Told = nobody,
    ) -> None:
        self._reader = reader
        self._told = told
        self._ring = ring
        self._stopping = stopping
        self._pause = pause or Pause(time.monotonic, clock)
        self._reach = reach
        self._batches = Batches(engine, reader, projections, clock, stopping, reach)
        further = Further(engine, reader.redis, Appender(reader.redis, ring), reader.partitions)
        self._intake = Intake(engine, reader, further, clock, tally or Tally(), reach)
        self._watched = range(reader.partitions) if reader.partitions <= _AT_ONCE else ()
        self._locks = [threading.Lock() for _ in range(reader.partitions)]
        self._batches_begun: dict[int, float] = {}
        self._applied_at = -_LATELY

    @property
    def is_busy(self) -> bool:
        """Whether commands are being applied, or were a moment ago."""
        return bool(self._batches_begun) or time.monotonic() - self._applied_at < _LATELY

    def longest_batch(self) -> float:
        """Tell for how many seconds the oldest batch in hand is being worked at."""
        now = time.monotonic()
        return max((now - begun for begun in list(self._batches_begun.values())), default=0.0)

    def answer(self) -> None:
        """Answer the doorbell: drain partitions until none is ready or the job's time is over.

        Does not raise: what fails is put back, and the sweeper comes round.
        """
        try:
            self._answer()
        except Exception as error:  # noqa: BLE001  it is said, and the sweeper comes round
            self.failed(error, None)

    def _answer(self) -> None:
        self._ring.answered()
        over = time.monotonic() + _JOB
        # Set aside, so that they do not come up again before the others.
        aside: set[int] = set()
        try:
            while not self._pause.left and (ready := self._ring.next_ready(_AT_ONCE)):
                aside |= set(ready)
                self._reach("worker.after_pop")
                aside = aside - set(ready) | self._tried(ready)
                if self._stopping.is_set():
                    return
                if time.monotonic() > over:
                    if self._ring.any_ready():
                        self._ring.press()
                    return
            if aside and not self._pause.left:
                aside = self._tried(list(aside))
        finally:
            # Whoever has them reads until they are empty, or the sweeper does.
            if aside:
                self._ring.put_back(aside)

    def _tried(self, ready: Collection[int], *, linger: bool = True) -> set[int]:
        """Drain partitions, and say with which that could not be done; what is left is ready again.

        It could not be done where somebody else has one, or where it fails: that is no reason to
        leave the others.
        """
        taken = set(ready)
        try:
            held, left = self._drain(ready, taken, linger=linger)
        except Exception as error:  # noqa: BLE001  it is said, and the others go on
            if len(taken) == 1 or is_outage(error):
                self.failed(error, next(iter(taken)) if len(taken) == 1 else None)
                return taken
            return {failed for each in taken for failed in self._tried([each], linger=False)}
        if left:
            self._ring.put_back(left)
        return held

    def partition(self, partition: int) -> bool:
        """Drain one partition for a slice of time and say whether it is empty.

        Raises Held where another thread or process has it.
        """
        held, left = self._drain([partition], set(), linger=False)
        if held:
            raise Held(partition)
        return not left

    def _drain(
        self, wanted: Collection[int], taken: set[int], *, linger: bool
    ) -> tuple[set[int], set[int]]:
        """Drain partitions together for a slice of time; tell which of them somebody else has, and
        which are not empty. Those that are drained along with them are added to `taken`.
        """
        with ExitStack() as locks:

            def hold(partition: int) -> bool:
                if not self._lock(partition, locks):
                    return False
                taken.add(partition)
                return True

            watched = self._watched if linger else ()
            session = Session(self._intake, hold, self._apply, self._stopping, _SLICE, watched)
            left = session.drain(wanted)
            self._intake.settle(session.mine)
        self.worked()
        return session.held, left

    def _lock(self, partition: int, locks: ExitStack) -> bool:
        if not self._locks[partition].acquire(blocking=False):
            return False
        locks.callback(self._release, partition)
        return True

    def _release(self, partition: int) -> None:
        self._batches_begun.pop(partition, None)
        self._locks[partition].release()

    def _apply(self, batches: Mapping[int, Sequence[Decoded]]) -> dict[int, Applied]:
        started, begun = time.monotonic(), time.time_ns()
        self._batches_begun.update(dict.fromkeys(batches, started))
        applied = self._batches.take(batches)
        self._told(batches, applied, begun)
        self._intake.tidy(batches, applied)
        for each in batches:
            self._batches_begun.pop(each, None)
        self._applied_at = time.monotonic()
        self.worked()
        log.debug(
            "applied",
            partitions=list(applied),
            commands=sum(len(each.outcomes) for each in applied.values()),
            events=sum(each.events for each in applied.values()),
            ms=round((time.monotonic() - started) * 1000, 1),
        )
        return applied

    def failed(self, error: Exception, partition: int | None) -> None:
        """Say why a drain did not come to its end; where a store is to blame, pause."""
        if not is_outage(error):
            log.error("draining failed", partition=partition, exc_info=error)
        elif self._pause.begin(first_line(error)):
            log.warning(
                "draining waits for its stores", partition=partition, error=first_line(error)
            )

    def spare(self, scarce: bool, done: Iterable[Position]) -> None:
        """Take note of whether Redis is short of memory. When it becomes so, what is done leaves
        the log at once: room for new commands matters more than what is kept for a database that
        is set back.
        """
        before, self._reader.scarce = self._reader.scarce, scarce
        if scarce and not before:
            log.warning("redis is short of memory: what is applied is not kept in the log")
            for each in done:
                self._reader.trim_at_once(each)

    def worked(self) -> None:
        """Take note that the stores do what they are for."""
        if self._pause.end():
            log.info("draining goes on")
