"""Bring a projection up to the ledger, beside the writing, and let it be in step."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from ledger import checkpoints, events, partitions
from ledger.checkpoints import Taken
from ledger.recorded import Recorded
from runtime.positions import Position
from worker.apply import Project
from worker.fold import Fold

# Events per transaction: at first, at least, and at most.
_FIRST, _LEAST, _MOST = 500, 100, 20_000
# So few are left that they can be taken while the partition is held.
_FEW = 500


@dataclass(frozen=True, slots=True)
class Pace:
    """How a build goes about it: seconds that a transaction of its own may last, since others wait
    for it; the share of its time that it leaves to them; and at most how many events a second.
    """

    transaction: float = 0.03
    rest: float = 0.0
    throttle: int | None = None


class CatchUp:
    """One projection of one partition. `reads` gives connections that see one snapshot; `going` is
    asked before each transaction, and ends it.
    """

    def __init__(
        self,
        engine: Engine,
        reads: Engine,
        name: str,
        project: Project,
        partition: int,
        going: Callable[[], bool],
        pace: Pace,
    ) -> None:
        self._engine = engine
        self._reads = reads
        self._name = name
        self._project = project
        self._partition = partition
        self._going = going
        self._pace = pace
        self._fold = Fold()
        self._count = _FIRST
        self._rests = threading.Event()

    def run(self) -> bool:
        """Take all there is, and say whether the projection is in step then: it is not where it was
        told to stop. Raises what the projection and the stores raise.
        """
        while self._going():
            begun = time.monotonic()
            found, left = self._found()
            if left <= _FEW:
                if self._join():
                    return True
                continue
            self._take(found)
            self._rest(len(found), time.monotonic() - begun)
        return False

    def _found(self) -> tuple[list[Recorded], int]:
        """Read the next events, and how many are left with them."""
        with self._reads.connect() as connection:
            ledger = partitions.look(connection, [self._partition])[self._partition]
            taken = checkpoints.read(connection, self._name, self._partition)
            offset = 0 if taken is None else taken.offset
            left = ledger.offset - offset
            if left <= _FEW:
                return [], left
            return events.after(connection, self._partition, offset, self._count), left

    def _take(self, found: list[Recorded]) -> None:
        """Take events in a transaction that holds up nobody but writers of the same file."""
        with self._reads.connect() as connection:
            changes = self._fold.take(connection, found)
        begun = time.monotonic()
        with self._engine.begin() as connection:
            self._project(connection, changes)
            # What it covers of the log is known where it has taken everything.
            position = self._covered(connection)
            checkpoints.move(connection, [Taken(self._name, position, found[-1].offset)])
        lasted = max(time.monotonic() - begun, 0.001)
        fitting = int(len(found) * self._pace.transaction / lasted)
        self._count = max(_LEAST, min(_MOST, 2 * self._count, max(fitting, self._count // 2)))

    def _join(self) -> bool:
        """Take the last events while the partition is held, so that nothing comes after them, and
        be in step from there; say whether that was done.
        """
        with self._engine.begin() as connection:
            held = partitions.lock_all(connection, [self._partition])[self._partition]
            taken = checkpoints.read(connection, self._name, self._partition)
            offset = 0 if taken is None else taken.offset
            found = events.after(connection, self._partition, offset, 2 * _FEW)
            if found and found[-1].offset < held.offset:
                return False
            if found:
                self._project(connection, self._fold.take(connection, found))
            checkpoints.move(connection, [Taken(self._name, held.position, held.offset)])
            partitions.attach(connection, held, self._name)
            return True

    def _covered(self, connection: Connection) -> Position:
        taken = checkpoints.read(connection, self._name, self._partition)
        return Position(self._partition, 0, 0) if taken is None else taken.position

    def _rest(self, count: int, lasted: float) -> None:
        """Leave the others their share, and keep to the throttle."""
        rest = lasted * self._pace.rest
        if self._pace.throttle is not None:
            rest = max(rest, count / self._pace.throttle - lasted)
        until = time.monotonic() + rest
        while (left := until - time.monotonic()) > 0 and self._going():
            self._rests.wait(min(left, 0.2))
