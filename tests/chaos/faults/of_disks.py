"""No room on the disk, for the files of one process: a limit on how long a file may be."""

import resource
from random import Random

import psutil

from tests.chaos.databases import Sqlite
from tests.chaos.faults.kind import Missed, Registry
from tests.chaos.world import World

registry = Registry()


def _limit(pid: int, most: int) -> None:
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, hard))


@registry.kind("disk-full-sqlite", "disk", "database", engines=frozenset({"sqlite"}))
def sqlite(world: World, dice: Random) -> str:
    """The worker can write no further than into the middle of SQLite's journal."""
    assert isinstance(world.database, Sqlite)
    there = world.children("worker")
    if not there:
        raise Missed("no worker runs")
    pid = there[0].pid
    most = dice.choice([4096, 32_768, 131_072])
    seconds = dice.uniform(0.5, 4.0)
    try:
        _limit(pid, most)
        world.patience.hold(seconds)
        _limit(pid, resource.RLIM_INFINITY)
    except (ProcessLookupError, psutil.NoSuchProcess):
        return f"pid {pid} ended at {most} bytes"
    return f"pid {pid}, {seconds:.1f} s at {most} bytes"


@registry.kind("disk-full-valkey", "valkey", "disk", modes=frozenset({"own"}))
def valkey(world: World, dice: Random) -> str:
    """Valkey cannot write its log, and with `appendfsync always` ends over that."""
    assert world.valkey is not None
    pid = world.valkey.pid
    if pid is None:
        raise Missed("no Valkey runs")
    _limit(pid, 4096)
    world.patience.hold(dice.uniform(0.5, 2.0))
    ended = not world.valkey.running
    if ended:
        world.valkey.start()
    else:
        _limit(pid, resource.RLIM_INFINITY)
    return "Valkey ended" if ended else "nothing was written"
