"""The page of the results: each goal, met or not, with what it is computed from."""

import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import charts
from bench.goals import GOALS, Bound
from bench.load import LIMIT
from bench.measure import Sample, spread
from bench.results import Results, Run

_HEAD = """\
# Benchmarks

Written by `make bench` from [results.json](benchmarks/results.json), never by hand.

The service stands beside what it is compared with: each goal starts both as real processes with
their defaults, on a real disk, and takes them in turn (A-B-A-B) on the same machine. What counts is
the ratio; given are its median and its 95 % interval over the turns (of less than six turns: the
least and the greatest). A goal is met only if the worse end of that interval meets it. Anchors are
in `bench/anchors/`, short, to be argued with.

Rates are of closed loops (64 connections, if nothing else is said), latencies within them; where an
open loop is named, requests are due at random moments and latencies count from then. CPU is that of
all processes of a side. The load generator runs on the same cores: where it took more than 90 % of
one, it was the limit of that side, and the row says so.

One goal alone: `make bench GOALS="G1 G3"`.
"""


def write(results: Results, docs: Path) -> Path:
    """Write the page and its charts into the folder of the documentation; return the page."""
    folder = docs / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    charts.draw(results, folder)
    page = docs / "benchmarks.md"
    page.write_text(text(results), "utf-8")
    return page


def text(results: Results) -> str:
    """Make the page of results."""
    parts = [_HEAD, "## Measured on\n", "| | |", "|---|---|"]
    parts += [f"| {name} | {value} |" for name, value in results.machine.items()]
    parts += ["", "## Goals\n", "![each goal's ratio over what it needs](benchmarks/goals.svg)\n"]
    parts += ["| goal | | wanted | measured | met |", "|---|---|---|---|---|"]
    for name in GOALS:
        parts += _rows(name, results.runs.get(name))
    for name in GOALS:
        if run := results.runs.get(name):
            parts += ["", *_section(name, run)]
    return "\n".join(parts) + "\n"


def lines(goal: str, results: Results) -> list[str]:
    """Tell a goal's result for a terminal."""
    run = results.runs[goal]
    told = [
        f"  {name}: {_measured(bound, run.found.values[name])}, wanted {_wanted(bound)}: "
        f"{_verdict(bound, run.found.values[name])}"
        for name, bound in GOALS[goal].bounds.items()
    ]
    told += [f"    {side}: {_figures(samples)}" for side, samples in run.found.sides.items()]
    return [*told, f"  {run.seconds:.0f} s"]


def _rows(name: str, run: Run | None) -> Iterator[str]:
    goal = GOALS[name]
    for what, bound in goal.bounds.items():
        values = run.found.values[what] if run else []
        measured = _measured(bound, values) if values else "not measured"
        verdict = f"**{_verdict(bound, values)}**" if values else "no"
        yield f"| {name} {goal.title} | {what} | {_wanted(bound)} | {measured} | {verdict} |"


def _section(name: str, run: Run) -> Iterator[str]:
    goal = GOALS[name]
    yield f"## {name} {goal.title}\n"
    yield f"{goal.how}\n"
    if run.found.sides:
        yield f"![{goal.title}](benchmarks/{name.lower()}.svg)\n"
        yield "| side | per second | p50 ms | p99 ms | CPU µs each | generator | runs |"
        yield "|---|---|---|---|---|---|---|"
        for side, samples in run.found.sides.items():
            yield f"| {side} | {_cells(samples)} | {len(samples)} |"
        yield ""
    for note in run.found.notes:
        yield f"- {note}"
    errors = {s: sum(e.errors for e in them) for s, them in run.found.sides.items()}
    for side, count in errors.items():
        if count:
            yield f"- {side}: {count} answers were errors, which are not counted in its rate."
    yield f"- Commit {run.commit}; {run.seconds:.0f} s."


def _cells(samples: Sequence[Sample]) -> str:
    busy = _median([each.generator for each in samples])
    limit = " (the limit)" if busy is not None and busy > LIMIT else ""
    return " | ".join(
        [
            _number(_median([each.rate for each in samples])),
            _number(_median([each.p50 for each in samples])),
            _number(_median([each.p99 for each in samples])),
            _number(_median([each.cpu for each in samples])),
            "" if busy is None else f"{busy:.0%}{limit}",
        ]
    )


def _figures(samples: Sequence[Sample]) -> str:
    names = ("/s", "p50", "p99", "µs", "generator")
    cells = zip(names, _cells(samples).split(" | "), strict=True)
    return ", ".join(f"{value} {name}" for name, value in cells if value)


def _median(values: Sequence[float | None]) -> float | None:
    there = [each for each in values if each is not None]
    return statistics.median(there) if there else None


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004  three digits


def _wanted(bound: Bound) -> str:
    sign = "≤" if bound.most else "≥"
    hoped = f" ({_with_unit(bound, bound.hoped)} hoped for)" if bound.hoped is not None else ""
    return f"{sign} {_with_unit(bound, bound.needed)}{hoped}"


def _measured(bound: Bound, values: Sequence[float]) -> str:
    found = spread(values)
    low, high = _number(found.low), _number(found.high)
    return f"{_with_unit(bound, found.median)} ({low} to {high})"


def _with_unit(bound: Bound, value: float) -> str:
    return f"{_number(value)} {bound.unit}"


def _verdict(bound: Bound, values: Sequence[float]) -> str:
    found = spread(values)
    return "met" if bound.met(found.low, found.high) else "not met"
