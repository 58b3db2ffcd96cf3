"""The functions that a job may name. They carry no data: what there is to do stands in the log."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from worker.drain import Drain
from worker.housekeeping import Housekeeping


@dataclass(frozen=True, slots=True)
class Duties:
    """What this process does when a job asks for it."""

    drain: Drain
    housekeeping: Housekeeping


_duties: ContextVar[Duties] = ContextVar("duties")


@contextmanager
def on_duty(duties: Duties) -> Generator[None]:
    """Say what the jobs of this thread work with."""
    token = _duties.set(duties)
    try:
        yield
    finally:
        _duties.reset(token)


def drain() -> None:
    """Empty the partitions that are ready."""
    _duties.get().drain.answer()


def housekeep() -> None:
    """Forget what is kept no longer, and give way to commands meanwhile."""
    duties = _duties.get()
    duties.housekeeping.run(duties.drain.answer)
