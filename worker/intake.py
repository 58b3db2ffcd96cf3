"""The log's side of a drain: where to read on, what there is, and tidying up after a commit."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Engine

from eventlog.codec import read
from eventlog.envelope import Pack, Rows
from eventlog.reader import Correction, LogEntry, LogReader, Settled
from ledger import partitions
from ledger.outcomes import KeptOutcome
from runtime.failpoints import Reach, nowhere
from runtime.positions import Position
from worker.apply import Applied, Decoded
from worker.further import Further
from worker.strays import Strays
from worker.tally import Tally
from worker.tell import notices

_CATCH_UP = 1000
# Seconds for which what is applied may go unsettled, and how many entries of it.
_UNSETTLED, _MOST_UNSETTLED = 0.05, 2000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was read of a partition; it is `whole` where nothing followed it then."""

    batch: Sequence[Decoded]
    whole: bool


class Intake:
    """`clock` returns milliseconds since 1970."""

    def __init__(
        self,
        engine: Engine,
        reader: LogReader,
        further: Further,
        clock: Callable[[], int],
        tally: Tally,
        reach: Reach = nowhere,
    ) -> None:
        self._engine = engine
        self._reader = reader
        self._clock = clock
        self._tally = tally
        self._reach = reach
        self._further = further
        self._strays = Strays(engine, reader.lookout)
        # By partition, how many commands an entry had in the mean when it was last read.
        self._widths: dict[int, int] = {}
        # By partition, what is applied and not settled, since what follows from it had to wait.
        self._put_off: dict[int, tuple[list[Decoded], Mapping[str, Correction]]] = {}
        # By partition, what is to be settled, and since when (monotonic seconds).
        self._owed: dict[int, tuple[Settled, float]] = {}

    def begin(self, wanted: Sequence[int]) -> dict[int, Position]:
        """Find the positions after which these partitions are to be read.

        What a process left undone that died between its commit and its notices is done here.
        """
        ledger = partitions.read(self._engine, wanted)
        marks = self._reader.begin(wanted)
        self._reach("worker.after_clear")
        return {
            each: self._caught_up(ledger[each].position, done)
            for each, done in zip(wanted, marks, strict=True)
        }

    def _caught_up(self, checkpoint: Position, done: Position) -> Position:
        partition = checkpoint.partition
        if done > checkpoint:
            # Either somebody else was faster, or the ledger is not what it was.
            checkpoint = partitions.read(self._engine, [partition])[partition].position
        if done > checkpoint:
            log.error(
                "the database was set back: what it has forgotten is taken from the log again",
                partition=partition,
                was=done.stream_id,
                now=checkpoint.stream_id,
            )
        position = done
        while position < checkpoint:
            found = [
                each
                for each in self._reader.after(position, _CATCH_UP)
                if each.position <= checkpoint
            ]
            batch = _decoded(found)
            self._strays.append_again(checkpoint, batch)
            position = batch[-1].position if batch else checkpoint
            self.tidy({partition: batch}, {partition: Applied(position)})
        return checkpoint

    def read(self, positions: Mapping[int, Position], count: int) -> dict[int, Stretch]:
        """Read what follows each of the positions, up to the entry with the `count`-th command."""
        counts = [self._entries(each, count) for each in positions]
        found = self._reader.after_each(list(positions.values()), counts)
        self._reach("worker.after_read")
        return {
            partition: self._stretch(partition, entries, most, count)
            for partition, entries, most in zip(positions, found, counts, strict=True)
        }

    def _entries(self, partition: int, count: int) -> int:
        """Say how many entries will have so many commands, about."""
        return max(1, count // self._widths.get(partition, 1))

    def _stretch(self, partition: int, found: Sequence[LogEntry], most: int, count: int) -> Stretch:
        """Read what was found until it has `count` commands; `most` entries were asked for."""
        taken = commands = 0
        while taken < len(found) and commands < count:
            commands += found[taken].width
            taken += 1
        if taken:
            self._widths[partition] = max(1, commands // taken)
        return Stretch(_decoded(found[:taken]), taken == len(found) and len(found) < most)

    def checkpoints(self, wanted: Sequence[int]) -> dict[int, Position]:
        """Tell how far the ledger has taken these partitions."""
        if not wanted:
            return {}
        found = partitions.read(self._engine, wanted)
        return {each: checkpoint.position for each, checkpoint in found.items()}

    def wait(
        self, positions: Mapping[int, Position], count: int, seconds: float
    ) -> dict[int, Stretch]:
        """Wait until something follows one of these positions; read it as `read` does of each
        partition that has some.
        """
        most = max(self._entries(each, count) for each in positions)
        found = self._reader.wait(list(positions.values()), most, int(seconds * 1000))
        self._reach("worker.after_read")
        return {
            partition: self._stretch(partition, entries, most, count)
            for partition, entries in found.items()
        }

    def tidy(
        self, batches: Mapping[int, Sequence[Decoded]], applied: Mapping[int, Applied]
    ) -> None:
        """Tell who waits, and let the log forget what is applied: not with every batch, as each
        time costs it an fsync, which everybody waits for who appends. Whoever dies before leaves it
        to the one who reads on.
        """
        now = self._clock()
        self._tally.took(batches, applied, now)
        self._reach("tidy.before")
        heard: list[Decoded] = []
        for partition, each in applied.items():
            taken = [entry for entry in batches[partition] if entry.position <= each.upto]
            heard += taken
            before, corrected = self._put_off.pop(partition, ([], {}))
            taken, corrected = [*before, *taken], {**corrected, **each.corrected}
            if self._further.go_on(taken):
                self._owe(Settled(each.upto, _ids(taken), corrected))
            else:
                # It is tried again with what comes next, and by whoever begins anew.
                self._put_off[partition] = taken, corrected
                self._reader.trim_at_once(taken[0].position)
        kept: dict[str, KeptOutcome] = {}
        for each in applied.values():
            kept |= each.outcomes
        items = {key: item for each in applied.values() for key, item in each.items.items()}
        moves = [move for each in applied.values() for move in each.moves]
        self._reader.tell(moves, notices(self._engine, heard, kept, items))
        due = [each for each in applied if self._is_due(each)]
        if due or any(isinstance(each.entry, Rows) for each in heard):
            # Whoever feeds an import waits for it.
            self.settle(applied)
        for partition, each in applied.items():
            for gap in each.gaps:
                if gap.kind == "lost":
                    self._reader.forget_lost(partition, gap.epoch, gap.first_n, gap.last_n)
            if self._reader.may_trim(partition, now):
                self._reach("trim.before")
                self._reader.trim(each.upto, now)
                self._reach("trim.after")

    def settle(self, partitions: Iterable[int]) -> None:
        """Have the log forget now what is applied of these partitions."""
        owed = {each: self._owed[each][0] for each in partitions if each in self._owed}
        if owed:
            self._reach("tidy.settle")
            self._reader.settle(list(owed.values()), self._clock())
            for each in owed:
                del self._owed[each]

    def _owe(self, settled: Settled) -> None:
        partition = settled.upto.partition
        before, since = self._owed.get(partition, (None, time.monotonic()))
        if before is not None:
            settled = Settled(
                settled.upto,
                before.ids | settled.ids,
                {**before.corrected, **settled.corrected},
            )
        self._owed[partition] = settled, since

    def _is_due(self, partition: int) -> bool:
        if partition not in self._owed:
            return False
        settled, since = self._owed[partition]
        late = time.monotonic() - since >= _UNSETTLED or len(settled.ids) >= _MOST_UNSETTLED
        return late or bool(settled.corrected) or self._reader.scarce


def _decoded(found: Iterable[LogEntry]) -> list[Decoded]:
    decoded: list[Decoded] = []
    for each in found:
        entry = read(each.body)
        # One that can not be read is believed to have as many as it says.
        width = len(entry.rows) if isinstance(entry, Pack) else each.width
        decoded.append(Decoded(each.position, entry, each.body, width=width))
    return decoded


def _ids(batch: Sequence[Decoded]) -> set[str]:
    return {each.entry.id for each in batch if each.entry.id is not None}
