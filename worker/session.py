"""Some partitions drained together for a slice of time; while more is to be expected, it is waited
for on the log itself: a doorbell takes longer than a batch.

No promise hangs on the waiting. Bells were cleared before the first read, so whatever was appended
since has rung, and who ends here leaves it to those who were called.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from eventlog.envelope import Rows
from runtime.positions import Position
from worker.apply import Applied, Decoded
from worker.intake import Intake, Stretch

# Commands that share a transaction, about, and the least that is read of each partition.
BATCH = 1000
_LEAST = 50
# Rows of imports that share one: whoever else comes waits for these at least. Where anybody does
# come, the command API lets fewer wait than that.
_ROWS = 1000
# Seconds for which more is waited for, and more rows of an import alone: to be called for them
# takes as long.
_LINGER, _LINGER_FOR_ROWS = 0.1, 0.03

Batches = Mapping[int, Sequence[Decoded]]
Found = Mapping[int, Stretch]


class Session:
    """`hold` takes a partition, if no other thread has it; `apply` applies a batch of each of some
    partitions. It is over after so many `seconds`, or when `stopping` is set. `watched` are the
    partitions that may be waited for, and are taken along when something comes; it is empty where
    that is not to be.
    """

    def __init__(
        self,
        intake: Intake,
        hold: Callable[[int], bool],
        apply: Callable[[Batches], dict[int, Applied]],
        stopping: threading.Event,
        seconds: float,
        watched: Iterable[int] = (),
    ) -> None:
        self._intake = intake
        self._hold = hold
        self._apply = apply
        self._stopping = stopping
        self._seconds = seconds
        self._watched = set(watched)
        # Up to where each of mine is applied, and where to wait for each of the others.
        self._at: dict[int, Position] = {}
        self._others: dict[int, Position] | None = None
        self._did_any = False
        # Those that were wanted and that somebody else has.
        self.held: set[int] = set()

    @property
    def mine(self) -> AbstractSet[int]:
        """The partitions that were taken."""
        return self._at.keys()

    def drain(self, wanted: Collection[int]) -> set[int]:
        """Drain these partitions, and what comes meanwhile; tell which are not empty."""
        due = self._begin(wanted)
        self.held = set(wanted) - due
        until = time.monotonic() + self._seconds
        found: Found = {}
        while due or found:
            if self._stopping.is_set() or time.monotonic() > until:
                return due | found.keys()
            if due:
                count = max(_LEAST, BATCH // len(due))
                found = self._intake.read({each: self._at[each] for each in due}, count)
            due, fed = self._take(found, wanted)
            found = {} if due else self._wait(fed)
        return set()

    def _begin(self, wanted: Collection[int]) -> set[int]:
        mine = [each for each in wanted if self._hold(each)]
        if mine:
            self._at |= self._intake.begin(mine)
        return set(mine)

    def _take(self, found: Found, wanted: Collection[int]) -> tuple[set[int], set[int]]:
        """Apply what was found; tell where there is more, and which are fed by an import."""
        most = _ROWS // max(1, len(found))
        batches = {each: _in_hand(it.batch, most) for each, it in found.items() if it.batch}
        applied = self._apply(batches) if batches else {}
        self._at |= {each: taken.upto for each, taken in applied.items()}
        elsewhere = batches.keys() - applied.keys()
        self.held |= elsewhere & set(wanted)
        elsewhere |= {each for each, taken in applied.items() if taken.by_others}
        self._did_any = self._did_any or elsewhere != batches.keys()
        # Whoever else is at it need not be waited beside.
        self._watched -= elsewhere
        # Where all was read, what was appended since rings.
        more = {
            each
            for each, taken in applied.items()
            if not found[each].whole or taken.upto < found[each].batch[-1].position
        }
        return more, {each for each in applied if _is_fed(batches[each])}

    def _wait(self, fed: set[int]) -> Found:
        """Wait for more; where none comes, nothing is found."""
        if self._watched and self._did_any:
            watched, seconds = self._lookout(), _LINGER
        else:
            watched, seconds = {each: self._at[each] for each in fed}, _LINGER_FOR_ROWS
        if not watched or self.held:
            return {}
        count = max(_LEAST, BATCH // len(watched))
        found = dict(self._intake.wait(watched, count, seconds))
        joined = found.keys() - self._at.keys()
        if joined:
            begun = self._begin(joined)
            self._watched -= joined - begun
            # Their bells are cleared now, so they are read after that.
            found |= self._intake.read({each: self._at[each] for each in begun}, count)
        return {each: stretch for each, stretch in found.items() if each in self._at}

    def _lookout(self) -> dict[int, Position]:
        if self._others is None:
            self._others = self._intake.checkpoints(sorted(self._watched - self._at.keys()))
        all_of_them = self._others | self._at
        return {each: all_of_them[each] for each in sorted(self._watched)}


def _in_hand(batch: Sequence[Decoded], most: int) -> Sequence[Decoded]:
    """Take entries until they have so many rows of imports, or all of them."""
    rows = 0
    for place, each in enumerate(batch):
        if isinstance(each.entry, Rows):
            rows += len(each.entry.rows)
            if rows >= most:
                return batch[: place + 1]
    return batch


def _is_fed(batch: Sequence[Decoded]) -> bool:
    """Say whether an import is being fed, so that more will come at once."""
    return isinstance(batch[-1].entry, Rows)
