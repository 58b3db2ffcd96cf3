"""What a run of one side came to, sides taken in turn, and what a ratio of them is worth."""

import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

_RESAMPLED = 2_000


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one side. `rate` is per second; latencies are milliseconds, `cpu` microseconds of
    all processes of the side per request or event; `generator` is the share of a core that the load
    generator took; `count` are good answers.
    What was not measured is None.
    """

    rate: float
    p50: float | None = None
    p99: float | None = None
    cpu: float | None = None
    generator: float | None = None
    count: int = 0
    errors: int = 0


Samples = dict[str, list[Sample]]


@dataclass(slots=True)
class Found:
    """What a goal's bench found: samples by side, values by the name of a bound, and remarks."""

    sides: Samples = field(default_factory=Samples)
    values: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    notes: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with its 95 % interval."""

    median: float
    low: float
    high: float


def interleave(times: int, sides: Mapping[str, Callable[[], Sample]]) -> Samples:
    """Run every side in turn, A-B-A-B, so often; so what the machine does besides meets all."""
    samples: Samples = {name: [] for name in sides}
    for _ in range(times):
        for name, run in sides.items():
            samples[name].append(run())
    return samples


def ratios(
    over: Sequence[Sample],
    under: Sequence[Sample],
    of: Callable[[Sample], float | None] = lambda sample: sample.rate,
) -> list[float]:
    """Divide what was measured in the same turn."""
    pairs = [(of(one), of(other)) for one, other in zip(over, under, strict=True)]
    return [one / other for one, other in pairs if one is not None and other]


def spread(values: Sequence[float]) -> Spread:
    """The median and its 95 % interval, by bootstrap; of less than six values it is their range."""
    if len(values) < 6:  # noqa: PLR2004  resampling cannot leave the outermost out
        return Spread(statistics.median(values), min(values), max(values))
    dice = random.Random(1)  # noqa: S311  the same interval for the same values
    medians = sorted(
        statistics.median(dice.choices(values, k=len(values))) for _ in range(_RESAMPLED)
    )
    return Spread(
        statistics.median(values),
        medians[int(0.025 * _RESAMPLED)],
        medians[int(0.975 * _RESAMPLED)],
    )


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def zipf(dice: random.Random, items: int, draws: int) -> list[int]:
    """Draw numbers from 0 on, each as often as its rank says: half of all are of few items."""
    weights = [1 / (rank + 1) for rank in range(items)]
    numbers = list(range(items))
    # A popular item may be anywhere.
    dice.shuffle(numbers)
    return dice.choices(numbers, weights, k=draws)


class Counter:
    """Numbers that were never given before."""

    def __init__(self) -> None:
        self._numbers = count(1_000_000_000)

    def __call__(self) -> int:
        return next(self._numbers)
