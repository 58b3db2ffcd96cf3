"""How many processes, partitions, how much memory and disk a deployment wants, by what `make bench`
has measured.

    python -m bench.capacity --commands 500 --reads 2000 --per-day 2000000 --years 3

Each process is counted on for half of what one did in the bench, where it shared two cores with all
others and with who asked; so `make bench` on a machine of yours tells of that machine.
"""

import argparse
import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.weights import IN_POSTGRESQL, ON_THE_LOG, WEIGHTS

RESULTS = WEIGHTS.with_name("results.json")
# Of what one process did in the bench, this part is counted on.
_SHARE = 0.5
# The log keeps what was applied for so long, and refuses new commands at this part of its memory.
_KEPT_SECONDS = 15 * 60
_ACCEPTS_UNTIL = 0.75
# Partitions are for ever, so they are for more workers than there have to be.
_GROWTH = 4
_FEWEST_PARTITIONS, _MOST_PARTITIONS = 8, 1024
_GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Wanted:
    """Rates are per second, at the busiest; `per_day` commands come on a day; the log holds what
    comes in `hours` without a worker or a database.
    """

    commands: float
    reads: float
    per_day: float
    years: float
    hours: float


@dataclass(frozen=True, slots=True)
class Measured:
    """What one process did per second in the bench, and what things weigh, in bytes."""

    accepted: float
    applied: float
    read: float
    logged: float
    event: float


@dataclass(frozen=True, slots=True)
class Capacity:
    """Counts of processes and partitions; memory and disk in bytes."""

    api: int
    workers: int
    query: int
    partitions: int
    log_memory: float
    database_disk: float


def measured(results: Path = RESULTS, weights: Path = WEIGHTS) -> Measured:
    """Read what the bench has found on PostgreSQL: the middle one of each side's runs."""
    goals: Mapping[str, Any] = json.loads(results.read_text("utf-8"))["goals"]
    weighed: Mapping[str, float] = json.loads(weights.read_text("utf-8"))

    def rate(goal: str, side: str) -> float:
        if goal not in goals:
            raise SystemExit(f"{results} has nothing of {goal}: make bench GOALS={goal}")
        return median(each["rate"] for each in goals[goal]["sides"][side])

    return Measured(
        accepted=rate("G5", "command"),
        applied=rate("G8", "apply, PostgreSQL"),
        read=rate("G2", "PostgreSQL"),
        logged=weighed[ON_THE_LOG],
        event=weighed[IN_POSTGRESQL],
    )


def capacity(wanted: Wanted, found: Measured) -> Capacity:
    """Count. Two of each process are the least, so that one may go."""

    def processes(rate: float, of_one: float) -> int:
        return max(2, math.ceil(rate / (_SHARE * of_one)))

    workers = processes(wanted.commands, found.applied)
    grown = 2 ** math.ceil(math.log2(_GROWTH * workers))
    waiting = max(wanted.per_day / 24 * wanted.hours, wanted.commands * _KEPT_SECONDS)
    return Capacity(
        api=processes(wanted.commands, found.accepted),
        workers=workers,
        query=processes(wanted.reads, found.read),
        partitions=min(_MOST_PARTITIONS, max(_FEWEST_PARTITIONS, grown)),
        log_memory=waiting * found.logged / _ACCEPTS_UNTIL,
        database_disk=wanted.per_day * 365 * wanted.years * found.event,
    )


def told(wanted: Wanted, counted: Capacity) -> list[tuple[str, str]]:
    """Write it out, as pairs of what and how much."""
    return [
        ("command API", f"{counted.api} processes"),
        ("workers", f"{counted.workers} processes"),
        ("query API", f"{counted.query} processes"),
        ("partitions, fixed at the first start", f"{counted.partitions}"),
        ("`maxmemory` of the log", size(counted.log_memory)),
        ("disk of the log", size(3 * counted.log_memory)),
        (f"disk of the database after {wanted.years:g} years", size(counted.database_disk)),
    ]


def size(count: float) -> str:
    return f"{max(1, math.ceil(count / _GIB)):,} GiB"


def main() -> None:
    """Read what is wanted from the command line, and say what it takes."""
    parser = argparse.ArgumentParser(prog="make capacity", description=__doc__)
    parser.add_argument("--commands", type=float, required=True, help="per second, at the busiest")
    parser.add_argument("--reads", type=float, required=True, help="per second, at the busiest")
    parser.add_argument("--per-day", type=float, required=True, help="commands on a usual day")
    parser.add_argument("--years", type=float, default=3)
    parser.add_argument(
        "--hours", type=float, default=8, help="that the log bridges without a database"
    )
    wanted = Wanted(**vars(parser.parse_args()))
    for name, value in told(wanted, capacity(wanted, measured())):
        sys.stdout.write(f"{name:<45} {value}\n")


if __name__ == "__main__":
    main()
