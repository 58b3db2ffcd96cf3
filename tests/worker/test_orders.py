"""What an operator says about dead commands is done in its place, once."""

import signal
from collections.abc import Callable

import pytest
from sqlalchemy import text

from eventlog import keys
from ledger import tables
from tests.worker.poison import (
    LAMP,
    POISON,
    RUG,
    Forker,
    applied,
    lamp,
    order,
    outcome,
    rug,
    states,
)
from tests.worker.world import World


def test_replay_tries_the_dead_one_and_then_the_parked_ones_before_newer_arrivals(
    world: World, allergic: Callable[[], None]
) -> None:
    world.append(LAMP, lamp("bad", POISON), lamp("c2", 2), lamp("c3", 3))
    world.drain().partition(0)
    allergic()
    world.append(lamp("c4", 4), order("o1", "replay", "bad"), lamp("c5", 5))
    world.drain().partition(0)

    assert applied(world) == ["c1", "bad", "c2", "c3", "c4", "c5"]
    assert [row["version"] for row in world.rows(tables.events, "offset")] == [1, 2, 3, 4, 5, 6]
    assert states(world) == {}
    assert world.rows(tables.partitions, "partition")[0]["quarantined"] == 0
    assert outcome(world, "bad")["status"] == "applied"
    assert (outcome(world, "o1")["status"], outcome(world, "o1")["http_status"]) == ("applied", 204)


def test_a_replay_that_raises_again_leaves_everything_set_aside(
    world: World, allergic: Callable[[], None]
) -> None:
    world.append(LAMP, lamp("bad", POISON), lamp("c2", 2))
    world.drain().partition(0)
    world.append(order("o1", "replay", "bad"), lamp("c3", 3))
    world.drain().partition(0)

    assert applied(world) == ["c1"]
    assert states(world) == {"bad": "dead", "c2": "parked", "c3": "parked"}
    assert world.rows(tables.partitions, "partition")[0]["quarantined"] == 3


def test_replay_stops_at_the_next_one_that_raises(
    world: World, allergic: Callable[[], None]
) -> None:
    world.append(LAMP, lamp("bad", POISON), lamp("c2", 2), lamp("worse", POISON), lamp("c3", 3))
    world.drain().partition(0)
    world.append(order("o1", "discard", "bad"))
    world.drain().partition(0)

    assert applied(world) == ["c1", "c2"]
    assert states(world) == {"worse": "dead", "c3": "parked"}


def test_discard_gives_a_command_up_for_good_and_the_parked_ones_go_on(
    world: World, allergic: Callable[[], None]
) -> None:
    world.append(LAMP, lamp("bad", POISON), lamp("c2", 2))
    world.drain().partition(0)
    world.append(order("o1", "discard", "bad"))
    world.drain().partition(0)

    assert applied(world) == ["c1", "c2"]
    assert states(world) == {}
    given_up = outcome(world, "bad")
    assert (given_up["status"], given_up["code"]) == ("dead", "discarded")
    assert "ZeroDivisionError: a defect of this release" in given_up["detail"]


def test_an_order_that_the_database_refuses_is_obeyed_as_far_as_it_can_be(world: World) -> None:
    """What is refused is a parked one: the dead one is given up, that one dead in its place."""
    world.append(LAMP, RUG)
    world.drain().partition(0)
    broken = b'{"id":"bad","item":"lamp-1","at":1,"op":"of a later release"}'
    at = world.checkpoint()
    world.redis.xadd(keys.log(0), {"c": broken}, id=f"{at.epoch}-{at.n + 1}")
    world.redis.hset(keys.head(0), "n", at.n + 1)
    world.append(lamp("c2", 2), lamp("c3", 3))
    world.drain().partition(0)
    assert states(world) == {"bad": "dead", "c2": "parked", "c3": "parked"}
    with world.engine.begin() as connection:
        connection.execute(text("UPDATE heads SET version = 0 WHERE item_id = 'lamp-1'"))
    world.append(order("o1", "replay", "bad"), order("o2", "discard", "bad"), rug("r2", 9))
    world.drain().partition(0)

    assert states(world) == {"c2": "dead", "c3": "parked"}
    assert outcome(world, "bad")["code"] == "discarded"
    assert applied(world) == ["c1", "r1", "r2"]
    world.append(order("o3", "replay", "c2"), rug("r3", 10))
    world.drain().partition(0)
    assert states(world) == {"c2": "dead", "c3": "parked"}
    with world.engine.begin() as connection:
        connection.execute(text("UPDATE heads SET version = 1 WHERE item_id = 'lamp-1'"))
    world.append(order("o4", "replay", "c2"))
    world.drain().partition(0)

    assert states(world) == {}
    assert applied(world) == ["c1", "r1", "r2", "r3", "c2", "c3"]
    assert world.rows(tables.partitions, "partition")[0]["quarantined"] == 0


def test_an_order_to_replay_what_kills_the_process_is_given_up(
    sqlite_url: str, valkey_url: str, forker: Forker
) -> None:
    with World.of(sqlite_url, valkey_url, 1) as world:
        world.append(LAMP, lamp("bad", POISON))
        while forker.drain(sqlite_url, valkey_url):
            pass
        world.append(order("o1", "replay", "bad"), RUG)
        codes = [forker.drain(sqlite_url, valkey_url) for _ in range(10)]

        # As a batch, alone, and for the dead one alone: three times each.
        assert codes == [-signal.SIGKILL] * 9 + [0]
        assert states(world) == {"bad": "dead"}
        assert applied(world) == ["c1", "r1"]


@pytest.mark.parametrize("of", ["c1", "c2", "never-heard-of"])
def test_an_order_about_what_is_not_dead_is_refused(
    world: World, allergic: Callable[[], None], of: str
) -> None:
    world.append(LAMP, lamp("bad", POISON), lamp("c2", 2))
    world.drain().partition(0)
    world.append(order("o1", "replay", of))
    world.drain().partition(0)

    assert (outcome(world, "o1")["status"], outcome(world, "o1")["code"]) == (
        "rejected",
        "not-dead",
    )
    assert states(world) == {"bad": "dead", "c2": "parked"}


def test_an_order_is_obeyed_once(world: World, allergic: Callable[[], None]) -> None:
    world.append(LAMP, lamp("bad", POISON))
    world.drain().partition(0)
    allergic()
    world.append(order("o1", "replay", "bad"))
    world.drain().partition(0)
    world.redis.delete(keys.command(0, "o1"))
    world.append(order("o1", "replay", "bad"))
    world.drain().partition(0)

    assert applied(world) == ["c1", "bad"]


def test_an_order_in_the_same_batch_as_what_it_is_about_is_obeyed(
    world: World, allergic: Callable[[], None]
) -> None:
    world.append(LAMP, lamp("bad", POISON), lamp("c2", 2), order("o1", "discard", "bad"))
    world.drain().partition(0)

    assert applied(world) == ["c1", "c2"]
    assert states(world) == {}
    assert world.rows(tables.partitions, "partition")[0]["quarantined"] == 0
