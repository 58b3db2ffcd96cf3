"""Bring a projection up to the ledger, beside the writing, and let it be in step."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from ledger import checkpoints, events, partitions
from ledger.checkpoints import Taken
from ledger.projections import Slot, name_of
from ledger.recorded import Recorded
from readmodel.views.view import View
from worker.apply import Project
from worker.fold import Fold
from worker.pace import Pace, Stride
from worker.stores import Stores

# So few are left that they can be taken while the partition is held.
_FEW = 500

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Terms:
    """`going` is asked before each transaction, and ends it; `wanted` while the partition is held,
    in the transaction that lets the projection be in step.
    """

    going: Callable[[], bool]
    wanted: Callable[[Connection], bool]
    pace: Pace


def bring(stores: Stores, view: View, slot: Slot, terms: Terms) -> bool:
    """Take what each partition has into a slot; say whether it is in step with all. Raises what
    the projection and the stores raise.
    """
    name = name_of(view.name, slot)
    for partition in range(stores.partitions):
        with stores.reads.connect() as connection:
            held = partitions.look(connection, [partition])[partition]
        if name in held.in_step:
            continue
        if not CatchUp(stores, name, view.into(slot), partition, terms).run():
            return False
        log.info("a view is in step", view=view.name, slot=slot, partition=partition)
    return True


class CatchUp:
    """One projection of one partition."""

    def __init__(
        self, stores: Stores, name: str, project: Project, partition: int, terms: Terms
    ) -> None:
        self._engine = stores.engine
        self._reads = stores.reads
        self._name = name
        self._project = project
        self._partition = partition
        self._terms = terms
        self._fold = Fold()
        self._stride = Stride(terms.pace, terms.going)
        self._few = _FEW
        self._unwanted = False

    def run(self) -> bool:
        """Take all there is, and say whether the projection is in step then: it is not where it was
        told to stop.
        """
        while not self._unwanted and self._terms.going():
            begun = time.monotonic()
            found, left = self._found()
            if left > self._few:
                self._take(found)
                if len(found) == left:
                    # It was all there was. Where as much comes again, writers wait for more at the
                    # end, or there would be none.
                    self._few *= 2
                self._stride.rest(len(found), time.monotonic() - begun)
            elif self._join():
                return True
        return False

    def _found(self) -> tuple[list[Recorded], int]:
        """Read the next events, and how many are left with them."""
        with self._reads.connect() as connection:
            ledger = partitions.look(connection, [self._partition])[self._partition]
            taken = checkpoints.read(connection, self._name, self._partition)
            offset = 0 if taken is None else taken.offset
            left = ledger.offset - offset
            if left <= self._few:
                return [], left
            return events.after(connection, self._partition, offset, self._stride.count), left

    def _take(self, found: list[Recorded]) -> None:
        """Take events in a transaction that holds up nobody but writers of the same file."""
        with self._reads.connect() as connection:
            changes = self._fold.take(connection, found)
        begun = time.monotonic()
        with self._engine.begin() as connection:
            before = checkpoints.hold(connection, self._name, self._partition)
            if before.offset != found[0].offset - 1:
                # Another process has taken them: nothing is taken twice.
                return
            self._project(connection, changes)
            # What it covers of the log is known where it has taken everything.
            taken = Taken(self._name, before.position, found[-1].offset)
            checkpoints.move(connection, [taken])
        self._stride.note(len(found), time.monotonic() - begun)

    def _join(self) -> bool:
        """Take the last events while the partition is held, so that nothing comes after them, and
        be in step from there; say whether that was done.
        """
        with self._engine.begin() as connection:
            held = partitions.lock_all(connection, [self._partition])[self._partition]
            if not self._terms.wanted(connection):
                self._unwanted = True
                return False
            offset = checkpoints.hold(connection, self._name, self._partition).offset
            if held.offset - offset > 2 * self._few:
                self._few *= 2
                return False
            found = events.after(connection, self._partition, offset, 2 * self._few)
            if found:
                self._project(connection, self._fold.take(connection, found))
            checkpoints.move(connection, [Taken(self._name, held.position, held.offset)])
            partitions.attach(connection, held, self._name)
            return True
