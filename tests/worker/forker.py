"""Drains in processes of their own, which may be killed by what they drain: forked from this one,
which has loaded what that takes. Each line of standard input asks for one; its exit code is
answered.
"""

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import worker.work
from domain.commands import Command
from domain.decide import Earlier, decide
from domain.events import Event
from domain.item import Item
from runtime.failpoints import failpoints
from tests.worker.poison import POISON
from tests.worker.world import World


def deadly(
    command: Command, item: Item | None, now: int, earlier: Earlier
) -> Sequence[Event] | tuple[Event, ...]:
    if getattr(command, "price", None) == POISON:
        os.kill(os.getpid(), signal.SIGKILL)
    return decide(command, item, now, earlier)


def drain(database_url: str, valkey_url: str, how: str, points: str, count: int) -> None:
    reach: Any = failpoints(Path(points) if points else None)
    with World.of(database_url, valkey_url, count) as world:
        drain = world.drain(reach=reach)
        if how == "answer":
            drain.answer()
        else:
            drain.partition(0)


def main() -> None:
    worker.work.decide = deadly  # type: ignore[assignment]
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            # Standard output is for answers alone.
            os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
            # Out of here as any process ends: with a traceback where something was raised.
            drain(*json.loads(line))
            return
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
