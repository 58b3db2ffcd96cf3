"""Looks at a whole ledger, and the alarm of scheduled prices, as the tests of several files need
them.
"""

from typing import Any

import orjson

from eventlog.appender import Appender
from ledger import tables
from ledger.verify.difference import Difference
from ledger.verify.run import verify
from readmodel.verify import live_views
from tests.worker.world import World
from worker.alarm import Alarm


def differences(world: World) -> tuple[Difference, ...]:
    """Make everything again from the events and compare."""
    return verify(world.engine, live_views, (), world.clock(), lambda *_: None).differences


def alarm(world: World) -> Alarm:
    appender = Appender(world.redis, world.ring)
    return Alarm(world.engine, appender, world.reader.partitions, world.clock, world.stopping)


def drain(world: World) -> None:
    """Drain until no partition has anything left, as workers that are rung do."""
    left = True
    while left:
        for partition in range(world.reader.partitions):
            while not world.drain().partition(partition):
                pass
        left = any(
            world.reader.after(world.checkpoint(partition), 1)
            for partition in range(world.reader.partitions)
        )


def outcomes(world: World) -> dict[str, dict[str, Any]]:
    return {row["command_id"]: row for row in world.rows(tables.outcomes, "command_id")}


def statuses(world: World) -> dict[str, str]:
    return {name: row["status"] for name, row in outcomes(world).items()}


def prices(world: World, item_id: str) -> list[tuple[int, int]]:
    """List the prices that an item had after its creation, each with when it took effect."""
    return [
        (orjson.loads(row["data"])["price"], row["effective_at"])
        for row in told(world, item_id)
        if row["type"] == "ItemRepriced.v2"
    ]


def types(world: World, item_id: str) -> list[str]:
    return [row["type"] for row in told(world, item_id)]


def told(world: World, item_id: str) -> list[dict[str, Any]]:
    """List the events of an item, in their order."""
    return [row for row in world.rows(tables.events, "version") if row["item_id"] == item_id]


def head(world: World, item_id: str) -> dict[str, Any]:
    (found,) = [row for row in world.rows(tables.heads, "item_id") if row["item_id"] == item_id]
    return found
