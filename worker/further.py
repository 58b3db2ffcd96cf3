"""What goes on after a commit with what it began: the next items of a revert, the stop of an
import.
"""

from collections.abc import Sequence
from dataclasses import replace

import structlog
from redis import Redis
from redis.exceptions import OutOfMemoryError
from sqlalchemy import Engine

from eventlog import import_state
from eventlog.appender import Appender, EntryRefused
from eventlog.envelope import Entry, ImportMark, RevertRows, Rows
from eventlog.partition import partition_of
from ledger import imports
from worker.apply import Decoded
from worker.imported import REVERT_AT_ONCE

log = structlog.get_logger()


class Further:
    """`count` is the number of partitions. All of it may be done twice: dying in between, it is."""

    def __init__(self, engine: Engine, redis: "Redis", appender: Appender, count: int) -> None:
        self._engine = engine
        self._redis = redis
        self._appender = appender
        self._count = count

    def go_on(self, taken: Sequence[Decoded]) -> bool:
        """Do what follows from entries that are committed; say whether that went through. A log
        that is full takes nothing further now.
        """
        try:
            for each in taken:
                match each.entry:
                    case RevertRows() as revert:
                        self._append(self._following(revert, each.position.partition))
                    case Rows(stop=True) as rows:
                        self._stop(rows.import_id)
                    case _:
                        pass
        except (EntryRefused, OutOfMemoryError) as error:
            log.warning("what follows is put off: the log takes no entry", error=str(error))
            return False
        return True

    def _append(self, following: tuple[int, Entry]) -> None:
        partition, entry = following
        self._appender.append(partition, [entry])

    def _stop(self, import_id: str) -> None:
        with self._engine.connect() as connection:
            over = imports.is_over(connection, import_id)
        if over:
            import_state.stop(self._redis, import_id)

    def _following(self, revert: RevertRows, partition: int) -> tuple[int, Entry]:
        """Find what a revert goes on with: more items, the next partition, or its end."""
        with self._engine.connect() as connection:
            done = imports.touched_after(
                connection, revert.reverts, partition, revert.after, REVERT_AT_ONCE
            )
        row = revert.row + len(done)
        name = f"{revert.import_id}-{partition}-{row}"
        if len(done) == REVERT_AT_ONCE:
            return partition, replace(revert, id=name, after=done[-1].item_id, row=row)
        if partition + 1 < self._count:
            return partition + 1, replace(revert, id=f"{name}-next", after="", row=row)
        end = ImportMark(
            f"{revert.import_id}-end", revert.import_id, "received", revert.actor, revert.at, row
        )
        return partition_of(revert.import_id, self._count), end
