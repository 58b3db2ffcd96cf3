"""Forgetting what is kept no longer: old outcomes in SQL, applied entries in an idle log."""

from collections.abc import Callable

import structlog
from sqlalchemy import Engine

from eventlog.reader import LogReader
from ledger import outcomes, partitions, revocations

# Outcomes are promised for 30 days; one more for clocks that differ.
KEEP_OUTCOMES_MS = 31 * 24 * 60 * 60 * 1000
# Revoked tokens have expired by then, whatever clocks say.
_KEEP_REVOKED_MS = 24 * 60 * 60 * 1000
# Rows per transaction: other writers wait no longer than this takes.
_AT_ONCE = 5_000

log = structlog.get_logger()


class Housekeeping:
    def __init__(self, engine: Engine, reader: LogReader, clock: Callable[[], int]) -> None:
        self._engine = engine
        self._reader = reader
        self._clock = clock

    def run(self) -> None:
        now = self._clock()
        forgotten = 0
        while True:
            with self._engine.begin() as connection:
                count = outcomes.forget(connection, now - KEEP_OUTCOMES_MS, _AT_ONCE)
            forgotten += count
            if count < _AT_ONCE:
                break
        with self._engine.begin() as connection:
            revocations.forget(connection, now - _KEEP_REVOKED_MS)
        ledger = partitions.read(self._engine, range(self._reader.partitions))
        for checkpoint in ledger.values():
            self._reader.trim(checkpoint.position, now)
        log.info("housekeeping done", outcomes_forgotten=forgotten)
