"""Is what waits getting any further? Told from two looks at the same, by one clock: that of the
process that looks, and no other's.
"""

import threading
from collections.abc import Hashable, Mapping

# Seconds after which what waits at the same place is not merely slow. A healthy deployment has
# moved by then: a worker that hears no doorbell looks for itself after 2 s, one that is frozen is
# killed after 3 s, one that died is begun again within 5 s; a batch takes milliseconds.
DEAD_AFTER = 10.0


class Standstill:
    """Remembers since when each partition waits at one place, however seldom it is looked at: what
    was first to wait at both of two looks has been so all the time between. Safe to share between
    threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[int, tuple[Hashable, float]] = {}

    def after(self, waiting: Mapping[int, Hashable], now: float) -> Mapping[int, float]:
        """Take in a look: by partition what is first to wait, where anything is. Tell for how many
        seconds each has been seen to wait at that. `now` is monotonic seconds, after the look.
        """
        with self._lock:
            self._seen = {
                partition: before
                if (before := self._seen.get(partition)) is not None and before[0] == place
                else (place, now)
                for partition, place in waiting.items()
            }
            return {
                partition: max(0.0, now - since) for partition, (_, since) in self._seen.items()
            }


def verdict(still: Mapping[int, float]) -> str | None:
    """Say that nothing moves, where that is so; `still` tells by partition for how many seconds
    what waits there has not moved.
    """
    dead = {partition: since for partition, since in still.items() if since >= DEAD_AFTER}
    if not dead:
        return None
    longest = max(dead.values())
    if len(dead) == 1:
        (partition,) = dead
        where = f"in partition {partition}"
    else:
        where = f"in {len(dead)} partitions"
    for_long = f"nothing has moved there for {longest:.0f} s"
    return f"commands wait {where} and {for_long}: see to the workers"
