"""`python -m tests.fuzz --cases 50000 --seed 7`: exit code 1 where anything was found."""

import argparse
import secrets
import signal
import sys
import tempfile
from pathlib import Path

from tests.fuzz.run import fuzz, guarded_deployment


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=50_000, help="at least so many requests")
    parser.add_argument("--seed", type=int, default=None, help="default: drawn, and printed")
    parser.add_argument("--each", type=int, default=200, help="of each operation in a round")
    given = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    _say(f"seed {seed}")
    # Ended from outside, it ends the service, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="itemledger-fuzz-") as folder:
        database = f"sqlite:///{folder}/itemledger.db"
        with guarded_deployment(Path(folder), database) as deployment:
            found = fuzz(deployment.command_url, given.cases, seed, given.each, _say)
    _say(f"\n{found.summary()}")
    return 1 if found.failures else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
