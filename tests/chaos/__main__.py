"""`python -m tests.chaos --seconds 600 --seed 7 --database postgresql`."""

import argparse
import secrets
import sys
from pathlib import Path

from tests.chaos.faults.all import KINDS
from tests.chaos.options import ROOT, Options


def _options(argv: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None, help="default: drawn, and printed")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--mode", choices=["own", "embedded"], default="own")
    parser.add_argument("--root", type=Path, default=ROOT, help="the product to run")
    parser.add_argument("--folder", type=Path, default=None, help="default: chaos-report/SEED")
    parser.add_argument(
        "--faults",
        default="default,setback",
        help=f"names or classes, -name takes away: {', '.join(sorted(KINDS))}",
    )
    parser.add_argument("--storm", type=float, default=12)
    parser.add_argument("--calm", type=float, default=7)
    parser.add_argument("--limit", type=float, default=20)
    parser.add_argument("--volume", type=int, default=3)
    parser.add_argument("--pace", type=float, default=1.0)
    given = parser.parse_args(argv)
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    return Options(
        folder=(given.folder or Path("chaos-report") / str(seed)).absolute(),
        seconds=given.seconds,
        seed=seed,
        database=given.database,
        mode=given.mode,
        root=given.root.absolute(),
        faults=tuple(given.faults.split(",")),
        storm=given.storm,
        calm=given.calm,
        limit=given.limit,
        volume=given.volume,
        pace=given.pace,
    )


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    options = _options(sys.argv[1:])
    # Imported here: `--help` needs none of it.
    from tests.chaos.report import summary, write  # noqa: PLC0415
    from tests.chaos.run import run  # noqa: PLC0415

    result = run(options, _say)
    report = write(result)
    _say(summary(result))
    _say(f"report: {report}")
    return 1 if result.violations else 0


if __name__ == "__main__":
    sys.exit(main())
