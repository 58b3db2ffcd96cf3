"""Every second the worker sees that the mirror says what SQL says."""

from typing import Any

import pytest
import structlog

from eventlog import keys
from ledger.register import opened_register
from ledger.revocations import Revocation
from tests.worker.test_sweeper import Ticks, sweeper
from tests.worker.world import World
from worker.housekeeping import Housekeeping
from worker.revocations import MirrorRevocations, together

DAY = 24 * 60 * 60 * 1000


def mirrored(world: World) -> Any:
    return world.redis.hget(keys.REVOKED, "ids")


def test_a_mirror_that_is_missing_or_old_is_brought_back(world: World, database_url: str) -> None:
    chore = MirrorRevocations(world.engine, world.redis)
    chore.run()
    assert mirrored(world) == b"[]"
    with opened_register(database_url) as register:
        register.revoke(Revocation("token-1", 1, 1, "rosa"))
    chore.run()
    assert mirrored(world) == b'["token-1"]'
    world.redis.flushall()
    chore.run()
    assert mirrored(world) == b'["token-1"]'


def test_a_store_that_is_away_ends_nothing(world: World) -> None:
    chore = MirrorRevocations(world.engine, world.redis)
    world.redis.config_set("maxmemory", "1")
    try:
        chore.run()
    finally:
        world.redis.config_set("maxmemory", "0")
    with world.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE revocations RENAME TO gone")
    chore.run()
    assert mirrored(world) is None


def test_the_sweeper_does_it_also_when_the_report_fails(world: World) -> None:
    done: list[str] = []

    def broken() -> None:
        raise OSError("nobody there")

    def done_once() -> None:
        done.append("mirrored")
        world.stopping.set()

    awake = sweeper(world, Ticks())
    awake._also = together(broken, done_once)
    awake.run()
    assert done == ["mirrored"]


def test_the_sweeper_goes_on_whatever_a_report_meets_and_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.sweeper._TICK", 0.001)
    met: list[str] = []

    def broken() -> None:
        met.append("a report")
        if len(met) == 2:
            world.stopping.set()
        raise ValueError("a defect")

    awake = sweeper(world, Ticks())
    awake._also = broken
    with structlog.testing.capture_logs() as lines:
        awake.run()

    assert len(met) == 2
    errors = [each for each in lines if each["log_level"] == "error"]
    assert [each["event"] for each in errors] == ["no report can be given"] * 2


def test_housekeeping_forgets_what_has_expired_a_day_ago(world: World, database_url: str) -> None:
    now = world.clock()
    with opened_register(database_url) as register:
        register.revoke(Revocation("old", now - DAY - 1, 1, "rosa"))
        register.revoke(Revocation("new", now - DAY + 1, 1, "rosa"))
        Housekeeping(world.engine, world.reader, world.clock).run(lambda: None)
        assert [each.token_id for each in register.listed()] == ["new"]
