"""Notice, before anything new goes over it, that the log came back shorter than it was.

A server that has restarted gets a new epoch at once; one that is behind the ledger gets one beyond
the ledger's. What an API process saw acknowledged beyond an epoch's end, or the ledger has taken
beyond it, is recorded as a gap.
"""

import time
from collections.abc import Callable, Mapping, Sequence

import structlog
from redis.exceptions import ResponseError
from sqlalchemy import Engine

from eventlog.lookout import Lookout, Sight
from ledger import epochs, gaps
from ledger.gaps import Gap
from ledger.partitions import Checkpoint
from runtime.failpoints import Reach, nowhere
from runtime.positions import Position

log = structlog.get_logger()


# Seconds until something is called lost: a batch that was read before the log went back may still
# be on its way into the ledger.
_GRACE = 2.0


class Losses:
    """`clock` returns milliseconds since 1970, `monotonic` and `grace` are in seconds."""

    def __init__(
        self,
        engine: Engine,
        lookout: Lookout,
        clock: Callable[[], int],
        reach: Reach = nowhere,
        monotonic: Callable[[], float] = time.monotonic,
        grace: float = _GRACE,
    ) -> None:
        self._engine = engine
        self._lookout = lookout
        self._clock = clock
        self._reach = reach
        self._monotonic = monotonic
        self._grace = grace
        # What was looked into already: by partition and epoch, up to where.
        self._settled: dict[tuple[int, int], int] = {}
        # How far the ledger was at the last look, and which partitions take no fence.
        self._ledger: dict[int, Position] = {}
        self._refused: set[int] = set()
        # Since when (monotonic seconds) something is suspected to be lost.
        self._suspected: dict[tuple[int, int], float] = {}

    def notice(self, sights: Sequence[Sight], ledger: Mapping[int, Checkpoint]) -> bool:
        """Compare the log with the ledger, which has to have been read before; fence and record.

        Says whether anything was fenced, so that the log has to be looked at anew.
        """
        fenced = False
        for sight in sights:
            checkpoint = ledger[sight.partition].position
            if checkpoint < self._ledger.get(sight.partition, checkpoint):
                # A database that was set back has forgotten its gaps, too.
                self._settled = {
                    each: n for each, n in self._settled.items() if each[0] != sight.partition
                }
            self._ledger[sight.partition] = checkpoint
            try:
                if self._fence(sight, checkpoint):
                    fenced = True
                else:
                    self._record(sight, checkpoint)
            except ResponseError as error:
                # A full server takes no new epoch: what waits is drained all the same, and the next
                # append has the fence made before anything new goes over it.
                if sight.partition not in self._refused:
                    log.warning(
                        "the log takes no fence", partition=sight.partition, error=str(error)
                    )
                self._refused.add(sight.partition)
            else:
                self._refused.discard(sight.partition)
        return fenced

    def _fence(self, sight: Sight, checkpoint: Position) -> bool:
        behind = _behind(sight, checkpoint)
        if sight.same_server and not behind:
            return False
        self._reach("fence.before")
        if behind:
            acknowledged = _acknowledged(sight)
            log.error(
                behind,
                partition=sight.partition,
                log=None if sight.head is None else sight.head.stream_id,
                ledger=checkpoint.stream_id,
                acknowledged=None if acknowledged is None else acknowledged.stream_id,
            )
        epoch = self._lookout.fence(checkpoint, force=behind is not None)
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
        now = self._monotonic()
        new = {
            epoch: n
            for epoch, n in new.items()
            if now - self._suspected.setdefault((sight.partition, epoch), now) >= self._grace
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
            fresh = gaps.record(connection, found, self._clock())
        self._settled |= {(sight.partition, epoch): n for epoch, n in new.items()}
        alarm(fresh)


def _behind(sight: Sight, checkpoint: Position) -> str | None:
    """Say what the log is behind; `None` where it has all that is known to have been in it."""
    head = sight.head or Position(sight.partition, 0, 0)
    if checkpoint.n > 0 and head < checkpoint:
        return "the log is behind the ledger: it has lost what it had acknowledged"
    seen = _acknowledged(sight)
    # Where an epoch has begun since, its fence is up already.
    if seen is not None and seen.epoch >= head.epoch and seen > head:
        return "the log is behind what a command API saw acknowledged: it has lost commands"
    return None


def _acknowledged(sight: Sight) -> Position | None:
    """Tell the last position that an API process reported to have seen acknowledged."""
    told = (Position(sight.partition, epoch, n) for epoch, n in sight.acknowledged.items())
    return max(told, default=None)


def alarm(found: Sequence[Gap]) -> None:
    """Tell the operator of gaps that are newly recorded."""
    for gap in found:
        log.error(
            "commands are missing from the log",
            partition=gap.partition,
            epoch=gap.epoch,
            first=gap.first_n,
            last=gap.last_n,
            kind=gap.kind,
        )
