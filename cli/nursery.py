"""The process of `up` that has loaded what all others of it need, and forks them.

They share what was loaded, and start in a tenth of the time: also when one comes back that was
killed.
"""

import socket
import sys
from collections.abc import Sequence

from runtime.forking import Room, tend
from runtime.lean import keep_out

PREPARATION = "prepare"
# The preparation is done while the rest is still loaded. What is large stands by itself, as whoever
# is asked for is looked for between two modules.
ROOMS: Sequence[Room] = (
    Room(frozenset({PREPARATION}), ("cli.prepare",)),
    Room(
        frozenset({"api", "query", "worker", "cron"}),
        (
            "cli.main",
            "worker.cron",
            "worker.main",
            "uvloop",
            "fastapi",
            "api.main",
            "flask",
            "readmodel.main",
        ),
    ),
)


def main() -> None:
    """Load and fork; be what was asked for in the processes that are forked."""
    word = tend(socket.socket(fileno=int(sys.argv[1])), ROOMS)
    if word == PREPARATION:
        from cli.prepare import main as prepare  # noqa: PLC0415

        sys.exit(prepare())
    if word is not None:
        from cli.__main__ import main as command  # noqa: PLC0415

        sys.argv = ["itemledger", word]
        command()


if __name__ == "__main__":
    keep_out()
    main()
