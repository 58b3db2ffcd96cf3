"""The database locked, ended, disconnected, read-only."""

from contextlib import suppress
from random import Random

import psycopg

from tests.chaos.databases import Postgresql, Sqlite
from tests.chaos.faults.kind import Registry
from tests.chaos.world import World

registry = Registry()

_SQLITE = frozenset({"sqlite"})
_POSTGRESQL = frozenset({"postgresql"})


@registry.kind("sqlite-locked", "database", weight=3, engines=_SQLITE)
def locked(world: World, dice: Random) -> str:
    assert isinstance(world.database, Sqlite)
    seconds = dice.choice([dice.uniform(0.1, 1.0), dice.uniform(1.0, 8.0)])
    with world.database.locked():
        world.patience.hold(seconds)
    return f"{seconds:.1f} s"


@registry.kind("postgresql-disconnect", "database", weight=2, engines=_POSTGRESQL)
def disconnect(world: World, dice: Random) -> str:
    assert isinstance(world.database, Postgresql)
    times = dice.randrange(1, 8)
    for _ in range(times):
        with suppress(psycopg.Error):
            world.database.order(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = 'itemledger' AND pid <> pg_backend_pid()",
            )
        world.patience.hold(dice.uniform(0.0, 0.4))
    return f"{times} times"


@registry.kind("postgresql-stop", "database", weight=2, engines=_POSTGRESQL)
def stop(world: World, dice: Random) -> str:
    assert isinstance(world.database, Postgresql)
    world.database.stop_at_once()
    seconds = dice.choice([0.0, dice.uniform(0.0, 5.0)])
    world.patience.hold(seconds)
    world.database.start()
    return f"away for {seconds:.1f} s"


@registry.kind("postgresql-read-only", "database", engines=_POSTGRESQL)
def read_only(world: World, dice: Random) -> str:
    assert isinstance(world.database, Postgresql)
    seconds = dice.uniform(0.5, 4.0)
    world.database.order("ALTER DATABASE itemledger SET default_transaction_read_only = on")
    world.database.order("ALTER SYSTEM SET default_transaction_read_only = on")
    world.database.order("SELECT pg_reload_conf()")
    world.patience.hold(seconds)
    world.database.order("ALTER DATABASE itemledger RESET default_transaction_read_only")
    world.database.order("ALTER SYSTEM RESET default_transaction_read_only")
    world.database.order("SELECT pg_reload_conf()")
    return f"{seconds:.1f} s"
