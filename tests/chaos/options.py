"""What a run is made of; all of it is printed and kept with its report."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parents[2]

DatabaseName = Literal["sqlite", "postgresql"]
Mode = Literal["own", "embedded"]


@dataclass(frozen=True, slots=True)
class Least:
    """What a run has to have seen before it may end: how much comes in a given time depends on the
    machine. `commands` are those that were acknowledged, `lone` kills those of one worker and
    nothing else.
    """

    faults: int = 0
    kinds: int = 0
    commands: int = 0
    lone: int = 0


@dataclass(frozen=True, slots=True)
class Options:
    """`root` is the product to run, `folder` takes the report; `faults` names kinds or classes.

    Lengths are seconds: of the chaos, of a stormy and a calm stretch (about), and how long it may
    take at most from a heal until everything acknowledged is visible. The chaos goes on beyond its
    seconds until there was the `least`, or something is wrong. `stop_at_first` ends a run as soon
    as something is seen to be wrong.
    """

    folder: Path
    seconds: float = 60.0
    least: Least = Least()
    seed: int = 1
    database: DatabaseName = "sqlite"
    mode: Mode = "own"
    root: Path = ROOT
    faults: tuple[str, ...] = ("default",)
    storm: float = 12.0
    calm: float = 7.0
    limit: float = 20.0
    quiet_limit: float = 60.0
    volume: int = 3
    pace: float = 1.0
    valkey: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_at_first: bool = False

    @property
    def workers(self) -> int:
        return 1 if self.database == "sqlite" else 2

    @property
    def partitions(self) -> int:
        return 4 if self.database == "sqlite" else 8
