"""What an operator is told where the log came back shorter than it was."""

import structlog

from eventlog import keys
from ledger import partitions
from tests.worker.test_losses import LAMP, patches, saved, set_back
from tests.worker.world import World
from worker.losses import Losses


def told(world: World) -> list[str]:
    """The errors that are told when the log is looked at once."""
    losses = Losses(world.engine, world.reader.lookout, world.clock)
    with structlog.testing.capture_logs() as lines:
        losses.notice(world.reader.lookout.look(), partitions.read(world.engine, [0]))
    return [line["event"] for line in lines if line["log_level"] == "error"]


def test_a_log_behind_the_ledger_is_called_so(world: World) -> None:
    world.append(LAMP)
    copy = saved(world)
    old = world.append(*patches(0, 3))
    world.drain().partition(0)
    set_back(world, copy)
    world.redis.zadd(keys.lost(0), {str(old[-1].position.epoch): 4}, gt=True)

    assert told(world) == ["the log is behind the ledger: it has lost what it had acknowledged"]


def test_a_log_that_is_behind_only_what_was_acknowledged_is_not_said_to_be_behind_the_ledger(
    world: World,
) -> None:
    (first,) = world.append(LAMP)
    copy = saved(world)
    world.drain().partition(0)
    world.append(*patches(0, 3))
    set_back(world, copy)
    world.redis.zadd(keys.lost(0), {str(first.position.epoch): 4}, gt=True)

    assert told(world) == [
        "the log is behind what a command API saw acknowledged: it has lost commands"
    ]
