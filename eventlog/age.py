"""How long the oldest command waits, told from where the log's end was and when: no entry is read,
and no clock but this process's own is asked.
"""

from collections import defaultdict, deque
from collections.abc import Sequence

from eventlog.backlog import Extent
from runtime.positions import Position

# Looks that are remembered of a partition that waits: of more, every second one is forgotten, which
# tells an age too short by no more than the time between two.
_LOOKS = 1000


class Age:
    """Times are monotonic seconds."""

    def __init__(self) -> None:
        self._looks: dict[int, deque[tuple[float, Position]]] = defaultdict(deque)

    def after(self, extents: Sequence[Extent], waiting: Sequence[int], now: float) -> float:
        """Take in a look at all partitions, with how many commands wait in each; tell for how long
        the oldest has been seen to wait.
        """
        seen = enumerate(zip(extents, waiting, strict=True))
        return max((self._of(each, *of, now) for each, of in seen), default=0.0)

    def _of(self, partition: int, extent: Extent, waiting: int, now: float) -> float:
        looks = self._looks[partition]
        if not waiting:
            # The end of the log may lie behind what is done: an epoch that has only begun is empty.
            looks.clear()
            return 0.0
        if extent.head is not None and (not looks or looks[-1][1] != extent.head):
            looks.append((now, extent.head))
        while looks and extent.done is not None and looks[0][1] <= extent.done:
            looks.popleft()
        if len(looks) > _LOOKS:
            self._looks[partition] = deque(list(looks)[::2])
        return now - looks[0][0] if looks else 0.0
