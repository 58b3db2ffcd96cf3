"""How far the ledger has taken each partition of the log, and whether it gets any further."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventlog.inspect import LogHead, LogInspector
from readmodel.figures import Taken
from runtime.positions import Position
from runtime.standstill import Standstill, verdict


@dataclass(frozen=True, slots=True)
class Standing:
    """One partition: the log's `head` and the ledger's `checkpoint`, both in the newer one's epoch.

    `lag` counts what waits, in older epochs too; `lag_seconds` is how old the oldest of that is,
    `None` where it does not say so. `still` tells for how many seconds this process has seen the
    same command be the first to wait.
    """

    partition: int
    epoch: int
    head: int
    checkpoint: int
    lag: int
    lag_seconds: float | None
    still: float

    def document(self) -> dict[str, Any]:
        return {
            "partition": self.partition,
            "epoch": self.epoch,
            "head": self.head,
            "checkpoint": self.checkpoint,
            "lag": self.lag,
            "lag_seconds": self.lag_seconds,
        }


class Standings:
    """Remembers from look to look what waited. `clock` gives milliseconds since 1970, `monotonic`
    seconds.
    """

    def __init__(
        self,
        inspector: LogInspector,
        clock: Callable[[], int],
        monotonic: Callable[[], float],
    ) -> None:
        self._inspector = inspector
        self._clock = clock
        self._monotonic = monotonic
        self._standstill = Standstill()

    def compare(self, heads: Sequence[LogHead], ledger: Mapping[int, Taken]) -> list[Standing]:
        """Compare the log with the ledger, of which the log was looked at first: the ledger only
        ever moves on, so a lag is never told too large. Raises LogUnavailable.
        """
        taken = {partition: each.position for partition, each in ledger.items()}
        lags = self._inspector.lags(heads, taken)
        behind = [partition for partition, lag in lags.items() if lag]
        first = self._inspector.first_waiting(
            taken.get(each, Position(each, 0, 0)) for each in behind
        )
        # By the command, and by how much came of it so far: a large one is taken row by row. What a
        # lost log had is no command to wait for.
        places = {
            partition: (each.position, ledger[partition].events if partition in ledger else 0)
            for partition, each in first.items()
        }
        still = self._standstill.after(places, self._monotonic())
        now = self._clock()
        return [
            _standing(
                head,
                taken.get(head.partition),
                lags[head.partition],
                _age(each.received, now) if (each := first.get(head.partition)) else None,
                still.get(head.partition, 0.0),
            )
            for head in heads
        ]


def pump(standings: Sequence[Standing]) -> str | None:
    """Say that commands wait and nothing moves, where that is so."""
    return verdict({each.partition: each.still for each in standings})


def _age(received: int | None, now: int) -> float | None:
    return None if received is None else max(0, now - received) / 1000


def _standing(
    head: LogHead, taken: Position | None, lag: int, seconds: float | None, still: float
) -> Standing:
    epoch = head.epoch if taken is None else max(head.epoch, taken.epoch)
    return Standing(
        head.partition,
        epoch,
        head.n if head.epoch == epoch else 0,
        taken.n if taken is not None and taken.epoch == epoch else 0,
        lag,
        seconds if lag else 0.0,
        still,
    )
