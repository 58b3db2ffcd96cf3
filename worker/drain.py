"""Empty the partitions that are ready: read after the checkpoint, apply, tell, trim."""

import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

import structlog
from redis.exceptions import RedisError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from eventlog.envelope import Entry, Envelope, decode
from eventlog.reader import REMEMBER_KEY_SECONDS, REMEMBER_SECONDS, LogEntry, LogReader
from eventlog.ring import DRAIN, Ring
from ledger import partitions
from runtime.positions import Position
from worker.apply import Applied, Decoded, Held, Project, apply
from worker.tell import notices

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
    ) -> None:
        self._engine = engine
        self._reader = reader
        self._ring = ring
        self._projections = projections
        self._clock = clock
        self._stopping = stopping
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
            say_why(error, None)

    def _answer(self) -> None:
        self._ring.answered()
        over = time.monotonic() + _JOB
        # Set aside, so that they do not come up again before the others.
        aside: set[int] = set()
        try:
            while (partition := self._ring.next_ready()) is not None:
                if not self._tried(partition):
                    aside.add(partition)
                if self._stopping.is_set():
                    return
                if time.monotonic() > over:
                    if self._ring.any_ready():
                        self._ring.enqueue(DRAIN)
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
            say_why(error, partition)
            return False
        if not empty:
            self._ring.put_back([partition])
        return True

    def partition(self, partition: int) -> bool:
        """Drain one partition for a slice of time and say whether it is empty.

        Raises Held where another thread or process has it.
        """
        with self._held(partition):
            self._reader.clear_bell(partition)
            position = self._catch_up_tidying(partition)
            until = time.monotonic() + _SLICE
            while time.monotonic() < until and not self._stopping.is_set():
                found = self._reader.after(position, BATCH)
                if not found:
                    return True
                self._batches_begun[partition] = time.monotonic()
                position = self._apply(found)
            return False

    @contextmanager
    def _held(self, partition: int) -> Generator[None]:
        if not self._locks[partition].acquire(blocking=False):
            raise Held(partition)
        try:
            yield
        finally:
            self._batches_begun.pop(partition, None)
            self._locks[partition].release()

    def _apply(self, found: list[LogEntry]) -> Position:
        partition = found[0].position.partition
        # Read after the entries: an epoch's end is written with the first entry that follows it.
        epoch_ends = self._reader.epoch_ends(partition)
        batch = _decoded(found)
        now = self._clock()
        started = time.perf_counter()
        applied = apply(self._engine, self._projections, batch, epoch_ends, now)
        for gap in applied.gaps:
            log.error(
                "commands are missing from the log",
                partition=partition,
                epoch=gap.epoch,
                first=gap.first_n,
                last=gap.last_n,
            )
        self._tidy(batch, applied)
        log.debug(
            "applied",
            partition=partition,
            commands=len(applied.outcomes),
            events=applied.events,
            position=applied.upto.stream_id,
            ms=round((time.perf_counter() - started) * 1000, 1),
        )
        return applied.upto

    def _tidy(self, batch: list[Decoded], applied: Applied) -> None:
        now = self._clock()
        self._reader.tidy(
            applied.upto,
            {each.entry.id: _remembered(each.entry) for each in batch},
            notices(self._engine, batch, applied),
            now,
        )
        self._reader.trim(applied.upto.partition, now)

    def _catch_up_tidying(self, partition: int) -> Position:
        """Do what a process that died between its commit and its notices left undone, and return
        the position up to which the ledger has the partition.
        """
        checkpoint = partitions.read(self._engine, partition).position
        done = self._reader.done(partition)
        position = Position(partition, 0, 0) if done is None else done
        while position < checkpoint:
            found = [
                each for each in self._reader.after(position, BATCH) if each.position <= checkpoint
            ]
            upto = found[-1].position if found else checkpoint
            self._tidy(_decoded(found), Applied(upto, {}, {}, 0, ()))
            position = upto
        return checkpoint


def say_why(error: Exception, partition: int | None) -> None:
    """Log why a drain did not come to its end: a store's outage in a line, a defect in full."""
    match error:
        case SQLAlchemyError() | RedisError() | OSError():
            reason = str(error).partition("\n")[0]
            log.warning("draining waits for its stores", partition=partition, error=reason)
        case _:
            log.error("draining failed", partition=partition, exc_info=error)


def _decoded(found: list[LogEntry]) -> list[Decoded]:
    return [Decoded(each.position, decode(each.body)) for each in found]


def _remembered(entry: Entry) -> int:
    """Say for how many seconds an applied entry's id is remembered. A batch is known by the key of
    its own, so its rows need not be.
    """
    keyed = isinstance(entry, Envelope) and entry.fingerprint != "" and entry.with_item
    return REMEMBER_KEY_SECONDS if keyed else REMEMBER_SECONDS
