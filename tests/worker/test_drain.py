"""Reading the log dry, on real engines: wake-ups, order, what a crash leaves undone."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence

import pytest
from redis import Redis
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from domain.commands import CreateItem, PatchItem
from eventlog import keys, notices
from eventlog.envelope import Envelope
from eventlog.reader import LogReader, Settled
from eventlog.ring import Ring
from ledger import tables
from ledger.changes import Changes
from readmodel.views import items
from runtime.failpoints import FailedOnPurpose
from runtime.positions import Position
from tests.worker.world import NOW, PROJECTIONS, World, ask, envelope, heard_so_far, no_ends
from worker.apply import Circumstances, Held, apply_one
from worker.drain import Drain
from worker.intake import Stretch

RUG = CreateItem("rug-1", NOW, "Rug", None, 1, "EUR")
LAMP = envelope("c1", CreateItem("lamp-1", NOW, "Lamp", None, 100, "EUR"))


def patches(count: int) -> list[Envelope]:
    return [
        envelope(f"p{number}", PatchItem("lamp-1", NOW, price=number)) for number in range(count)
    ]


def applied(world: World) -> list[str]:
    return [row["command_id"] for row in world.rows(tables.events, "partition", "offset")]


def test_a_ring_wakes_a_drain_that_reads_everything(world: World) -> None:
    world.append(LAMP, *patches(2500))
    world.ring.ring([0])
    world.drain().answer()

    assert applied(world) == ["c1", *(f"p{n}" for n in range(2500))]
    assert world.redis.get(keys.done(0)) == world.checkpoint().stream_id.encode()
    assert not world.ring.any_ready()


def test_only_the_first_ring_enqueues_a_doorbell(world: World) -> None:
    world.ring.ring([0])
    world.ring.ring([0])

    assert world.ring.jobs_waiting() == 1


def test_an_append_while_a_drain_reads_rings_again(world: World) -> None:
    """A bell cleared, or a doorbell answered, only after reading would strand this append."""
    late: list[bool] = []

    def append_now(connection: Connection, changes: Changes) -> None:
        if not late:
            world.append(*patches(1))
            late.append(world.rang)
            world.ring.ring([0])

    world.append(LAMP)
    world.ring.ring([0])
    jobs = world.ring.jobs_waiting()
    world.drain({items.NAME: append_now}).answer()

    assert late == [True]
    assert world.ring.jobs_waiting() == jobs + 1


def test_what_is_appended_after_the_last_read_is_rung_for(world: World) -> None:
    world.append(LAMP)
    world.ring.ring([0])
    world.drain().answer()
    world.append(*patches(1))

    assert world.rang


class _Coming:
    """Appends something, without ringing, each time that a drain begins to wait; keeps what it
    waited for.
    """

    def __init__(self, drain: Drain, *appends: Callable[[], object]) -> None:
        self._wait = drain._intake.wait
        self._appends = list(appends)
        self.waited: list[set[int]] = []
        drain._intake.wait = self  # pyright: ignore[reportAttributeAccessIssue]

    def __call__(
        self, positions: Mapping[int, Position], count: int, seconds: float
    ) -> dict[int, Stretch]:
        self.waited.append(set(positions))
        if self._appends:
            self._appends.pop(0)()
        return self._wait(positions, count, seconds)


def test_a_drain_lingers_and_takes_along_what_comes_meanwhile(two_partitions: World) -> None:
    world = two_partitions
    rug = envelope("c2", RUG)
    drain = world.drain()
    coming = _Coming(
        drain,
        lambda: world.append(*patches(1)),
        lambda: world.append(rug, partition=1),
    )
    world.append(LAMP)
    world.ring.ring([0])
    jobs = world.ring.jobs_waiting()
    drain.answer()

    assert applied(world) == ["c1", "p0", "c2"]
    assert coming.waited == [{0, 1}] * 3
    assert world.ring.jobs_waiting() == jobs


def test_what_is_taken_along_is_read_after_its_bell_is_cleared(
    two_partitions: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came in between did not ring: the bell was still up."""
    world = two_partitions
    drain = world.drain()
    _Coming(drain, lambda: world.append(envelope("c2", RUG), partition=1))
    begin, between = drain._intake.begin, list[bool]()

    def late(wanted: Sequence[int]) -> dict[int, Position]:
        if 1 in wanted:
            world.append(envelope("c3", PatchItem("rug-1", NOW, price=7)), partition=1)
            between.append(world.rang)
        return begin(wanted)

    monkeypatch.setattr(drain._intake, "begin", late)
    world.append(LAMP)
    world.ring.ring([0])
    drain.answer()

    assert between == [False]
    assert applied(world) == ["c1", "c2", "c3"]


def test_a_drain_does_not_wait_beside_a_worker_that_has_the_partition(
    two_partitions: World,
) -> None:
    world = two_partitions
    other = world.drain()

    drain = world.drain()
    coming = _Coming(drain, lambda: world.append(*patches(1)))
    read = drain._intake.wait

    def slowly(positions: Mapping[int, Position], count: int, seconds: float) -> dict[int, Stretch]:
        found = read(positions, count, seconds)
        other.partition(0)
        return found

    drain._intake.wait = slowly  # pyright: ignore[reportAttributeAccessIssue]
    world.append(LAMP)
    world.ring.ring([0])
    drain.answer()

    assert applied(world) == ["c1", "p0"]
    assert coming.waited == [{0, 1}, {1}]


def test_batches_that_follow_one_another_are_told_at_once_and_settled_together(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = world.heard("api-1")
    settled: list[object] = []
    unsettled: list[object] = []
    settle = LogReader.settle

    def noting(reader: LogReader, what: Sequence[Settled], now: int) -> None:
        settled.extend(what)
        settle(reader, what, now)

    def hear() -> None:
        for data in heard_so_far(world.redis, keys.outcomes("api-1"), heard):
            told.extend(notices.read(data, "api-1"))

    monkeypatch.setattr(LogReader, "settle", noting)
    monkeypatch.setattr("worker.intake._UNSETTLED", 60.0)
    told: list[notices.Notice] = []
    drain = world.drain()
    waiting = envelope("c2", PatchItem("lamp-1", NOW, price=7), reply_to="api-1")
    _Coming(drain, lambda: world.append(waiting), hear, lambda: unsettled.extend(settled))
    world.append(LAMP)
    world.ring.ring([0])
    drain.answer()
    heard.close()

    assert [each.outcome.command_id for each in told] == ["c2"]
    assert unsettled == []
    assert settled == [Settled(world.checkpoint(), {"c1", "c2"}, {})]
    assert world.redis.get(keys.done(0)) == world.checkpoint().stream_id.encode()
    assert world.redis.ttl(keys.command(0, "c1")) > 0


def test_what_was_not_settled_by_who_died_is_settled_and_told_by_the_next(world: World) -> None:
    def die(point: str) -> None:
        if point == "tidy.settle":
            raise FailedOnPurpose(point)

    world.append(LAMP)
    with pytest.raises(FailedOnPurpose):
        world.drain(reach=die).partition(0)
    assert world.redis.get(keys.done(0)) is None
    heard = world.heard("api-1")
    world.append(envelope("c2", PatchItem("lamp-1", NOW, price=7), reply_to="api-1"))
    with pytest.raises(FailedOnPurpose):
        world.drain(reach=die).partition(0)
    world.drain().partition(0)

    told = [notices.read(heard.get_message(timeout=30)["data"], "api-1") for _ in range(2)]
    heard.close()
    assert [each.outcome.command_id for (each,) in told] == ["c2", "c2"]
    assert world.redis.get(keys.done(0)) == world.checkpoint().stream_id.encode()
    assert world.redis.ttl(keys.command(0, "c1")) > 0


def test_a_drain_that_has_found_nothing_does_not_wait(world: World) -> None:
    drain = world.drain()
    coming = _Coming(drain)
    world.ring.ring([0])
    drain.answer()

    assert coming.waited == []


class _Racing(Ring):
    """Runs something at the moment the drain finds nothing ready any more."""

    def __init__(self, redis: "Redis", world: World) -> None:
        super().__init__(redis)
        self._world = world
        self.raced = False

    def next_ready(self, most: int) -> list[int]:
        ready = super().next_ready(most)
        if not ready and not self.raced:
            self.raced = True
            self._world.append(*patches(1))
            self.ring([0])
        return ready


def test_an_append_at_the_very_end_of_a_drain_is_not_stranded(world: World) -> None:
    racing = _Racing(world.redis, world)
    world.append(LAMP)
    racing.ring([0])
    jobs = racing.jobs_waiting()
    world.ring = racing
    world.drain().answer()

    assert racing.raced
    assert racing.jobs_waiting() == jobs + 1


def test_a_partition_held_by_another_thread_is_put_back(world: World) -> None:
    world.append(LAMP)
    entered, release = threading.Event(), threading.Event()

    def slow(connection: Connection, changes: Changes) -> None:
        entered.set()
        assert release.wait(30)

    drain = world.drain({items.NAME: slow})
    thread = threading.Thread(target=drain.partition, args=(0,))
    thread.start()
    try:
        assert entered.wait(30)
        with pytest.raises(Held):
            drain.partition(0)
        world.ring.ring([0])
        drain.answer()
        assert world.ring.any_ready()
    finally:
        release.set()
        thread.join()


def test_a_partition_that_is_held_does_not_keep_the_others_waiting(
    two_partitions: World,
) -> None:
    world = two_partitions
    rug = envelope("c2", CreateItem("rug-1", NOW, "Rug", None, 1, "EUR"))
    world.append(LAMP, partition=0)
    world.append(rug, partition=1)
    drain = world.drain()
    for _ in range(8):
        # The set is popped at random: eight times is enough to meet both orders.
        world.ring.ring([0, 1])
        with drain._locks[0]:
            drain.answer()
        assert applied(world) == ["c2"]
        assert world.ring.next_ready(2) == [0]


def test_a_partition_that_fails_does_not_stop_the_others(
    two_partitions: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = two_partitions
    world.append(LAMP, partition=0)
    rug = envelope("c2", CreateItem("rug-1", NOW, "Rug", None, 1, "EUR"))
    world.append(rug, partition=1)
    drain = world.drain()
    whole = drain._intake.begin

    def broken(wanted: Sequence[int]) -> dict[int, Position]:
        if 0 in wanted:
            raise RuntimeError("broken")
        return whole(wanted)

    monkeypatch.setattr(drain._intake, "begin", broken)
    for _ in range(8):
        # The set is popped at random, so both orders are met.
        world.ring.ring([0, 1])
        drain.answer()
        assert applied(world) == ["c2"]
        assert world.ring.any_ready()
        world.redis.delete(keys.READY, keys.RUNG)


def test_a_job_whose_time_is_over_rings_for_what_is_left(
    two_partitions: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.drain._JOB", -1.0)
    monkeypatch.setattr("worker.drain._AT_ONCE", 1)
    world = two_partitions
    world.append(LAMP, partition=0)
    world.append(envelope("c2", RUG, "x"), partition=1)
    world.redis.sadd(keys.READY, 0, 1)
    world.drain().answer()

    assert len(applied(world)) == 1
    assert world.ring.jobs_waiting() == 1


def test_a_partition_is_put_back_when_its_slice_is_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.drain._SLICE", 0.0)
    world.append(LAMP)

    assert world.drain().partition(0) is False


def test_a_drain_does_not_raise_and_leaves_the_partition_ready(world: World) -> None:
    def broken(connection: Connection, changes: Changes) -> None:
        raise OperationalError("INSERT", {}, Exception("the disk is full"))

    world.append(LAMP)
    world.ring.ring([0])
    world.drain({items.NAME: broken}).answer()

    assert world.ring.any_ready()
    assert applied(world) == []


def test_partitions_are_drained_one_after_another(two_partitions: World) -> None:
    world = two_partitions
    world.append(LAMP, partition=0)
    rug = envelope("c2", CreateItem("rug-1", NOW, "Rug", None, 1, "EUR"))
    world.append(rug, partition=1)
    world.ring.ring([0, 1])
    world.drain().answer()

    assert applied(world) == ["c1", "c2"]


def test_ids_are_forgotten_ten_minutes_after_they_were_applied(world: World) -> None:
    world.append(LAMP)
    assert world.redis.ttl(keys.command(0, "c1")) == -1
    world.drain().partition(0)

    assert 0 < world.redis.ttl(keys.command(0, "c1")) <= 600


def test_who_waits_is_told_the_outcome_with_the_item_as_it_was_then(world: World) -> None:
    pubsub = world.heard("api-1")
    world.append(
        envelope("c1", LAMP.command, "api-1"),
        envelope("c2", PatchItem("lamp-1", NOW, price=7)),
        envelope("c3", PatchItem("lamp-1", NOW, price=8), "api-1"),
        envelope("c4", CreateItem("lamp-1", NOW, "Lamp", None, 1, "EUR"), "api-1"),
    )
    world.drain().partition(0)
    message = pubsub.get_message(timeout=30)
    pubsub.close()
    told = json.loads(message["data"])

    assert [(each["id"], each["status"], each["http"], each["version"]) for each in told] == [
        ("c1", "applied", 201, 1),
        ("c3", "applied", 200, 3),
        ("c4", "rejected", 409, 3),
    ]
    assert [json.loads(each["body"])["price"] for each in told[:2]] == [100, 8]
    assert told[2]["body"] is None


def test_an_ask_is_answered_with_the_stored_outcome(world: World) -> None:
    world.append(envelope("c1", LAMP.command, fingerprint="f"), *patches(3))
    world.drain().partition(0)
    pubsub = world.heard("api-2")
    world.append(ask("c1", "api-2", "f"), ask("c1", "api-2", "other"))
    world.drain().partition(0)
    message = pubsub.get_message(timeout=30)
    pubsub.close()
    same, other = json.loads(message["data"])

    assert (same["status"], same["version"], same["reused"]) == ("applied", 1, False)
    assert json.loads(same["body"])["price"] == 100
    assert (other["reused"], other["body"]) == (True, None)


def test_a_known_command_at_a_new_position_is_answered_with_its_first_outcome(
    world: World,
) -> None:
    world.append(LAMP)
    world.drain().partition(0)
    world.redis.delete(keys.command(0, "c1"))
    pubsub = world.heard("api-1")
    world.append(envelope("c1", LAMP.command, "api-1"))
    world.drain().partition(0)
    message = pubsub.get_message(timeout=30)
    pubsub.close()

    assert json.loads(message["data"])[0]["status"] == "applied"
    assert applied(world) == ["c1"]


def test_what_a_death_after_the_commit_left_undone_is_done_by_the_next_drain(
    world: World,
) -> None:
    world.append(envelope("c1", LAMP.command, "api-1"), *patches(2))
    apply_one(world.engine, PROJECTIONS, world.log(), Circumstances(no_ends, NOW))
    pubsub = world.heard("api-1")
    world.drain().partition(0)
    message = pubsub.get_message(timeout=30)
    pubsub.close()

    assert json.loads(message["data"])[0]["id"] == "c1"
    assert world.redis.ttl(keys.command(0, "c1")) > 0
    assert world.redis.get(keys.done(0)) == world.checkpoint().stream_id.encode()
    assert applied(world) == ["c1", "p0", "p1"]


def test_the_log_is_kept_fifteen_minutes_behind_the_checkpoint(world: World) -> None:
    world.append(LAMP, *patches(300))
    world.drain().partition(0)
    world.clock.now += 14 * 60 * 1000
    world.append(*patches(301)[300:])
    world.drain().partition(0)
    assert world.redis.xlen(keys.log(0)) == 302

    world.clock.now += 2 * 60 * 1000
    world.reader.trim(world.checkpoint(), world.clock.now)

    assert world.redis.xlen(keys.log(0)) < 150
    assert world.redis.xrevrange(keys.log(0), count=1)[0][0] == (
        world.checkpoint().stream_id.encode()
    )


def test_nothing_is_trimmed_that_is_not_applied(world: World) -> None:
    world.append(LAMP)
    world.drain().partition(0)
    world.append(*patches(500))
    world.clock.now += 60 * 60 * 1000
    world.reader.trim(world.checkpoint(), world.clock.now)

    assert [each.position.n for each in world.log()][-500:] == list(range(2, 502))


def test_a_stopping_worker_ends_after_the_batch_in_hand(world: World) -> None:
    def stop(connection: Connection, changes: Changes) -> None:
        world.stopping.set()

    world.append(LAMP, *patches(1500))
    world.ring.ring([0])
    world.drain({items.NAME: stop}).answer()

    assert world.checkpoint() == Position(0, world.checkpoint().epoch, 1000)
    assert world.ring.any_ready()
