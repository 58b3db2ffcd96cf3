"""Stores that come back as they were some time ago."""

import shutil
import signal
from random import Random

from tests.chaos.collect import keep_log
from tests.chaos.databases import Postgresql, Sqlite
from tests.chaos.faults.kind import Missed, Registry
from tests.chaos.processes import send
from tests.chaos.world import World

registry = Registry()

_ALL = ("up", "worker", "api", "query", "valkey", "database", "proxy", "points", "disk", "rq")
_OWN = frozenset({"own"})


def _set_valkey_back(world: World) -> str:
    """Put the copy in place of what is there. What was in the log is written down before: nobody
    else could tell afterwards which command stood where.
    """
    assert world.valkey is not None
    assert world.proxy is not None
    copy = world.folder / "valkey-copy"
    # Nothing is acknowledged any more after the log is written down.
    world.proxy.behave("closed")
    world.patience.hold(0.3)
    number = len(list(world.options.folder.glob("log-*.jsonl")))
    with world.valkey.client() as redis:
        keep_log(redis, world.options.partitions, world.options.folder / f"log-{number}.jsonl")
    world.valkey.kill()
    world.valkey.put_back(copy)
    world.valkey.start()
    world.proxy.behave("normal")
    return "set back"


@registry.kind("redis-set-back", *_ALL, classes=("setback",), weight=2, modes=_OWN)
def redis_behind(world: World, dice: Random) -> str:
    """Valkey comes back as it was some seconds ago; SQL is ahead of it."""
    assert world.valkey is not None
    world.valkey.copy_to(world.folder / "valkey-copy")
    seconds = dice.uniform(0.3, 5.0)
    world.patience.hold(seconds)
    _set_valkey_back(world)
    return f"by {seconds:.1f} s, SQL ahead"


@registry.kind("redis-set-back-unapplied", *_ALL, classes=("setback",), weight=2, modes=_OWN)
def redis_behind_and_sql_too(world: World, dice: Random) -> str:
    """The same while the workers stood still: what is lost is lost for good, and has to be told."""
    assert world.valkey is not None
    # `up` is frozen as well, or it would bring new workers.
    still = [world.up_process(), *world.children("worker")]
    for each in still:
        send(each, signal.SIGSTOP)
    try:
        world.valkey.copy_to(world.folder / "valkey-copy")
        seconds = dice.uniform(0.3, 2.5)
        world.patience.hold(seconds)
        _set_valkey_back(world)
        world.patience.hold(dice.uniform(0.0, 1.0))
    finally:
        for each in reversed(still):
            send(each, signal.SIGCONT)
    return f"by {seconds:.1f} s, SQL behind"


@registry.kind("sql-set-back", *_ALL, classes=("setback",), weight=2)
def sql_behind(world: World, dice: Random) -> str:
    """The database comes back as it was some seconds ago, as from a backup; the log still has what
    it lost.
    """
    copy = world.folder / "database-copy"
    shutil.rmtree(copy, ignore_errors=True)
    copy.unlink(missing_ok=True)
    seconds = dice.uniform(0.5, 5.0)
    match world.database:
        case Sqlite() as sqlite:
            sqlite.copy_to(copy)
            world.patience.hold(seconds)
            world.stop_up(dice.choice([signal.SIGTERM, signal.SIGKILL]))
            sqlite.put_back(copy)
            world.start_up()
            how = "with a new `up`"
        case Postgresql() as postgresql:
            postgresql.stop_at_once()
            postgresql.copy_to(copy)
            postgresql.start()
            world.patience.hold(seconds)
            again = dice.random() < 0.5
            if again:
                world.stop_up(dice.choice([signal.SIGTERM, signal.SIGKILL]))
            postgresql.stop_at_once()
            postgresql.put_back(copy)
            postgresql.start()
            if again:
                world.start_up()
            how = "with a new `up`" if again else "under the running workers"
        case _:
            raise Missed("no such database")
    if world.watch is not None:
        world.watch.look_again()
    return f"by {seconds:.1f} s, {how}"
