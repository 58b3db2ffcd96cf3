"""Notice, before anything new goes over it, that the log came back shorter than it was.

A server that has restarted gets a new epoch at once; one that is behind the ledger gets one beyond
the ledger's. What an API process saw acknowledged beyond an epoch's end, or the ledger has taken
beyond it, is recorded as a gap.
"""

from collections.abc import Callable, Mapping, Sequence

import structlog
from sqlalchemy import Engine

from eventlog.lookout import Lookout, Sight
from ledger import epochs, gaps
from ledger.gaps import Gap
from ledger.partitions import Checkpoint
from runtime.failpoints import Reach, nowhere
from runtime.positions import Position

log = structlog.get_logger()


class Losses:
    """`clock` returns milliseconds since 1970."""

    def __init__(
        self, engine: Engine, lookout: Lookout, clock: Callable[[], int], reach: Reach = nowhere
    ) -> None:
        self._engine = engine
        self._lookout = lookout
        self._clock = clock
        self._reach = reach
        # What was looked into already: by partition and epoch, up to where.
        self._settled: dict[tuple[int, int], int] = {}

    def notice(self, sights: Sequence[Sight], ledger: Mapping[int, Checkpoint]) -> bool:
        """Compare the log with the ledger, which has to have been read before; fence and record.

        Says whether anything was fenced, so that the log has to be looked at anew.
        """
        fenced = False
        for sight in sights:
            checkpoint = ledger[sight.partition].position
            if self._fence(sight, checkpoint):
                fenced = True
            else:
                self._record(sight, checkpoint)
        return fenced

    def _fence(self, sight: Sight, checkpoint: Position) -> bool:
        behind = checkpoint.n > 0 and (sight.head is None or sight.head < checkpoint)
        if sight.same_server and not behind:
            return False
        self._reach("fence.before")
        if behind:
            log.error(
                "the log is behind the ledger: it has lost what it had acknowledged",
                partition=sight.partition,
                log=None if sight.head is None else sight.head.stream_id,
                ledger=checkpoint.stream_id,
            )
        epoch = self._lookout.fence(checkpoint, force=behind)
        log.info("the log has a new epoch", partition=sight.partition, epoch=epoch)
        self._reach("fence.after")
        return True

    def _record(self, sight: Sight, checkpoint: Position) -> None:
        suspects = dict(sight.acknowledged)
        if 0 < checkpoint.epoch < sight.epoch and checkpoint.n:
            suspects.setdefault(checkpoint.epoch, checkpoint.n)
        new = {
            epoch: n
            for epoch, n in suspects.items()
            if epoch < sight.epoch and self._settled.get((sight.partition, epoch), 0) < n
        }
        if not new:
            return
        ends = self._lookout.epoch_ends(sight.partition)
        with self._engine.begin() as connection:
            found: list[Gap] = []
            for epoch, acknowledged in new.items():
                taken = epochs.taken(connection, sight.partition, epoch)
                found += gaps.kept(Position(sight.partition, epoch, taken), ends)
                found += gaps.beyond(
                    Position(sight.partition, epoch, acknowledged), max(taken, ends.get(epoch, 0))
                )
            known = set(gaps.recorded(connection, sight.partition))
            fresh = [gap for gap in found if gap not in known]
            gaps.record(connection, fresh, self._clock())
        self._settled |= {(sight.partition, epoch): n for epoch, n in new.items()}
        for gap in fresh:
            log.error(
                "commands are missing from the log",
                partition=gap.partition,
                epoch=gap.epoch,
                first=gap.first_n,
                last=gap.last_n,
                kind=gap.kind,
            )
