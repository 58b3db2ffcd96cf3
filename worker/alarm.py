"""Scheduled prices: when one is due to begin or to end, that is put on the log.

There it has its place among the commands: those that were received before come before. Whatever
command of the item comes first lets it happen; without one, this entry does.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence

import structlog
from redis.exceptions import RedisError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from domain.commands import TakeDue
from domain.schedules import Due
from eventlog.appender import Appender, EntryRefused
from eventlog.envelope import Entry, Envelope
from eventlog.partition import partition_of
from ledger import heads
from ledger.engines import single_reads

# Seconds between two looks, and how many are put on the log at a time.
_TICK = 0.25
_AT_ONCE = 500

log = structlog.get_logger()


class Alarm:
    """`clock` returns milliseconds since 1970, `count` is the number of partitions."""

    def __init__(
        self,
        engine: Engine,
        appender: Appender,
        count: int,
        clock: Callable[[], int],
        stopping: threading.Event,
    ) -> None:
        self._reads = single_reads(engine)
        self._appender = appender
        self._count = count
        self._clock = clock
        self._stopping = stopping
        self._trouble: type[Exception] | None = None

    def run(self) -> None:
        """Look until the process is to stop."""
        while not self._stopping.wait(_TICK):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001  it is said, and the next look may go well
                self._say(error)
            else:
                self._trouble = None

    def _say(self, error: Exception) -> None:
        """Say what keeps prices from taking effect: once, while it stays the same."""
        if type(error) is not self._trouble:
            if isinstance(error, EntryRefused | RedisError | SQLAlchemyError | OSError):
                log.warning("prices that are due have to wait", error=str(error))
            else:
                log.error("prices that are due have to wait", exc_info=error)
        self._trouble = type(error)

    def look(self) -> int:
        """Put on the log what is due by now, and say how much. Doing so again is harmless: each has
        an id of its own. Raises what the stores raise, and EntryRefused.
        """
        by, after, count = self._clock(), (0, ""), 0
        while True:
            with self._reads.connect() as connection:
                due = heads.due(connection, by, after, _AT_ONCE)
            self._put(due)
            count += len(due)
            if len(due) < _AT_ONCE:
                return count
            after = (due[-1][1].at, due[-1][0])

    def _put(self, due: Sequence[tuple[str, Due]]) -> None:
        entries: dict[int, list[Entry]] = defaultdict(list)
        for item_id, each in due:
            entry = Envelope(each.command_id, TakeDue(item_id, each.at), each.schedule.actor, "")
            entries[partition_of(item_id, self._count)].append(entry)
        for partition, mine in entries.items():
            self._appender.append(partition, mine)
