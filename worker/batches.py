"""Take one batch of a partition through to its end, whatever is in it.

What the stores are to blame for is raised, and the same batch comes again. What a command is to
blame for is found by taking the commands one by one.
"""

import threading
import traceback
from collections.abc import Callable, Mapping, Sequence

import structlog
from sqlalchemy import Engine

from eventlog.reader import Begun, LogReader
from runtime.failpoints import Reach, nowhere
from runtime.positions import Position
from worker.apply import Applied, Circumstances, Decoded, Held, Project, apply
from worker.trouble import ProjectionFailed, is_of_data, shortened

# How many times a batch, and then a command alone, may be begun and end with its process.
_CHANCES = 3

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
        self._projections = projections
        self._clock = clock
        self._stopping = stopping
        self._reach = reach

    def take(self, batch: Sequence[Decoded], begun: Begun) -> Applied:
        """Apply a batch, with regard to how it was begun before.

        Raises Held, and what the stores raise: then nothing counts against a command.
        """
        try:
            if begun.alone or begun.times > _CHANCES:
                log.warning(
                    "a batch did not end, it is taken one by one",
                    partition=batch[0].position.partition,
                    begun=begun.times,
                )
                return self._one_by_one(batch, marked=True)
            try:
                return self._apply(batch)
            except Exception as error:
                if not is_of_data(error):
                    raise
                log.warning(
                    "the database refused a batch, it is taken one by one",
                    partition=batch[0].position.partition,
                    error=str(error).partition("\n")[0],
                )
                return self._one_by_one(batch, marked=False)
        except Held:
            raise
        except Exception:
            # The process lives: what failed did not kill it.
            self._reader.ended_alive(batch[0].position.partition)
            raise

    def _one_by_one(self, batch: Sequence[Decoded], *, marked: bool) -> Applied:
        applied: list[Applied] = []
        for each in batch:
            try:
                applied.append(self._apply([each], marked=marked))
            except Exception as error:
                if not is_of_data(error):
                    raise
                why = shortened(traceback.format_exc())
                applied.append(self._apply([each], condemned={each.position: why}))
            if self._stopping.is_set():
                break
        return _together(applied)

    def _apply(
        self,
        batch: Sequence[Decoded],
        *,
        marked: bool = False,
        condemned: Mapping[Position, str] | None = None,
    ) -> Applied:
        """Apply in one transaction; leave out projections that fail on their own."""
        partition = batch[0].position.partition
        detach: dict[str, str] = {}
        while True:
            given = Circumstances(
                # Asked after the entries were read: an epoch's end is written with its successor.
                lambda: self._reader.epoch_ends(partition),
                self._clock(),
                condemned or {},
                detach,
                (lambda: self._mark(batch[0])) if marked else dict,
                self._reach,
            )
            try:
                applied = apply(self._engine, self._projections, batch, given)
            except ProjectionFailed as failed:
                if failed.name in detach:
                    raise
                log.exception("a projection failed, it stays behind", projection=failed.name)
                detach[failed.name] = shortened(
                    "".join(traceback.format_exception(failed.__cause__ or failed))
                )
            else:
                _tell(applied)
                return applied

    def _mark(self, alone: Decoded) -> Mapping[Position, str]:
        """Mark, under the lock, that a command is begun alone; condemn it where that ended its
        process too often.
        """
        if self._reader.begin_alone(alone.position) <= _CHANCES:
            return {}
        why = f"begun alone {_CHANCES} times, it ended the worker's process each time"
        return {alone.position: why}


def _together(applied: Sequence[Applied]) -> Applied:
    return Applied(
        applied[-1].upto,
        {key: value for each in applied for key, value in each.outcomes.items()},
        {key: value for each in applied for key, value in each.items.items()},
        sum(each.events for each in applied),
        [gap for each in applied for gap in each.gaps],
        {key: value for each in applied for key, value in each.dead.items()},
    )


def _tell(applied: Applied) -> None:
    """Raise the alarm for what is missing and for what is dead."""
    for gap in applied.gaps:
        log.error(
            "commands are missing from the log",
            partition=gap.partition,
            epoch=gap.epoch,
            first=gap.first_n,
            last=gap.last_n,
            kind=gap.kind,
        )
    for command_id, why in applied.dead.items():
        log.error(
            "a command is dead; see `itemledger dead`",
            partition=applied.upto.partition,
            command_id=command_id,
            error=why.strip().splitlines()[-1],
        )
