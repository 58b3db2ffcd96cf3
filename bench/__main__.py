"""Every goal measured, one after the other: what it came to as JSON and as a page.

    python -m bench [G1 G3 …] [--results FILE] [--folder DIR] [--many 10000000]

Goals that are named replace what the file of results has of them and leave the others.
"""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from bench import (
    applying,
    commands,
    effort,
    footprint,
    growth,
    lag,
    machine,
    mix,
    pages,
    reads,
    rebuilding,
    report,
)
from bench.goals import GOALS
from bench.measure import Found
from bench.results import Results
from bench.sides import ROOT, Stage
from bench.sizes import FULL, Size

RUNS: Mapping[str, Callable[[Stage, Size], Found]] = {
    "G1": reads.warm,
    "G2": reads.uncached,
    "G3": reads.not_modified,
    "G4": pages.listing,
    "G5": commands.single,
    "G6": commands.batches,
    "G7": applying.apply,
    "G8": applying.against_copy,
    "G9": rebuilding.rebuild,
    "G10": lag.lag,
    "G11": footprint.footprint,
    "G12": growth.growth,
    "G13": effort.effort,
    "G14": mix.mixed,
}
_RESULTS = ROOT / "docs" / "benchmarks" / "results.json"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("goals", nargs="*", metavar="GOAL", help=", ".join(GOALS))
    parser.add_argument("--results", type=Path, default=_RESULTS)
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder of the page")
    parser.add_argument("--folder", type=Path, default=ROOT / ".bench")
    parser.add_argument("--many", type=int, default=FULL.many, help="items of G12's large side")
    parser.add_argument("--report", action="store_true", help="only write the page again")
    given = parser.parse_args()
    if unknown := set(given.goals) - set(GOALS):
        parser.error(f"there is no goal {', '.join(sorted(unknown))}")
    # Whoever ends this ends all that it started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    results, failed = Results.read(given.results), list[str]()
    if not given.report:
        given.folder.mkdir(parents=True, exist_ok=True)
        machine.require_disk(given.folder)
        results.machine = machine.describe(given.folder)
        for name in given.goals or RUNS:
            try:
                measure(results, name, given.folder, replace(FULL, many=given.many))
            except SystemExit as error:
                # The others are worth having all the same.
                print(f"  {name} could not be measured: {error}", flush=True)
                failed.append(name)
            results.write(given.results)
    # What is written is made of what is kept, to the last digit.
    page = report.write(Results.read(given.results), given.docs)
    print(f"written: {given.results}, {page}")
    return int(bool(failed))


def measure(results: Results, name: str, folder: Path, size: Size) -> None:
    """Measure a goal, and say what came of it."""
    begun = time.monotonic()
    print(f"{name} {GOALS[name].title} …", flush=True)
    # Sockets have short paths.
    made = Path(tempfile.mkdtemp(dir=folder, prefix="b"))
    try:
        with Stage(made) as stage:
            found = RUNS[name](stage, size)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    results.take(name, found, results.machine["commit"], time.monotonic() - begun)
    print("\n".join(report.lines(name, results)), flush=True)


if __name__ == "__main__":
    sys.exit(main())
