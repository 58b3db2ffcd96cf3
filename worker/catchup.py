"""Bring a projection that was left behind up to the ledger again, beside the writing."""

import time
import traceback
from collections.abc import Mapping

import structlog
from sqlalchemy import Connection, Engine

from ledger import checkpoints, events, heads, partitions
from ledger.checkpoints import Taken
from ledger.partitions import Checkpoint
from worker.apply import Project
from worker.trouble import is_outage, shortened

# Events per transaction, and how long a try lasts: other work waits no longer than this takes.
_AT_ONCE = 1000
_SLICE = 0.5
# Seconds until the next try of one that failed again: it will need another release.
_REST = 30.0

log = structlog.get_logger()


class CatchUp:
    def __init__(self, engine: Engine, projections: Mapping[str, Project]) -> None:
        self._engine = engine
        self._projections = projections
        self._rests: dict[tuple[str, int], float] = {}

    def run(self, ledger: Mapping[int, Checkpoint]) -> None:
        """Take on every projection that is detached somewhere. Raises what the stores raise."""
        until = time.monotonic() + _SLICE
        for partition, checkpoint in ledger.items():
            for name in sorted(checkpoint.detached & self._projections.keys()):
                while time.monotonic() < until and self._rested(name, partition):
                    if self._step(name, partition):
                        break

    def _rested(self, name: str, partition: int) -> bool:
        return time.monotonic() >= self._rests.get((name, partition), 0.0)

    def _step(self, name: str, partition: int) -> bool:
        """Take some events in one transaction; say whether there is nothing left to do here."""
        with self._engine.begin() as connection:
            checkpoint = partitions.lock(connection, [partition]).get(partition)
            if checkpoint is None or name not in checkpoint.detached:
                return True
            taken = checkpoints.read(connection, name, partition) or 0
            try:
                with connection.begin_nested():
                    upto = self._project(connection, name, partition, taken)
            except Exception as error:
                if is_outage(error):
                    raise
                why = shortened(traceback.format_exc())
                checkpoints.detach(connection, {name: why}, partition, taken)
                self._rests[name, partition] = time.monotonic() + _REST
                log.warning("a projection still fails", projection=name, partition=partition)
                return True
            if upto < checkpoint.offset:
                checkpoints.move(connection, [Taken(name, partition, upto)])
                return False
            checkpoints.move(connection, [Taken(name, partition, checkpoint.offset)])
            partitions.attach(connection, checkpoint, name)
            log.info("a projection is in step again", projection=name, partition=partition)
            return True

    def _project(self, connection: Connection, name: str, partition: int, taken: int) -> int:
        found = events.after(connection, partition, taken, _AT_ONCE)
        if not found:
            return taken
        # As they are now: a projection takes items as its events left them, or later.
        items = heads.load(connection, list({each.event.item_id for each in found}))
        self._projections[name](connection, found, items)
        return found[-1].offset
