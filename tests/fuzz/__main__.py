"""`python -m tests.fuzz --cases 50000 --seed 7`: exit code 1 where anything was found."""

import argparse
import secrets
import sys
import tempfile
from pathlib import Path

from tests.fuzz.run import Found, fuzz, guarded_deployment


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=50_000, help="at least so many requests")
    parser.add_argument("--seed", type=int, default=None, help="default: drawn, and printed")
    parser.add_argument("--each", type=int, default=200, help="of each operation in a round")
    given = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    sys.stdout.write(f"seed {seed}\n")
    sys.stdout.flush()
    with tempfile.TemporaryDirectory(prefix="itemledger-fuzz-") as folder:
        database = f"sqlite:///{folder}/itemledger.db"
        with guarded_deployment(Path(folder), database) as deployment:
            found = fuzz(deployment.command_url, given.cases, seed, given.each, _say)
    for key, said in found.failures.items():
        sys.stdout.write(f"\n== {key}\n{said}\n")
    sys.stdout.write(f"\n{found.summary()}\n")
    return 1 if found.failures else 0


def _say(found: Found) -> None:
    sys.stdout.write(f"{found.requests} requests, {len(found.failures)} findings\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
