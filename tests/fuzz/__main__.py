"""`python -m tests.fuzz --api query --cases 50000 --seed 7`: exit code 1 where it finds
anything.
"""

import argparse
import secrets
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.databases import Postgresql
from tests.chaos.processes import Processes
from tests.fuzz.commands import commands
from tests.fuzz.queries import queries
from tests.fuzz.run import fuzz
from tests.fuzz.target import guarded_deployment
from tests.ports import free_port

_TARGETS = {"command": commands, "query": queries}


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--api", choices=_TARGETS, default="command", help="which of the two")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--cases", type=int, default=50_000, help="at least so many requests")
    parser.add_argument("--seed", type=int, default=None, help="default: drawn, and printed")
    parser.add_argument("--each", type=int, default=200, help="of each operation in a round")
    given = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    _say(f"seed {seed}")
    # Ended from outside, it ends the service, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        tempfile.TemporaryDirectory(prefix="itemledger-fuzz-") as folder,
        _database(given.database, Path(folder)) as url,
        guarded_deployment(Path(folder), url) as deployment,
    ):
        target = _TARGETS[given.api](deployment)
        found = fuzz(target, given.cases, seed, given.each, _say)
    _say(f"\n{found.summary()}")
    return 1 if found.failures else 0


@contextmanager
def _database(engine: str, folder: Path) -> Iterator[str]:
    """Prepare a database of this engine, and give its URL."""
    if engine == "sqlite":
        yield f"sqlite:///{folder}/itemledger.db"
        return
    # Where we are root, its server runs as somebody else.
    folder.chmod(0o711)
    with Processes() as processes:
        server = Postgresql(processes, folder / "postgresql", free_port())
        server.start()
        try:
            server.create()
            yield server.url
        finally:
            server.stop()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
