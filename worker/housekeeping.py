"""Forgetting what is kept no longer: old outcomes in SQL, applied entries in an idle log."""

from collections.abc import Callable, Sequence

import structlog
from sqlalchemy import Connection, Engine

from eventlog.reader import LogReader
from ledger import imports, outcomes, partitions, revocations

# Outcomes are promised for 30 days; one more for clocks that differ.
KEEP_OUTCOMES_MS = 31 * 24 * 60 * 60 * 1000
# Revoked tokens have expired by then, whatever clocks say.
_KEEP_REVOKED_MS = 24 * 60 * 60 * 1000
# A dry run goes on where it was interrupted, for so long after it began.
_KEEP_DRY_MS = 2 * 24 * 60 * 60 * 1000
# Rows per transaction: other writers wait no longer than this takes.
_AT_ONCE = 5_000

log = structlog.get_logger()


class Housekeeping:
    def __init__(self, engine: Engine, reader: LogReader, clock: Callable[[], int]) -> None:
        self._engine = engine
        self._reader = reader
        self._clock = clock

    def run(self, between: Callable[[], None]) -> None:
        """Forget what is too old, in pieces; others have a turn `between` them, as it may be what a
        busy day has brought.
        """
        now = self._clock()
        forgotten = 0
        while True:
            with self._engine.begin() as connection:
                count = outcomes.forget(connection, now - KEEP_OUTCOMES_MS, _AT_ONCE)
            forgotten += count
            if count < _AT_ONCE:
                break
            between()
        self._forget_imports(now, between)
        with self._engine.begin() as connection:
            revocations.forget(connection, now - _KEEP_REVOKED_MS)
        ledger = partitions.read(self._engine, range(self._reader.partitions))
        for checkpoint in ledger.values():
            self._reader.trim(checkpoint.position, now)
        log.info("housekeeping done", outcomes_forgotten=forgotten)

    def _forget_imports(self, now: int, between: Callable[[], None]) -> None:
        """Forget imports with the results of their rows, and sooner what dry runs have left."""
        forgetting: Sequence[Callable[[Connection], bool]] = (
            lambda each: imports.forget_dry(each, now - _KEEP_DRY_MS, _AT_ONCE),
            lambda each: imports.forget(each, now - KEEP_OUTCOMES_MS, _AT_ONCE),
        )
        for forget in forgetting:
            more = True
            while more:
                with self._engine.begin() as connection:
                    more = forget(connection)
                if more:
                    between()
