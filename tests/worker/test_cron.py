"""Cron asks for what is due, and says so where the services read it."""

from collections.abc import Iterator

import pytest
from redis import Redis

from eventlog import keys
from eventlog.inspect import LogInspector, inspect_log
from eventlog.ring import HOUSEKEEP
from eventlog.ticks import Ticks
from tests.worker.world import NOW, World
from worker.cron import Cron


@pytest.fixture
def inspector(valkey_url: str) -> Iterator[LogInspector]:
    made = inspect_log(valkey_url, 1)
    yield made
    made.close()


@pytest.fixture
def cron(world: World) -> Cron:
    return Cron(world.ring, world.redis, world.clock)


def test_nothing_is_known_of_a_cron_that_never_ticked(
    world: World, inspector: LogInspector
) -> None:
    assert not world.redis.exists(keys.CRON)
    assert inspector.ticks() == Ticks(None)


def test_each_tick_is_told_and_a_chore_only_when_it_was_due(
    world: World, cron: Cron, inspector: LogInspector
) -> None:
    cron.tick()
    first = inspector.ticks()
    world.clock.now += 5_000
    cron.tick()
    second = inspector.ticks()
    world.redis.delete(keys.turn(HOUSEKEEP))
    cron.tick()

    assert first == Ticks(NOW, 0, {"housekeep": 1})
    assert second == Ticks(NOW + 5_000, 0, {"housekeep": 1})
    assert inspector.ticks() == Ticks(NOW + 5_000, 0, {"housekeep": 2})
    assert world.ring.jobs_waiting() == 2


def test_a_doorbell_that_can_not_be_rung_counts_as_an_error(
    world: World, cron: Cron, inspector: LogInspector
) -> None:
    world.redis.set(f"rq:queue:{keys.QUEUE}", "no list")
    cron.tick()
    assert inspector.ticks() == Ticks(NOW, 1)
    world.redis.delete(f"rq:queue:{keys.QUEUE}", keys.turn(HOUSEKEEP))
    cron.tick()
    assert inspector.ticks() == Ticks(NOW, 1, {"housekeep": 1})


def test_chores_are_asked_for_where_it_can_not_be_told_and_are_told_later(
    world: World, cron: Cron, inspector: LogInspector, capsys: pytest.CaptureFixture[str]
) -> None:
    world.redis.set(keys.CRON, "no hash")
    cron.tick()
    cron.tick()
    assert world.ring.jobs_waiting() == 1
    assert capsys.readouterr().out.count("metrics of cron wait") == 1
    world.redis.delete(keys.CRON)
    cron.tick()
    assert inspector.ticks() == Ticks(NOW, 0, {"housekeep": 1})


def test_without_redis_it_waits_and_counts(world: World, inspector: LogInspector) -> None:
    with Redis(host="127.0.0.1", port=1) as nobody:
        away = Cron(type(world.ring)(nobody), world.redis, world.clock)
        away.tick()
        away.tick()
    assert inspector.ticks() == Ticks(NOW, 2)
