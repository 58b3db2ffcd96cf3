"""A sign of life: a file touched twice a second, unless a batch hangs."""

import threading
from collections.abc import Callable
from pathlib import Path

import structlog

_EVERY = 0.5
# Seconds. A batch takes milliseconds and the database's own time-outs end it long before this.
_HANGING = 30.0

log = structlog.get_logger()


def beat(path: Path, longest_batch: Callable[[], float], stopping: threading.Event) -> None:
    """Touch the file until the process is to stop. A frozen process, or one whose batch hangs, does
    not touch it, and the supervisor ends it.
    """
    while True:
        if longest_batch() < _HANGING:
            try:
                path.touch()
            except OSError:
                log.exception("no sign of life can be given", path=str(path))
        if stopping.wait(_EVERY):
            return
