"""What was measured, as it is kept: a file of JSON."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from bench.goals import GOALS
from bench.measure import Found, Sample


@dataclass(slots=True)
class Run:
    """What a goal's bench found, on which commit, and how many seconds it took."""

    found: Found
    commit: str
    seconds: float


@dataclass(slots=True)
class Results:
    machine: dict[str, str] = field(default_factory=dict[str, str])
    runs: dict[str, Run] = field(default_factory=dict[str, Run])

    def take(self, goal: str, found: Found, commit: str, seconds: float) -> None:
        """Take what was found. Raises ValueError where it is not about the bounds of the goal."""
        if set(found.values) != set(GOALS[goal].bounds):
            raise ValueError(f"{goal}: measured {sorted(found.values)}")
        self.runs[goal] = Run(found, commit, round(seconds, 1))

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read a file of results; nothing was measured where there is none."""
        if not file.exists():
            return cls()
        told: dict[str, Any] = json.loads(file.read_text("utf-8"))
        runs = {
            name: Run(
                Found(
                    {side: [Sample(**s) for s in them] for side, them in run["sides"].items()},
                    run["values"],
                    run["notes"],
                ),
                run["commit"],
                run["seconds"],
            )
            for name, run in told["goals"].items()
        }
        return cls(told["machine"], runs)

    def write(self, file: Path) -> None:
        goals = {
            name: {
                "commit": self.runs[name].commit,
                "seconds": self.runs[name].seconds,
                **_short(asdict(self.runs[name].found)),
            }
            for name in GOALS
            if name in self.runs
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"machine": self.machine, "goals": goals}, indent=1) + "\n")


def _short(value: Any) -> Any:
    """Leave out the digits that mean nothing."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {name: _short(each) for name, each in value.items()}
    return [_short(each) for each in value] if isinstance(value, list) else value
