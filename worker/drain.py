"""Empty the partitions that are ready: read after the checkpoint, apply, tell, trim."""

import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import replace

import structlog
from sqlalchemy import Engine

from eventlog.envelope import Entry, Envelope, Unreadable, read
from eventlog.reader import (
    REMEMBER_KEY_SECONDS,
    REMEMBER_SECONDS,
    Begun,
    LogEntry,
    LogReader,
)
from eventlog.ring import Ring
from ledger import partitions
from runtime.failpoints import Reach, nowhere
from runtime.positions import Position
from worker.apply import Applied, Decoded, Held, Project
from worker.batches import Batches
from worker.pause import Pause
from worker.strays import Strays
from worker.tell import notices
from worker.trouble import is_outage

BATCH = 1000
# Seconds: how long one partition is drained while others wait, and how long one job lasts.
_SLICE = 1.0
_JOB = 10.0

log = structlog.get_logger()


class Drain:
    """Shared by a worker's RQ thread and its sweeper; one of them at a time has a partition.

    `clock` returns milliseconds since 1970, `stopping` is set when the process is to end.
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
    ) -> None:
        self._engine = engine
        self._reader = reader
        self._ring = ring
        self._clock = clock
        self._stopping = stopping
        self._pause = pause or Pause(time.monotonic, clock)
        self._reach = reach
        self._batches = Batches(engine, reader, projections, clock, stopping, reach)
        self._strays = Strays(engine, reader.lookout)
        self._locks = [threading.Lock() for _ in range(reader.partitions)]
        self._batches_begun: dict[int, float] = {}

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
            while not self._pause.left and (partition := self._ring.next_ready()) is not None:
                self._reach("worker.after_pop")
                if not self._tried(partition):
                    aside.add(partition)
                if self._stopping.is_set():
                    return
                if time.monotonic() > over:
                    if self._ring.any_ready():
                        self._ring.press()
                    return
            aside = {partition for partition in aside if not self._tried(partition)}
        finally:
            # Whoever has them reads until they are empty, or the sweeper does.
            if aside:
                self._ring.put_back(aside)

    def _tried(self, partition: int) -> bool:
        """Drain a partition, and say whether that could be done; what is left is ready again.

        It could not be done where somebody else has it, or where it fails: that is no reason to
        leave the others.
        """
        try:
            empty = self.partition(partition)
        except Held:
            return False
        except Exception as error:  # noqa: BLE001  it is said, and the others go on
            self.failed(error, partition)
            return False
        if not empty:
            self._ring.put_back([partition])
        return True

    def partition(self, partition: int) -> bool:
        """Drain one partition for a slice of time and say whether it is empty.

        Raises Held where another thread or process has it.
        """
        with self._held(partition):
            position, begun = self._begin(partition)
            until = time.monotonic() + _SLICE
            while time.monotonic() < until and not self._stopping.is_set():
                found = self._reader.after(position, BATCH)
                self._reach("worker.after_read")
                if not found:
                    self.worked()
                    return True
                self._batches_begun[partition] = time.monotonic()
                position = self._apply(found, begun)
                begun = replace(begun, times=1, alone=False)
                self.worked()
            return False

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

    def _begin(self, partition: int) -> tuple[Position, Begun]:
        """Find where to read on, and say how that was begun before.

        What a process left undone that died between its commit and its notices is done here.
        """
        checkpoint = partitions.read(self._engine, partition).position
        begun = self._reader.begin(checkpoint)
        self._reach("worker.after_clear")
        if begun.done > checkpoint:
            # Either somebody else was faster, or the ledger is not what it was.
            checkpoint = partitions.read(self._engine, partition).position
        if begun.done > checkpoint:
            log.error(
                "the database was set back: what it has forgotten is taken from the log again",
                partition=partition,
                was=begun.done.stream_id,
                now=checkpoint.stream_id,
            )
        position = begun.done
        while position < checkpoint:
            found = [
                each for each in self._reader.after(position, BATCH) if each.position <= checkpoint
            ]
            batch = _decoded(found)
            self._strays.append_again(checkpoint, batch)
            position = batch[-1].position if batch else checkpoint
            self._tidy(batch, Applied(position, {}, {}, 0, (), {}))
        return checkpoint, begun

    @contextmanager
    def _held(self, partition: int) -> Generator[None]:
        if not self._locks[partition].acquire(blocking=False):
            raise Held(partition)
        try:
            yield
        finally:
            self._batches_begun.pop(partition, None)
            self._locks[partition].release()

    def _apply(self, found: list[LogEntry], begun: Begun) -> Position:
        batch = _decoded(found)
        started = time.perf_counter()
        applied = self._batches.take(batch, begun)
        self._tidy([each for each in batch if each.position <= applied.upto], applied)
        log.debug(
            "applied",
            partition=applied.upto.partition,
            commands=len(applied.outcomes),
            events=applied.events,
            position=applied.upto.stream_id,
            ms=round((time.perf_counter() - started) * 1000, 1),
        )
        return applied.upto

    def _tidy(self, batch: list[Decoded], applied: Applied) -> None:
        now = self._clock()
        self._reach("tidy.before")
        self._reader.tidy(
            applied.upto,
            {each.entry.id: _remembered(each.entry) for each in batch if each.entry.id is not None},
            notices(self._engine, batch, applied),
            now,
        )
        if self._reader.may_trim(applied.upto.partition, now):
            self._reach("trim.before")
            self._reader.trim(applied.upto.partition, now)
            self._reach("trim.after")


def first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _decoded(found: list[LogEntry]) -> list[Decoded]:
    return [Decoded(each.position, read(each.body), each.body) for each in found]


def _remembered(entry: Entry | Unreadable) -> int:
    """Say for how many seconds an applied entry's id is remembered. A batch is known by the key of
    its own, so its rows need not be.
    """
    keyed = isinstance(entry, Envelope) and entry.fingerprint != "" and entry.with_item
    return REMEMBER_KEY_SECONDS if keyed else REMEMBER_SECONDS
