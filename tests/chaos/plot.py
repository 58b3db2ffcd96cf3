"""The run as a picture: commands and reads per second, how much waits, and which faults were on."""

from collections import Counter
from pathlib import Path
from typing import Any

import matplotlib as mpl

from tests.chaos.history import read

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

_COLOURS = {
    "worker": "#1f77b4",
    "api": "#2ca02c",
    "query": "#17becf",
    "up": "#000000",
    "point": "#9467bd",
    "valkey": "#d62728",
    "proxy": "#ff7f0e",
    "sqlite": "#8c564b",
    "postgresql": "#8c564b",
    "disk": "#7f7f7f",
    "rq": "#e377c2",
    "rung": "#e377c2",
    "redis": "#d62728",
    "sql": "#8c564b",
}


class _Seconds:
    """What happened in which second, counted from the beginning of the run."""

    def __init__(self, history: Path) -> None:
        self.writes: dict[str, Counter[int]] = {
            name: Counter() for name in ("acknowledged", "refused", "unknown")
        }
        self.reads: dict[str, Counter[int]] = {"answered": Counter(), "failed": Counter()}
        self.lag: list[tuple[float, float]] = []
        self.faults: list[tuple[str, float, float]] = []
        self.heals: list[float] = []
        self._open: dict[str, list[float]] = {}
        self._began: float | None = None
        for line in read(history):
            self._take(line)
        self.length = 1 + max(
            (second for each in self.writes.values() for second in each), default=0
        )

    def _take(self, line: dict[str, Any]) -> None:
        if self._began is None:
            self._began = line["t"]
        at = line["t"] - self._began
        match line["type"], line.get("f"):
            case (("ok" | "fail" | "info"), "write"):
                for row in line["rows"]:
                    known = {"accepted": "acknowledged", "final": "acknowledged"}
                    name = known.get(row["st"], "unknown" if row["st"] == "unknown" else "refused")
                    self.writes[name][int(at)] += 1
            case (("ok" | "fail"), "read"):
                self.reads["answered" if line["type"] == "ok" else "failed"][int(at)] += 1
            case "lag", _:
                self.lag.append((at, line["oldest"]))
            case "start", name:
                self._open.setdefault(name, []).append(at)
            case "end", name:
                began = self._open[name].pop()
                if not (line["detail"] or "").startswith("did not happen"):
                    self.faults.append((name, began, at))
            case "healed", _:
                self.heals.append(line["at"] - self._began)
            case _:
                pass


def plot(history: Path, file: Path, title: str) -> None:
    """Draw the history into a PNG."""
    seconds = _Seconds(history)
    kinds = sorted({name for name, _, _ in seconds.faults}, key=lambda each: (_colour(each), each))
    width = min(60, max(12, seconds.length / 12))
    heights = [3, 1.2, 1.6, max(1.5, 0.22 * len(kinds))]
    figure, axes = plt.subplots(
        4, 1, sharex=True, figsize=(width, sum(heights) + 1), height_ratios=heights, squeeze=True
    )
    axes[0].set_title(title, loc="left")
    _stack(axes[0], seconds.writes, seconds.length, ["#2ca02c", "#bbbbbb", "#d62728"])
    axes[0].set_ylabel("commands per s")
    _stack(axes[1], seconds.reads, seconds.length, ["#1f77b4", "#d62728"])
    axes[1].set_ylabel("reads per s")
    axes[2].plot(*zip(*seconds.lag, strict=True) if seconds.lag else ((), ()), color="#333333")
    axes[2].set_ylabel("oldest not\nvisible, s")
    axes[2].set_ylim(bottom=0)
    for row, kind in enumerate(kinds):
        bars = [
            (began, max(0.3, ended - began))
            for name, began, ended in seconds.faults
            if name == kind
        ]
        axes[3].broken_barh(bars, (row - 0.4, 0.8), color=_colour(kind))
    axes[3].set_yticks(range(len(kinds)), kinds, fontsize=7)
    axes[3].set_ylim(-0.7, len(kinds) - 0.3)
    axes[3].invert_yaxis()
    axes[3].set_xlabel("s; dotted: the end of all faults")
    for each in axes:
        each.set_xlim(0, seconds.length)
        each.grid(axis="x", alpha=0.3)
        for heal in seconds.heals:
            each.axvline(heal, color="#2ca02c", linestyle=":", linewidth=0.8)
    figure.tight_layout()
    figure.savefig(file, dpi=90)
    plt.close(figure)


def _stack(axes: Axes, counts: dict[str, Counter[int]], length: int, colours: list[str]) -> None:
    axes.stackplot(
        range(length),
        [[each[second] for second in range(length)] for each in counts.values()],
        labels=list(counts),
        colors=colours,
        step="post",
    )
    most = max(
        (sum(each[second] for each in counts.values()) for second in range(length)), default=1
    )
    # Room for the legend above the curves.
    axes.set_ylim(0, most * 1.35)
    axes.legend(loc="upper left", ncols=3, fontsize=8, framealpha=0.9)


def _colour(kind: str) -> str:
    return _COLOURS.get(kind.partition("-")[0], "#7f7f7f")
