"""The sweeper finds what waits, whoever failed to ring."""

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from domain.commands import CreateItem, PatchItem
from eventlog import keys
from ledger import tables
from tests.waiting import until
from tests.worker.world import NOW, World, envelope
from worker.losses import Losses
from worker.pause import Pause
from worker.sweeper import Sweeper

LAMP = envelope("c1", CreateItem("lamp-1", NOW, "Lamp", None, 100, "EUR"))
CHEAPER = envelope("c2", PatchItem("lamp-1", NOW, price=1))


@dataclass(slots=True)
class Ticks:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def sweeper(world: World, ticks: Ticks) -> Sweeper:
    pause = Pause(ticks, world.clock)
    return Sweeper(
        world.engine,
        world.drain(pause=pause),
        world.reader.lookout,
        world.ring,
        Losses(world.engine, world.reader.lookout, world.clock, grace=0),
        lambda: 1,
        ticks,
        world.stopping,
        pause,
        lambda: None,
    )


def applied(world: World) -> int:
    return len(world.rows(tables.events, "offset"))


def test_an_append_whose_sender_died_before_ringing_is_rung_for(world: World) -> None:
    world.append(LAMP)
    assert not world.ring.any_ready()
    sweeper(world, Ticks()).sweep()

    assert world.ring.any_ready()
    assert world.ring.jobs_waiting() == 1


def test_bells_and_doorbells_that_are_up_do_not_hide_anything(world: World) -> None:
    world.append(LAMP)
    world.redis.set(keys.RUNG, "1")
    sweeper(world, Ticks()).sweep()

    assert world.ring.jobs_waiting() == 1


def test_nothing_waits_nothing_is_rung(world: World) -> None:
    world.append(LAMP)
    world.drain().partition(0)
    awake = sweeper(world, Ticks())
    awake.sweep()
    world.drain().answer()
    world.redis.delete(keys.RUNG, "rq:queue:itemledger")
    awake.sweep()

    assert not world.ring.any_ready()
    assert world.ring.jobs_waiting() == 0


def test_doorbells_do_not_pile_up_when_nobody_answers(world: World) -> None:
    ticks = Ticks()
    busy = sweeper(world, ticks)
    for number in range(5):
        world.append(envelope(f"n{number}", CHEAPER.command))
        busy.sweep()
        ticks.now += 0.1

    assert world.ring.jobs_waiting() == 2


def test_what_has_waited_two_seconds_is_drained_by_the_sweeper_itself(world: World) -> None:
    ticks = Ticks()
    patient = sweeper(world, ticks)
    world.append(LAMP, CHEAPER)
    patient.sweep()
    assert applied(world) == 0
    ticks.now += 2.0
    patient.sweep()

    assert applied(world) == 2


def test_progress_by_others_is_not_taken_for_waiting(world: World) -> None:
    ticks = Ticks()
    patient = sweeper(world, ticks)
    world.append(LAMP)
    patient.sweep()
    world.drain().partition(0)
    world.append(CHEAPER)
    ticks.now += 2.0
    patient.sweep()

    assert applied(world) == 1


def test_a_full_redis_drains_by_itself_without_ringing(world: World) -> None:
    rest = [envelope(f"n{number}", CHEAPER.command) for number in range(2500)]
    world.append(LAMP, *rest)
    ticks = Ticks()
    patient = sweeper(world, ticks)
    world.redis.config_set("maxmemory", "1")

    def swept() -> int:
        patient.sweep()
        return len(world.rows(tables.outcomes, "command_id"))

    try:
        # A sweep lasts for so long; on a slow machine there are several.
        until(lambda: swept() == 2501, 60, "everything is applied")
        left = world.redis.xlen(keys.log(0))
    finally:
        world.redis.config_set("maxmemory", "0")

    assert left <= 1


def test_where_memory_is_scarce_what_is_applied_leaves_the_log_at_once(world: World) -> None:
    world.append(LAMP, *(envelope(f"n{number}", CHEAPER.command) for number in range(500)))
    world.drain().partition(0)
    assert world.redis.xlen(keys.log(0)) == 501
    used: Any = world.redis.info("memory")
    world.redis.config_set("maxmemory", str(int(used["used_memory"] * 1.25)))
    try:
        awake = sweeper(world, Ticks())
        awake.sweep()
        assert world.redis.xlen(keys.log(0)) == 1
        world.append(envelope("last", CHEAPER.command))
        awake._drain.partition(0)
        assert world.redis.xlen(keys.log(0)) == 1
        assert 0 < world.redis.ttl(keys.command(0, "last")) <= 60
    finally:
        world.redis.config_set("maxmemory", "0")
    awake.sweep()
    world.append(envelope("after", CHEAPER.command))
    awake._drain.partition(0)

    assert world.redis.xlen(keys.log(0)) == 2


def test_a_database_that_was_set_back_finds_its_commands_again(world: World) -> None:
    """It is behind the mark that Redis has, and nobody rings for that."""
    world.append(LAMP)
    world.redis.set(keys.done(0), world.log()[-1].position.stream_id)
    world.redis.delete(keys.bell(0))
    sweeper(world, Ticks()).sweep()
    world.drain().answer()

    assert applied(world) == 1


def test_a_lost_done_mark_is_found_again(world: World) -> None:
    ticks = Ticks()
    world.append(LAMP)
    world.drain().partition(0)
    world.redis.delete(keys.done(0))
    patient = sweeper(world, ticks)
    patient.sweep()
    ticks.now += 2.0
    patient.sweep()

    assert world.redis.get(keys.done(0)) == world.checkpoint().stream_id.encode()
    assert applied(world) == 1


def test_a_partition_that_fails_does_not_keep_the_sweeper_from_the_others(
    two_partitions: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = two_partitions
    world.append(LAMP, partition=0)
    world.append(envelope("c2", CHEAPER.command), partition=1)
    ticks = Ticks()
    patient = sweeper(world, ticks)
    whole = patient._drain.partition

    def broken(partition: int) -> bool:
        if partition == 0:
            raise OperationalError("INSERT", {}, Exception("the disk is full"))
        return whole(partition)

    monkeypatch.setattr(patient._drain, "partition", broken)
    patient.sweep()
    ticks.now += 2.0
    patient.sweep()

    assert world.checkpoint(1).n == 1


def test_a_defect_does_not_end_the_sweeping(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.sweeper._TICK", 0.001)
    sweeps: list[int] = []

    def broken() -> None:
        sweeps.append(1)
        if len(sweeps) == 3:
            world.stopping.set()
        raise RuntimeError("" if len(sweeps) == 1 else "broken")

    awake = sweeper(world, Ticks())
    monkeypatch.setattr(awake, "sweep", broken)
    awake.run()

    assert len(sweeps) == 3
