"""The sweeper finds what waits, whoever failed to ring."""

from dataclasses import dataclass

from redis import Redis
from redis.exceptions import ResponseError

from domain.commands import CreateItem, PatchItem
from eventlog import keys
from eventlog.ring import Ring
from ledger import tables
from tests.worker.world import NOW, World, envelope
from worker.sweeper import Sweeper

LAMP = envelope("c1", CreateItem("lamp-1", NOW, "Lamp", None, 100, "EUR"))
CHEAPER = envelope("c2", PatchItem("lamp-1", NOW, price=1))


@dataclass(slots=True)
class Ticks:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def sweeper(world: World, ticks: Ticks, ring: Ring | None = None) -> Sweeper:
    return Sweeper(
        world.drain(), world.reader, ring or world.ring, lambda: 1, ticks, world.stopping
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
    sweeper(world, Ticks()).sweep()

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


class _FullRedis(Ring):
    """Takes no writes any more, as a full server does."""

    def __init__(self, redis: "Redis") -> None:
        super().__init__(redis)

    def put_back(self, partitions: object) -> None:
        raise ResponseError("OOM command not allowed when used memory > 'maxmemory'.")


def test_a_full_redis_is_drained_without_ringing(world: World) -> None:
    world.append(LAMP)
    sweeper(world, Ticks(), _FullRedis(world.redis)).sweep()

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
