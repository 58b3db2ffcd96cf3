"""How long commands took to be applied: counted by each worker, added up where it can be read."""

from collections.abc import Callable, Iterator

import pytest
from redis.exceptions import RedisError

from domain.commands import CreateItem, PatchItem, SchedulePrice
from eventlog import keys
from eventlog.envelope import Atomic, Envelope
from eventlog.inspect import LogInspector, inspect_log
from runtime.measures import Spread
from runtime.row_ids import row_id
from tests.worker.checks import alarm, statuses
from tests.worker.importing import Importing, create
from tests.worker.poison import POISON
from tests.worker.world import NOW, World, envelope
from worker.pause import Pause
from worker.report import Reporter
from worker.tally import Tally

LAMP = envelope("c1", CreateItem("lamp-1", NOW, "Lamp", None, 100, "EUR"))


@pytest.fixture
def inspector(valkey_url: str) -> Iterator[LogInspector]:
    made = inspect_log(valkey_url, 1)
    yield made
    made.close()


def patch(name: str, price: int) -> Envelope:
    return envelope(name, PatchItem("lamp-1", NOW, price=price))


def drained(world: World, seconds: float) -> Tally:
    """Drain so long after NOW, and return what was counted of it."""
    world.clock.now = NOW + round(seconds * 1000)
    tally = Tally()
    while not world.drain(tally=tally).partition(0):
        pass
    return tally


def counted(spread: Spread) -> tuple[dict[float, int], float]:
    bounds = (*spread.bounds, float("inf"))
    found = dict(zip(bounds, spread.counts, strict=True))
    return {bound: count for bound, count in found.items() if count}, spread.total


def test_commands_are_counted_by_the_time_from_receipt_to_commit(
    world: World, inspector: LogInspector
) -> None:
    world.append(LAMP, patch("p1", 1))
    drained(world, 0.2).tell(world.redis)
    world.append(patch("p2", 2))
    drained(world, 500).tell(world.redis)

    assert counted(inspector.tally().delays) == ({0.25: 2, float("inf"): 1}, 500.4)


def test_a_command_that_is_refused_counts_and_one_that_is_known_or_dead_does_not(
    world: World, inspector: LogInspector, allergic: Callable[[], None]
) -> None:
    world.append(LAMP, envelope("again", LAMP.command), patch("bad", POISON))
    drained(world, 0.2).tell(world.redis)
    world.redis.delete(keys.command(0, "c1"))
    world.append(LAMP)
    drained(world, 0.2).tell(world.redis)

    assert statuses(world) == {"c1": "applied", "again": "rejected"}
    assert counted(inspector.tally().delays) == ({0.25: 2}, 0.4)


def test_an_atomic_batch_counts_once(two_partitions: World, inspector: LogInspector) -> None:
    commands = [CreateItem(name, NOW, "Thing", None, 1, "EUR") for name in ("lamp-1", "jug-1")]
    rows = tuple(envelope(row_id("b", n), each, fingerprint="f") for n, each in enumerate(commands))
    two_partitions.append(Atomic("b", rows))
    drained(two_partitions, 0.2).tell(two_partitions.redis)

    assert len(statuses(two_partitions)) == 2
    assert counted(inspector.tally().delays) == ({0.25: 1}, 0.2)


def test_what_nobody_sent_just_then_does_not_count(world: World, inspector: LogInspector) -> None:
    tomorrow = NOW + 86_400_000
    scheduled = SchedulePrice("lamp-1", NOW, "s1", 90, None, tomorrow, None, "anna")
    world.append(LAMP, envelope("s1", scheduled))
    drained(world, 0.2).tell(world.redis)
    rows = Importing(world)
    rows.mark("begun")
    rows.feed(create("rug-1"), create("cup-1"))
    drained(world, 60).tell(world.redis)
    world.clock.now = tomorrow
    assert alarm(world).look() == 1
    drained(world, 90_000).tell(world.redis)

    assert len(statuses(world)) > 4
    assert counted(inspector.tally().delays) == ({0.25: 2}, 0.4)


def test_what_another_process_left_untidied_does_not_count_as_if_it_were_applied_now(
    world: World, inspector: LogInspector
) -> None:
    world.append(LAMP)
    drained(world, 0.2)
    world.redis.delete(keys.done(0))
    drained(world, 500).tell(world.redis)

    assert counted(inspector.tally().delays) == ({}, 0)


def test_a_clock_behind_that_of_the_receiver_tells_no_negative_time(
    world: World, inspector: LogInspector
) -> None:
    world.append(LAMP)
    drained(world, -5).tell(world.redis)

    assert counted(inspector.tally().delays) == ({0.005: 1}, 0)


def test_what_could_not_be_told_is_told_with_the_next(
    world: World, inspector: LogInspector
) -> None:
    world.append(LAMP)
    tally = drained(world, 0.2)
    world.redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(RedisError):
            tally.tell(world.redis)
    finally:
        world.redis.config_set("maxmemory", "0")
    assert counted(inspector.tally().delays) == ({}, 0)
    tally.tell(world.redis)
    tally.tell(world.redis)

    assert counted(inspector.tally().delays) == ({0.25: 1}, 0.2)


def test_where_nothing_is_applied_nothing_is_written(world: World) -> None:
    Tally().tell(world.redis)
    assert not world.redis.exists(keys.TALLY)


def test_a_worker_tells_it_with_its_report_and_the_rest_when_it_ends(
    world: World, inspector: LogInspector
) -> None:
    world.append(LAMP)
    tally = drained(world, 0.2)
    pause = Pause(lambda: 0.0, world.clock)
    reporter = Reporter(world.redis, "worker-1", pause, world.clock, tally)
    reporter.report()
    told = counted(inspector.tally().delays)
    world.append(patch("p1", 1))
    while not world.drain(tally=tally).partition(0):
        pass
    reporter.sign_off()

    assert told == ({0.25: 1}, 0.2)
    assert counted(inspector.tally().delays) == ({0.25: 2}, 0.4)
    assert inspector.checkup(world.clock()).workers == []


def test_what_another_release_has_counted_by_other_bounds_is_left_out(
    world: World, inspector: LogInspector
) -> None:
    world.redis.hset(keys.TALLY, mapping={"delay le 7": 5, "other": 1})
    assert counted(inspector.tally().delays) == ({}, 0)


def test_what_became_of_commands_is_counted_by_its_status(
    world: World, inspector: LogInspector, allergic: Callable[[], None]
) -> None:
    world.append(LAMP, patch("p1", 1), patch("p2", 1), envelope("c2", LAMP.command))
    tally = drained(world, 0.2)
    tally.tell(world.redis)
    world.append(patch("bad", POISON))
    drained(world, 0.2).tell(world.redis)

    assert inspector.tally().outcomes == {
        "applied": 2,
        "unchanged": 1,
        "rejected": 1,
        "set-aside": 1,
    }
    # What is told is not told again.
    tally.tell(world.redis)
    assert inspector.tally().outcomes["applied"] == 2


def test_a_worker_tells_what_it_uses(world: World, inspector: LogInspector) -> None:
    pause = Pause(lambda: 0.0, lambda: NOW)
    Reporter(world.redis, "w1", pause, lambda: NOW, Tally()).report()
    (told,) = inspector.checkup(NOW).workers
    assert told.cpu_seconds is not None
    assert told.cpu_seconds > 0
    assert told.memory is None or told.memory > 1_000_000
