"""Wait for what has to come true, with a deadline; and let a fault last."""

import threading
import time
from collections.abc import Callable


class NotInTime(Exception):
    """What was waited for did not come true."""


def until(condition: Callable[[], object], seconds: float, what: str, every: float = 0.02) -> None:
    """Raises NotInTime."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise NotInTime(f"not within {seconds:g} s: {what}")
        time.sleep(every)  # between two looks at a condition with a deadline


class Patience:
    """Lets a fault last, unless the run is over."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def hold(self, seconds: float) -> None:
        self.over.wait(seconds)
