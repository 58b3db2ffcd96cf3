"""How often one caller may ask, counted in this process: a read waits for nobody."""

import math
import time
from collections.abc import Callable

from runtime.auth.denied import too_often

# Counts a request of this caller; raises Denied where it is one too many.
Limit = Callable[[str], None]


def unlimited(_: str) -> None:
    """Let everybody ask as often as they like."""


def limit_here(rate: str) -> Limit:
    """Make the limit: a window begins with a caller's first request."""
    # Here, as it takes a tenth of the time to start, and most have no limit.
    from limits import parse  # noqa: PLC0415
    from limits.storage import MemoryStorage  # noqa: PLC0415
    from limits.strategies import FixedWindowRateLimiter  # noqa: PLC0415

    item = parse(rate)
    counting = FixedWindowRateLimiter(MemoryStorage())

    def limit(caller: str) -> None:
        if not counting.hit(item, caller):
            reset = counting.get_window_stats(item, caller).reset_time
            raise too_often(max(1, math.ceil(reset - time.time())))

    return limit
