"""A child process as a value: what to run, with what, and when it has to go."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Child:
    """One process to keep alive; children with a lower `stop_order` are stopped first.

    A child with a `heartbeat` file has to touch it, or it is taken for frozen. `inherited` are the
    file descriptors it gets beyond standard output and error. One with a `word` may be forked by a
    nursery that knows it, and is then what its `argv` would have been.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    stop_order: int = 0
    heartbeat: Path | None = None
    inherited: tuple[int, ...] = ()
    word: str | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient the supervisor is, in seconds."""

    stop: float = 10.0  # from SIGTERM to SIGKILL
    heartbeat: float = 3.0  # a heartbeat older than this is that of a frozen child
    first_heartbeat: float = 30.0  # from the start of a child to its first heartbeat
    settled: float = 5.0  # a child that lived this long did not die quickly
    longest_pause: float = 5.0

    def pause(self, quick_deaths: int) -> float:
        """Seconds to wait before a restart; none after the first death, then 0.1, 0.2, 0.4, …."""
        if quick_deaths <= 1:
            return 0.0
        # Bounded before the power is taken: a child may die quickly for years.
        return min(0.1 * 2 ** min(quick_deaths - 2, 16), self.longest_pause)
