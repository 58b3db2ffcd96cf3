"""Puts the rows of one import on the log: in the order of the file per partition, in entries of
many, never more at once than the lanes have room for.
"""

import asyncio
import uuid
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

from api.imports.lanes import Lanes
from eventlog.append import Appended, NotAppended, Submission, Unknown
from eventlog.batcher import Batcher
from eventlog.codec import encode
from eventlog.envelope import BadRow, Entry, Envelope, ImportMark, Rows
from eventlog.partition import partition_of
from runtime.ending import end
from runtime.positions import Position

ENTRY_ROWS = 100
ENTRY_BYTES = 256 * 1024
# Seconds for which the log may take nothing before an import is given up.
PATIENCE = 30.0
# Seconds that an entry which is on its way has to arrive when the import ends.
_LAST_ENTRY = 2.0

# Entries of a partition that may wait behind the one that is on its way.
_QUEUED = 2
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0


class Stuck(Exception):
    """The log takes nothing; `certain` where the last entry is known not to be on it."""

    def __init__(self, why: str, *, certain: bool) -> None:
        super().__init__(why)
        self.certain = certain


class Unwanted(Exception):
    """Nothing new is accepted, as `str()` says, and nothing of this was before."""


@dataclass(slots=True)
class _Group:
    """Rows that will be one entry."""

    rows: list[Envelope | BadRow] = field(default_factory=list[Envelope | BadRow])
    size: int = 0


@dataclass(frozen=True, slots=True)
class Log:
    """The log as a feeder needs it. `patience` is for how many seconds it may take nothing."""

    batcher: Batcher
    lanes: Lanes
    partitions: int
    patience: float = PATIENCE

    async def append(self, partition: int, entry: Entry, *, refusable: bool = False) -> Position:
        """Append an entry, however often it takes; it is on the log once. Raises Stuck, and at once
        Unwanted where the entry is `refusable` and nothing new is accepted.
        """
        submission = Submission(entry.id, encode(entry), "")
        deadline = asyncio.get_running_loop().time() + self.patience
        pause = _FIRST_PAUSE
        unknown = False
        while True:
            (verdict,) = await self.batcher.append(partition, [submission])
            match verdict:
                case Appended(position):
                    return position
                case NotAppended(why) if refusable and not unknown:
                    raise Unwanted(why)
                case NotAppended(why):
                    pass
                case Unknown(why):
                    unknown = True
                case _:
                    assert_never(verdict)
            if asyncio.get_running_loop().time() + pause > deadline:
                raise Stuck(why, certain=not unknown)
            await asyncio.sleep(pause)  # before the next try
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def say(self, mark: ImportMark, *, refusable: bool = False) -> Position:
        """Append a mark to its import's partition. Raises what `append` does."""
        home = partition_of(mark.import_id, self.partitions)
        return await self.append(home, mark, refusable=refusable)


class Feeder:
    """Feeds the rows of one import. `last` is where its last entry of each partition and epoch
    stands: where one of an epoch is lost, that is, too; `rows` counts those that have gone to the
    log. With `refusable` the first of them may be refused.
    """

    def __init__(self, log: Log, import_id: str, *, dry: bool, stop: bool) -> None:
        self._log = log
        self._import_id = import_id
        self._dry = dry
        self._stop = stop
        self._home = partition_of(import_id, log.partitions)
        self._groups = [_Group() for _ in range(log.partitions)]
        self._queues: list[asyncio.Queue[_Group | None]] = [
            asyncio.Queue(_QUEUED) for _ in range(log.partitions)
        ]
        self.last: dict[tuple[int, int], Position] = {}
        self.rows = 0
        self.refusable = False

    async def run(self) -> None:
        """Send what is taken until the end is said. Raises Stuck and Lost, and Unwanted for the
        first.
        """
        senders = [asyncio.create_task(self._send(n)) for n in range(len(self._queues))]
        try:
            await asyncio.gather(*senders)
            self._log.lanes.require(self.last.values())
        finally:
            await end(senders)
            await asyncio.gather(*senders, return_exceptions=True)

    async def take(self, row: Envelope | BadRow, size: int) -> None:
        """Take a row that was so many bytes long; wait where its partition is full."""
        match row:
            case Envelope():
                partition = partition_of(row.command.item_id, len(self._groups))
            case BadRow():
                partition = self._home
            case _:
                assert_never(row)
        group = self._groups[partition]
        group.rows.append(row)
        group.size += size
        # Two entries at least: one is applied while the other waits.
        most = min(ENTRY_ROWS, self._log.lanes.limit // 2)
        if len(group.rows) >= most or group.size >= ENTRY_BYTES:
            await self._push(partition)

    async def flush(self) -> None:
        """Send what is there, since nothing else comes for now."""
        for partition, group in enumerate(self._groups):
            if group.rows:
                await self._push(partition)

    async def end(self) -> None:
        """Say that nothing follows."""
        await self.flush()
        for queue in self._queues:
            await queue.put(None)

    async def _push(self, partition: int) -> None:
        group, self._groups[partition] = self._groups[partition], _Group()
        await self._queues[partition].put(group)

    async def _send(self, partition: int) -> None:
        queue, lanes = self._queues[partition], self._log.lanes
        while (group := await queue.get()) is not None:
            entry = self._entry(group.rows)
            await lanes.room(partition, len(entry.rows))
            # What is on its way arrives, also where nobody waits for it any more.
            self.rows += len(entry.rows)
            try:
                lanes.require(self.last.values())
                refusable = self.refusable and not self.last
                entering = self._log.append(partition, entry, refusable=refusable)
                position = await _whole(entering)
            except BaseException:
                lanes.drop(partition, len(entry.rows))
                raise
            lanes.put(position, len(entry.rows))
            self.last[partition, position.epoch] = position

    def _entry(self, rows: Sequence[Envelope | BadRow]) -> Rows:
        name = str(uuid.uuid4())
        return Rows(name, self._import_id, tuple(rows), self._dry, self._stop)


async def _whole(append: Coroutine[Any, Any, Position]) -> Position:
    """Append, even where it is cancelled meanwhile: it might happen all the same, but later, behind
    what is to take it back.
    """
    task = asyncio.create_task(append)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=_LAST_ENTRY)
        task.cancel()
        raise
