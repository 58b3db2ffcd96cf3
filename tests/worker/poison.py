"""Commands that meet a defect, and short ways to look at what becomes of them."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from domain.commands import CreateItem, PatchItem
from eventlog.envelope import Envelope, Order
from ledger import tables
from tests.worker.world import NOW, World, envelope

ROOT = Path(__file__).parents[2]
LAMP = envelope("c1", CreateItem("lamp-1", NOW, "Lamp", None, 100, "EUR"))
RUG = envelope("r1", CreateItem("rug-1", NOW, "Rug", None, 500, "EUR"))
POISON = 666


def lamp(command_id: str, price: int) -> Envelope:
    return envelope(command_id, PatchItem("lamp-1", NOW, price=price))


def rug(command_id: str, price: int) -> Envelope:
    return envelope(command_id, PatchItem("rug-1", NOW, price=price))


def order(command_id: str, what: Any, of: str) -> Order:
    return Order(command_id, what, of, "anna")


def applied(world: World) -> list[str]:
    return [row["command_id"] for row in world.rows(tables.events, "offset")]


def states(world: World) -> dict[str, str]:
    return {row["command_id"]: row["state"] for row in world.rows(tables.quarantine, "n")}


def outcome(world: World, command_id: str) -> dict[str, Any]:
    (found,) = [
        row for row in world.rows(tables.outcomes, "command_id") if row["command_id"] == command_id
    ]
    return found


KILLER = """
import os, signal, sys, threading
import worker.work
from pathlib import Path
from domain.decide import decide
from runtime.failpoints import failpoints
from tests.worker.world import World

def deadly(command, item, now, earlier):
    if getattr(command, "price", None) == 666:
        os.kill(os.getpid(), signal.SIGKILL)
    return decide(command, item, now, earlier)

worker.work.decide = deadly
with World.of(sys.argv[1], sys.argv[2], int(sys.argv[4])) as world:
    drain = world.drain(reach=failpoints(Path(sys.argv[5]) if sys.argv[5] else None))
    drain.answer() if sys.argv[3] == "answer" else drain.partition(0)
"""


def drain_in_a_process(
    database_url: str,
    valkey_url: str,
    how: str = "partition",
    points: Path | None = None,
    count: int = 2,
) -> int:
    """Drain, and return the exit code; `points` is a folder of failpoints, `count` the number of
    partitions where all are drained.
    """
    partitions, folder = str(count) if how == "answer" else "1", str(points or "")
    return subprocess.run(
        [sys.executable, "-c", KILLER, database_url, valkey_url, how, partitions, folder],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    ).returncode
