"""`python -m tests.chaos.planted [NAME …]`: does the checker find every planted bug?

Each is planted in a copy of the product, chaos is run against that, and has to end in a violation.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.options import ROOT, Options
from tests.chaos.plants import PLANTS, Plant
from tests.chaos.run import Result, run

ROOMS = (
    "api",
    "cli",
    "domain",
    "eventlog",
    "itemledger_client",
    "ledger",
    "readmodel",
    "runtime",
    "worker",
)


class Outgrown(Exception):
    """The product does not have the text that a plant is to change, or has it more than once."""


def changed(root: Path, plant: Plant) -> dict[str, str]:
    """Write the files of a plant as they are to be. Raises Outgrown."""
    texts: dict[str, str] = {}
    for name, old, new in plant.changes:
        file = root / name
        text = texts.get(name) or (file.read_text() if file.exists() else "")
        if text.count(old) != 1:
            raise Outgrown(f"{plant.name}: {name} has {text.count(old)} times {old!r}")
        texts[name] = text.replace(old, new)
    return texts


@contextmanager
def planted(root: Path, plant: Plant) -> Iterator[Path]:
    """Copy the product and plant the bug in the copy."""
    folder = Path(tempfile.mkdtemp(prefix="planted-"))
    try:
        for room in ROOMS:
            shutil.copytree(
                root / room, folder / room, ignore=shutil.ignore_patterns("__pycache__")
            )
        for name, text in changed(root, plant).items():
            (folder / name).write_text(text)
        yield folder
    finally:
        shutil.rmtree(folder)


def find(plant: Plant, root: Path, folder: Path, seed: int) -> Result:
    """Run chaos against the planted bug."""
    with planted(root, plant) as copy:
        options = Options(
            folder=folder,
            seconds=plant.seconds,
            seed=seed,
            database=plant.database,
            root=copy,
            faults=plant.faults,
            storm=6,
            calm=2,
            limit=plant.limit,
            quiet_limit=15,
            volume=2,
            stop_at_first=True,
            valkey=plant.valkey,
            environment=plant.environment,
        )
        return run(options)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="planted", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of names; default: all")
    parser.add_argument("--root", type=Path, default=ROOT)
    parser.add_argument("--folder", type=Path, default=ROOT / "chaos-report" / "planted")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--after", default="", help="begin after the one of this name")
    given = parser.parse_args(argv)
    names = [plant.name for plant in PLANTS]
    wanted = [
        plant
        for plant in PLANTS[names.index(given.after) + 1 if given.after else 0 :]
        if not given.names or any(name in plant.name for name in given.names)
    ]
    missed = 0
    for number, plant in enumerate(wanted, 1):
        began = time.monotonic()
        try:
            result = find(plant, given.root.absolute(), given.folder / str(number), given.seed)
            told = sorted({each.invariant for each in result.violations})
            verdict = f"found: {', '.join(told)}" if told else "NOT FOUND"
        except Outgrown as error:
            verdict = f"OUTGROWN: {error}"
        except Exception as error:  # noqa: BLE001
            # A product that does not even start shows nothing about the checker.
            verdict = f"DOES NOT RUN: {type(error).__name__}: {str(error)[:80]!r}"
        missed += not verdict.startswith("found")
        _say(f"{number:2d}  {plant.name:62s} {time.monotonic() - began:4.0f} s  {verdict}")
    _say(f"{len(wanted) - missed} of {len(wanted)} planted bugs found")
    return 1 if missed else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
