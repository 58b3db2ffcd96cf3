"""Wait for what has to come true, not for a time."""

import time
from collections.abc import Callable


def until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait for the condition; fail, saying what was waited for, where it is not in time."""
    begun = time.monotonic()
    while not condition():
        waited = time.monotonic() - begun
        assert waited < seconds, f"not within {seconds:g} s: {what}"
        # Between two looks: what takes a moment is seen at once, and what takes long at most a
        # twentieth too late, without hundreds of looks that take the processor from it.
        time.sleep(min(max(waited / 20, 0.001), 0.1))
