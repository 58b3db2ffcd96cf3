"""The charts of the page: every goal at a glance, and the sides of each."""

import statistics
from pathlib import Path

import matplotlib as mpl

from bench.goals import GOALS
from bench.measure import spread
from bench.results import Results, Run

_MET, _NOT, _SIDE = "#2f7d4f", "#b3423a", "#4a6fa5"


def draw(results: Results, folder: Path) -> None:
    """Draw into a folder as SVG; the same results give the same files."""
    mpl.use("svg")
    with mpl.rc_context({"svg.hashsalt": "itemledger", "svg.fonttype": "none", "font.size": 9}):
        _goals(results, folder / "goals.svg")
        for name, run in results.runs.items():
            if run.found.sides:
                _sides(name, run, folder / f"{name.lower()}.svg")


def _goals(results: Results, file: Path) -> None:
    """Draw how often each value is what it needs to be: right of 1 is good."""
    from matplotlib import pyplot as plt  # noqa: PLC0415  after the choice of how to draw

    rows = [
        (f"{name} {what}", bound, spread(run.found.values[what]))
        for name, run in ((name, results.runs.get(name)) for name in GOALS)
        if run
        for what, bound in GOALS[name].bounds.items()
    ]
    figure, axes = plt.subplots(figsize=(9, 0.8 + 0.28 * len(rows)), layout="constrained")
    for place, (_, bound, found) in enumerate(rows):
        ends = [each / bound.needed for each in (found.low, found.median, found.high)]
        if bound.most:
            ends = [1 / each for each in reversed(ends)]
        colour = _MET if bound.met(found.low, found.high) else _NOT
        axes.plot([ends[0], ends[2]], [place, place], color=colour, linewidth=2)
        axes.plot(ends[1], place, "o", color=colour)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_yticks(range(len(rows)), [label for label, _, _ in rows])
    axes.invert_yaxis()
    axes.set_xlabel("times as good as needed (median and interval)")
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


def _sides(name: str, run: Run, file: Path) -> None:
    from matplotlib import pyplot as plt  # noqa: PLC0415  after the choice of how to draw

    sides = run.found.sides
    figure, axes = plt.subplots(figsize=(8, 0.8 + 0.35 * len(sides)), layout="constrained")
    for place, samples in enumerate(sides.values()):
        rates = [each.rate for each in samples]
        middle = statistics.median(rates)
        axes.barh(place, middle, color=_SIDE)
        axes.plot([min(rates), max(rates)], [place, place], color="black", linewidth=1)
        axes.text(middle, place, f" {middle:,.0f}", va="center")
    axes.set_yticks(range(len(sides)), list(sides))
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_xlabel("per second")
    axes.set_title(f"{name} {GOALS[name].title}")
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)
