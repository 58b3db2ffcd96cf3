"""A short run of the checker against the whole service, on each database, with a fresh seed."""

import os
import secrets
import shutil
import sys
from pathlib import Path

import pytest

from tests.chaos.options import ROOT, DatabaseName, Least, Options
from tests.chaos.run import run

# With less than this it has shown nothing: it goes on for as long as that takes.
_LEAST = Least(faults=4, kinds=3, commands=201, lone=1)


@pytest.mark.timeout(420)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_nothing_acknowledged_is_lost_doubled_or_out_of_order_whatever_happens(
    database: DatabaseName,
) -> None:
    seed = secrets.randbelow(1_000_000)
    # pytest shows this where the test fails; `make chaos SEED=…` draws the same faults.
    sys.stdout.write(f"seed {seed}\n")
    # Not in the folder of the test: what a failure leaves is wanted longer than that.
    folder = ROOT / "chaos-report" / f"test-{database}-{seed}"
    options = Options(
        folder=folder,
        seconds=6,
        least=_LEAST,
        seed=seed,
        database=database,
        root=Path(os.environ.get("CHAOS_ROOT", ROOT)),
        faults=("default", "setback"),
        storm=6,
        calm=3,
        # Deadlines, not figures: the machine has other tests to run.
        limit=60,
        quiet_limit=120,
        volume=1,
        # Fewer requests than the machine could do: it is what happens to them that is tried.
        pace=4,
    )
    result = run(options, print)  # shown where it fails

    assert not result.violations, "\n".join(map(str, result.violations))
    assert sum(result.happened.values()) >= _LEAST.faults, result
    assert len(result.happened) >= _LEAST.kinds, result
    assert result.figures["commands acknowledged"] >= _LEAST.commands
    assert len(result.lone_kills) >= _LEAST.lone
    shutil.rmtree(folder)
