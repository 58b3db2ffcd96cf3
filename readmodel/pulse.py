"""Who waits for the ledger to move on is woken when it does: one thread looks for all of them."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from queue import Empty, SimpleQueue

import structlog
from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from ledger.engines import single_reads
from ledger.tables import partitions
from readmodel.presence import Presence
from runtime.positions import Position

_INTERVAL = 0.015
# Seconds until the next look where the database is away, and how long the end is waited for.
_AWAY = 0.5
_END = 10.0

log = structlog.get_logger("readmodel")


class Ledger:
    """How far the ledger is: of each partition the last offset, and the position of the log."""

    def __init__(self, offsets: Mapping[int, int], positions: Mapping[int, Position]) -> None:
        self.offsets = offsets
        self.positions = positions
        self.place = tuple(offsets[each] for each in sorted(offsets))
        self._beyond: dict[tuple[int, ...], bool] = {}

    def is_as(self, other: "Ledger") -> bool:
        """Say whether nothing has moved between the two."""
        return self.positions == other.positions and self.offsets == other.offsets

    def is_beyond(self, offsets: tuple[int, ...]) -> bool:
        """Say whether any partition has more than these, which are by partition from 0."""
        told = self._beyond.get(offsets)
        if told is None:
            known = len(offsets)
            told = self._beyond[offsets] = any(
                last > (offsets[partition] if partition < known else 0)
                for partition, last in self.offsets.items()
            )
        return told

    def has_taken(self, position: Position) -> bool:
        """Say whether the ledger has taken what stands at a position of the log."""
        taken = self.positions.get(position.partition)
        return taken is not None and taken >= position


# Says of the ledger whether it is as somebody waits for, and of the same ledger always the same; it
# must be quick, as it may be called for hundreds in a row.
Awaited = Callable[[Ledger], bool]


# Is told where the ledger is now; `None` when nobody will look any more.
Watcher = Callable[[Ledger | None], object]


class _Waiter:
    """Somebody who waits. Each is woken by a queue of its own: only those are who have cause."""

    def __init__(self, awaited: Awaited, not_before: float) -> None:
        self._awaited = awaited
        self._not_before = not_before
        self._woken: SimpleQueue[None] = SimpleQueue()
        # Who gives up is not woken any more, and who is to be woken does not give up.
        self._lock = threading.Lock()
        self._over = False
        self._seen: Ledger | None = None
        self.reached = False
        self.error: Exception | None = None

    def is_due(self, now: float) -> bool:
        return self._not_before <= now and not self._over

    def look(self, ledger: Ledger) -> None:
        if self._seen is ledger:
            return
        self._seen = ledger
        with self._lock:
            if self._over:
                return
            try:
                self.reached = self._awaited(ledger)
            except Exception as error:  # noqa: BLE001  it is raised where it belongs: by who waits
                self.error = error
            self._over = self.reached or self.error is not None
        if self._over:
            self.wake()

    def wake(self) -> None:
        self._woken.put(None)

    def give_up(self) -> None:
        """Wait no longer, whoever says so."""
        with self._lock:
            if self._over:
                return
            self._over = True
        self.wake()

    def wait(self, seconds: float) -> None:
        try:
            self._woken.get(timeout=seconds)
        except Empty:
            with self._lock:
                gives_up = not self._over
                self._over = True
            if not gives_up:
                # It is woken already, or stands in line.
                self._woken.get()


class Pulse:
    """Looks at the ledger every `interval` seconds while somebody waits, and only then.

    What is awaited is judged by looks that begin after it was awaited, so nothing is missed that
    happened before, and nothing is told that was so once. While the database is away nobody is
    woken. For any number of threads.
    """

    def __init__(self, engine: Engine, interval: float = _INTERVAL) -> None:
        self._reads = single_reads(engine)
        self._interval = interval
        self._changed = threading.Condition()
        self._waiters: set[_Waiter] = set()
        # With what each was told last.
        self._watchers: dict[Watcher, Ledger | None] = {}
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._away = False
        self._ledger: Ledger | None = None

    @property
    def closed(self) -> bool:
        """Whether nobody waits any more."""
        return self._closing.is_set()

    def wait_beyond(
        self,
        offsets: tuple[int, ...],
        seconds: float,
        rest: float = 0.0,
        client: Presence | None = None,
    ) -> bool:
        """Wait until any partition has more than these offsets, by partition from 0."""
        return self.wait_for(lambda ledger: ledger.is_beyond(offsets), seconds, rest, client)

    def wait_for(
        self,
        awaited: Awaited,
        seconds: float,
        rest: float = 0.0,
        client: Presence | None = None,
    ) -> bool:
        """Wait until the ledger is as awaited; `False` where that was not so in time, or the pulse
        was closed, or the `client` left on whose behalf it was. With a `rest` it is not judged
        before so many seconds have passed.

        Raises what `awaited` raises.
        """
        waiter = _Waiter(awaited, time.monotonic() + rest)
        with self._changed:
            if self._closing.is_set():
                return False
            self._waiters.add(waiter)
            self._begin()
        try:
            with nullcontext() if client is None else client.telling(waiter.give_up):
                waiter.wait(seconds)
        finally:
            with self._changed:
                self._waiters.discard(waiter)
        if waiter.error is not None:
            raise waiter.error
        return waiter.reached

    def watch(self, told: Watcher) -> Callable[[], None]:
        """Have somebody told of what is seen whenever it has changed, by the thread that looks, so
        it must be quick; return what ends that.
        """
        with self._changed:
            self._watchers[told] = None
            self._begin()

        def unwatch() -> None:
            with self._changed:
                self._watchers.pop(told, None)

        return unwatch

    def close(self) -> None:
        """Let everybody go who waits, and end the thread."""
        with self._changed:
            self._closing.set()
            for each in self._waiters:
                each.wake()
            for told in self._watchers:
                told(None)
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join(_END)

    def _begin(self) -> None:
        """See that somebody looks, while `_changed` is held."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
            self._thread.start()
        self._changed.notify()

    def _run(self) -> None:
        while not self._closing.is_set():
            with self._changed:
                self._changed.wait_for(
                    lambda: self._waiters or self._watchers or self._closing.is_set()
                )
                now = time.monotonic()
                due = [each for each in self._waiters if each.is_due(now)]
                watched = bool(self._watchers)
            self._closing.wait(self._interval if self._look(due, watched=watched) else _AWAY)

    def _look(self, due: Sequence[_Waiter], *, watched: bool) -> bool:
        """Look once, for those who are due and those who watch; `False` where the database is
        away.
        """
        if not due and not watched:
            return True
        try:
            ledger = self._read()
        except SQLAlchemyError as error:
            if not self._away:
                log.warning("waits for the database, and others wait with it", error=str(error))
            self._away = True
            return False
        except Exception:
            # A defect must not end the thread that all others rely on.
            log.exception("a look at the ledger failed")
            return False
        self._away = False
        if self._ledger is None or not self._ledger.is_as(ledger):
            self._ledger = ledger
        for each in due:
            each.look(self._ledger)
        self._tell(self._ledger)
        return True

    def _tell(self, ledger: Ledger) -> None:
        with self._changed:
            for told, seen in self._watchers.items():
                if seen is not ledger and not self._closing.is_set():
                    self._watchers[told] = ledger
                    told(ledger)

    def _read(self) -> Ledger:
        columns = partitions.c.partition, partitions.c.offset, partitions.c.epoch, partitions.c.n
        with self._reads.connect() as connection:
            rows = connection.execute(select(*columns)).all()
        return Ledger(
            {partition: offset for partition, offset, _, _ in rows},
            {partition: Position(partition, epoch, n) for partition, _, epoch, n in rows},
        )
