"""Take batches through to their end, whatever is in them.

What the stores are to blame for is raised, and the same batch comes again. What a command is to
blame for is found by taking the commands one by one.
"""

import random
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import structlog
from sqlalchemy import Engine

from eventlog.envelope import Pack, Rows
from eventlog.reader import LogReader
from ledger.partitions import Checkpoint
from runtime.errors import first_line, headline
from runtime.failpoints import Reach, nowhere
from runtime.positions import Position
from runtime.request_ids import named
from worker.apply import (
    Applied,
    Circumstances,
    Decoded,
    Project,
    apply,
    condemn_nothing,
)
from worker.condemned import Condemned
from worker.losses import alarm
from worker.trouble import ProjectionFailed, is_of_data, shortened
from worker.wide import Wide, atomic_of, first_wide

# How many times a batch, and then a command alone, may be begun and end with its process.
_CHANCES = 3
_KILLS = f"begun alone {_CHANCES} times, it ended the worker's process each time"

log = structlog.get_logger()


class Batches:
    """`clock` returns milliseconds since 1970; `stopping` ends a batch that is taken one by one."""

    def __init__(
        self,
        engine: Engine,
        reader: LogReader,
        projections: Mapping[str, Project],
        clock: Callable[[], int],
        stopping: threading.Event,
        reach: Reach = nowhere,
    ) -> None:
        self._engine = engine
        self._reader = reader
        self._marks = reader.marks
        self._projections = projections
        self._clock = clock
        self._stopping = stopping
        self._reach = reach
        self._atomics = Wide(engine, projections, reader.partitions)
        # By partition, up to where this process itself has applied it.
        self._own: dict[int, Position] = {}

    def take(self, batches: Mapping[int, Sequence[Decoded]]) -> dict[int, Applied]:
        """Apply a batch of each of these partitions. Those that another writer has are left out.

        Raises what the stores raise: then nothing counts against a command.
        """
        narrow = {each: _until_wide(batch) for each, batch in batches.items()}
        try:
            together = {each: batch for each, batch in narrow.items() if batch}
            applied = self._together(together) if together else {}
            for partition in narrow.keys() - together.keys():
                applied |= self._wide(batches[partition][0])
        except Exception:
            for each in batches:
                self._own.pop(each, None)
            # The process lives: what failed did not kill it.
            self._marks.ended_alive(list(batches))
            raise
        self._own |= {each: taken.upto for each, taken in applied.items() if not taken.by_others}
        return applied

    def _wide(self, each: Decoded) -> dict[int, Applied]:
        """Apply an entry that is taken alone, and may be of several partitions."""
        partition = each.position.partition
        atomic = atomic_of(self._engine, each)
        if atomic is None:
            return self._together({partition: [each]})

        def run(given: Circumstances) -> dict[int, Applied]:
            return {partition: self._atomics.apply(each, atomic, given)}

        try:
            return self._run(run, partial(self._mark_alone, each))
        except Exception as error:
            if not is_of_data(error):
                raise
        condemned = {each.position: Condemned(shortened(traceback.format_exc()))}
        return self._run(run, condemn_nothing, condemned)

    def _together(self, batches: Mapping[int, Sequence[Decoded]]) -> dict[int, Applied]:
        try:
            return self._apply(batches, self._mark)
        except _Suspected as suspected:
            return self._apart(batches, suspected.begun)
        except Exception as error:
            if not is_of_data(error) and not isinstance(error, ProjectionFailed):
                raise
            if len(batches) == 1 and isinstance(error, ProjectionFailed):
                raise
            log.warning(
                "the database, or a view, refused a batch; it is taken apart",
                partitions=list(batches),
                error=first_line(error),
            )
        if len(batches) == 1:
            return self._one_by_one(next(iter(batches.values())), marked=False)
        applied: dict[int, Applied] = {}
        for partition, batch in batches.items():
            applied |= self._together({partition: batch})
        return applied

    def _apart(
        self, batches: Mapping[int, Sequence[Decoded]], begun: Mapping[int, int]
    ) -> dict[int, Applied]:
        """Take those by themselves that did not end the last time, after all the others and in any
        order: none of them shall be held up by one that ends its process every time.
        """
        sound = {each: batch for each, batch in batches.items() if not _is_suspect(begun, each)}
        applied = self._together(sound) if sound else {}
        suspects = [each for each in batches if each not in sound]
        random.shuffle(suspects)
        for partition in suspects:
            batch = batches[partition]
            if 0 <= begun[partition] <= _CHANCES:
                applied |= self._together({partition: batch})
            else:
                log.warning("a batch did not end, it is taken one by one", partition=partition)
                applied |= self._one_by_one(batch, marked=True)
        return applied

    def _one_by_one(self, batch: Sequence[Decoded], *, marked: bool) -> dict[int, Applied]:
        """Apply the commands of one partition each for itself."""
        partition = batch[0].position.partition
        done: list[Applied] = []
        for each in batch:
            applied = self._alone(each, marked=marked)
            if partition not in applied:
                break
            done.append(applied[partition])
            if self._stopping.is_set():
                break
        return {partition: _summed(done)} if done else {}

    def _alone(self, each: Decoded, *, marked: bool) -> dict[int, Applied]:
        """Apply an entry, or one row of it, by itself; what can not be applied is dead."""
        try:
            mark = self._mark_of(each) if marked else condemn_nothing
            return self._apply({each.position.partition: [each]}, mark)
        except _SomeRow:
            return self._row_by_row(each, marked=True)
        except Exception as error:
            if not is_of_data(error):
                raise
            if _rows(each):
                return self._row_by_row(each, marked=marked)
            return self._condemn(each, shortened(traceback.format_exc()))

    def _row_by_row(self, each: Decoded, *, marked: bool) -> dict[int, Applied]:
        """Apply the rows of an entry each for itself, and then the entry: its rows are known then,
        and it is done with. Who dies in between begins it again.
        """
        partition = each.position.partition
        last = self._marks.row(partition) if marked else None
        done: list[Applied] = []
        for row in _from(last, _rows(each)):
            applied = self._alone(row, marked=marked)
            if partition not in applied or self._stopping.is_set():
                return {partition: _summed(done)} if done else {}
            done.append(applied[partition])
        applied = self._apply({partition: [each]}, condemn_nothing)
        done += applied.values()
        return {partition: _summed(done)}

    def _condemn(self, each: Decoded, why: str) -> dict[int, Applied]:
        """Apply a command that can not be applied: it is dead; or an order about one."""
        alone = {each.position.partition: [each]}
        try:
            return self._apply(alone, condemn_nothing, {each.position: Condemned(why)})
        except Exception as error:
            if not is_of_data(error):
                raise
        last = Condemned(why, again=True)
        return self._apply(alone, condemn_nothing, {each.position: last})

    def _apply(
        self,
        batches: Mapping[int, Sequence[Decoded]],
        locked: Callable[[Mapping[int, Checkpoint]], Mapping[Position, Condemned]],
        condemned: Mapping[Position, Condemned] | None = None,
    ) -> dict[int, Applied]:
        """Apply in one transaction."""
        run = partial(apply, self._engine, self._projections, batches)
        return self._run(run, locked, condemned, several=len(batches) > 1)

    def _run(
        self,
        run: Callable[[Circumstances], dict[int, Applied]],
        locked: Callable[[Mapping[int, Checkpoint]], Mapping[Position, Condemned]],
        condemned: Mapping[Position, Condemned] | None = None,
        *,
        several: bool = False,
    ) -> dict[int, Applied]:
        """Apply; leave out projections that fail on their own."""
        detach: dict[str, str] = {}
        while True:
            given = Circumstances(
                # Asked after the entries were read: an epoch's end is written with its successor.
                self._reader.lookout.epoch_ends,
                self._clock(),
                condemned or {},
                detach,
                locked,
                self._reach,
            )
            try:
                applied = run(given)
            except ProjectionFailed as failed:
                if failed.name in detach or several:
                    raise
                log.exception("a projection failed, it stays behind", projection=failed.name)
                detach[failed.name] = shortened(
                    "".join(traceback.format_exception(failed.__cause__ or failed))
                )
            else:
                for each in applied.values():
                    _tell(each)
                return applied

    def _mark(self, held: Mapping[int, Checkpoint]) -> Mapping[Position, Condemned]:
        """Mark, under the lock, that batches are begun; stop where one did not end too often.

        One that follows on what this process has itself applied is not marked, as each mark costs
        the log an fsync: if it ends the process, the next one finds no mark, makes it, and counts
        from there.
        """
        unmarked = [
            each.position
            for partition, each in held.items()
            if self._own.get(partition) != each.position
        ]
        begun = self._marks.begin(unmarked) if unmarked else {}
        some_together = len(begun) > 1 and any(_is_suspect(begun, each) for each in begun)
        if some_together or any(times < 0 or times > _CHANCES for times in begun.values()):
            raise _Suspected(begun)
        return {}

    def _mark_of(
        self, each: Decoded
    ) -> Callable[[Mapping[int, Checkpoint]], Mapping[Position, Condemned]]:
        match each:
            case Decoded(entry=Rows(rows=(row,)) | Pack(rows=(row,)), part=True):
                return partial(self._mark_row, each.position, row.id)
            case _:
                return partial(self._mark_alone, each)

    def _mark_alone(
        self, alone: Decoded, _held: Mapping[int, Checkpoint]
    ) -> Mapping[Position, Condemned]:
        """Mark, under the lock, that a command is begun alone; condemn it where that ended its
        process too often.
        """
        times = self._marks.begin_alone(alone.position)
        if times <= _CHANCES:
            return {}
        if _rows(alone):
            raise _SomeRow
        return {alone.position: Condemned(_KILLS, again=times > 2 * _CHANCES)}

    def _mark_row(
        self, position: Position, row: str, _held: Mapping[int, Checkpoint]
    ) -> Mapping[Position, Condemned]:
        """Do the same for a row of an entry."""
        times = self._marks.begin_row(position.partition, row)
        return {position: Condemned(_KILLS)} if times > _CHANCES else {}


def _until_wide(batch: Sequence[Decoded]) -> Sequence[Decoded]:
    """Take the entries before the first that is taken alone."""
    place = first_wide(batch)
    return batch if place is None else batch[:place]


def _is_suspect(begun: Mapping[int, int], partition: int) -> bool:
    """Say whether another process had begun the same and did not come to its end."""
    # One that nobody holds was not marked: it is left out anyway.
    return begun.get(partition, 1) not in {0, 1}


def _rows(each: Decoded) -> list[Decoded]:
    """Part an entry of several rows into one of each; there are none of any other."""
    entry = each.entry
    if not isinstance(entry, Rows | Pack) or len(entry.rows) == 1:
        return []
    parts = [replace(each, entry=replace(entry, rows=(row,)), part=True) for row in entry.rows]
    if isinstance(entry, Rows):
        return parts
    first = each.first
    return [
        replace(part, position=replace(first, n=first.n + place), width=1)
        for place, part in enumerate(parts)
    ]


def _from(row_id: str | None, rows: list[Decoded]) -> list[Decoded]:
    """Leave out the rows before the one that was begun last: they are known."""
    places = [place for place, each in enumerate(rows) if _row_id(each) == row_id]
    return rows[places[0] :] if places else rows


def _row_id(each: Decoded) -> str | None:
    match each.entry:
        case Rows(rows=(row,)) | Pack(rows=(row,)):
            return row.id
        case _:
            return None


class _SomeRow(Exception):
    """One of the rows of an entry ends the process; it is not known which."""


class _Suspected(Exception):
    """Some of these batches were begun before; `begun` tells how often, as Marks.begin does."""

    def __init__(self, begun: Mapping[int, int]) -> None:
        super().__init__(str(begun))
        self.begun = begun


def _summed(applied: Sequence[Applied]) -> Applied:
    return Applied(
        applied[-1].upto,
        {key: value for each in applied for key, value in each.outcomes.items()},
        {key: value for each in applied for key, value in each.items.items()},
        sum(each.events for each in applied),
        [gap for each in applied for gap in each.gaps],
        {key: value for each in applied for key, value in each.dead.items()},
        {key: value for each in applied for key, value in each.corrected.items()},
        [move for each in applied for move in each.moves],
    )


def _tell(applied: Applied) -> None:
    """Raise the alarm for what is missing and for what is dead."""
    alarm(applied.gaps)
    for command_id, dead in applied.dead.items():
        log.error(
            "a command is dead; see `itemledger dead`",
            partition=applied.upto.partition,
            command_id=command_id,
            **named(dead.request_id, dead.trace),
            error=headline(dead.why),
        )
