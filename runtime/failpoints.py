"""Named points at which a test of reliability may kill, freeze or fail a process.

Whoever tests names a folder in the settings and puts a file there, named as the point is and
holding what is to happen: `kill`, `freeze` or `raise`. The first process to reach the point takes
the file away and does that, once. Without the setting reaching a point does nothing.
"""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

Reach = Callable[[str], None]


class FailedOnPurpose(Exception):
    """A test has asked for this."""


def nowhere(_point: str) -> None:
    """Reach a point where nobody tests."""


def failpoints(folder: Path | None) -> Reach:
    """Make the function that is called at every point; it takes the name of the point."""
    if folder is None:
        return nowhere

    def reach(point: str) -> None:
        with suppress(FileNotFoundError):
            # A rename succeeds for one process only.
            taken = (folder / point).rename(folder / f"{point}.reached-{os.getpid()}")
            _fail(taken.read_text().strip(), point)

    return reach


def _fail(mode: str, point: str) -> None:
    match mode:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "freeze":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "raise":
            raise FailedOnPurpose(point)
        case _:
            raise ValueError(f"{mode!r} is no way to fail at {point}: kill, freeze or raise")
