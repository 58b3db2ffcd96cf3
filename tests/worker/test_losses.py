"""Redis or SQL set back in time: noticed before anything new goes over it, recorded, survived."""

from typing import Any

import pytest
from sqlalchemy import text

from domain.commands import CreateItem, PatchItem
from eventlog import keys
from eventlog.envelope import Envelope
from ledger import epochs, gaps, partitions, tables
from ledger.gaps import Gap
from runtime.positions import Position
from tests.worker.test_sweeper import Ticks, sweeper
from tests.worker.world import NOW, PROJECTIONS, World, envelope, no_ends
from worker.apply import Circumstances, apply_one
from worker.losses import Losses

LAMP = envelope("c1", CreateItem("lamp-1", NOW, "Lamp", None, 100, "EUR"))


def patches(first: int, count: int) -> list[Envelope]:
    return [
        envelope(f"p{number}", PatchItem("lamp-1", NOW, price=number))
        for number in range(first, first + count)
    ]


def saved(world: World) -> dict[bytes, Any]:
    """Everything on Redis, to be restored: a copy of it from this moment."""
    return {key: world.redis.dump(key) for key in world.redis.keys("*")}


def set_back(world: World, copy: dict[bytes, Any], *, restarted: bool = True) -> None:
    """Put Redis back; a server that was restarted has another run_id than is stored."""
    world.redis.flushall()
    for key, value in copy.items():
        world.redis.restore(key, 0, value)
    if restarted:
        world.redis.hset(keys.head(0), "run_id", "of the server before")


def applied(world: World) -> list[str]:
    return [row["command_id"] for row in world.rows(tables.events, "offset")]


def recorded(world: World) -> list[Gap]:
    with world.engine.connect() as connection:
        return gaps.recorded(connection, 0)


def swept(world: World) -> None:
    """Sweep until nothing waits, as the second hand does."""
    ticks = Ticks()
    awake = sweeper(world, ticks)
    for _ in range(4):
        awake.sweep()
        ticks.now += 2.0


@pytest.mark.parametrize("restarted", [True, False])
def test_redis_set_back_behind_the_ledger_is_fenced_before_anything_new_is_accepted(
    world: World, restarted: bool
) -> None:
    world.append(LAMP)
    copy = saved(world)
    old = world.append(*patches(0, 3))
    world.drain().partition(0)
    set_back(world, copy, restarted=restarted)
    swept(world)
    new = world.append(*patches(3, 2))
    swept(world)

    assert new[0].position.epoch > old[-1].position.epoch
    assert applied(world) == ["c1", "p0", "p1", "p2", "p3", "p4"]
    assert recorded(world) == [Gap(0, old[0].position.epoch, 2, 4, "kept")]


def test_redis_set_back_and_written_over_before_a_worker_looks_loses_nothing_new(
    world: World,
) -> None:
    world.append(LAMP)
    copy = saved(world)
    old = world.append(*patches(0, 3))
    world.drain().partition(0)
    set_back(world, copy)
    new = world.append(*patches(3, 2))
    world.drain().partition(0)

    assert {each.position for each in new}.isdisjoint({each.position for each in old})
    assert applied(world) == ["c1", "p0", "p1", "p2", "p3", "p4"]
    assert recorded(world) == [Gap(0, old[0].position.epoch, 2, 4, "kept")]


def test_what_an_api_process_saw_acknowledged_and_nobody_has_is_recorded_as_lost(
    world: World,
) -> None:
    (first,) = world.append(LAMP)
    epoch = first.position.epoch
    copy = saved(world)
    world.append(*patches(0, 3))
    set_back(world, copy)
    world.append(envelope("c9", PatchItem("lamp-1", NOW, price=9)))
    # What the API process does that saw 4 acknowledged.
    world.redis.zadd(keys.lost(0), {str(epoch): 4}, gt=True)
    swept(world)

    assert applied(world) == ["c1", "c9"]
    assert recorded(world) == [Gap(0, epoch, 2, 4, "lost")]
    with world.engine.connect() as connection:
        assert gaps.swallowed(connection, Position(0, epoch, 3))
        assert not gaps.swallowed(connection, Position(0, epoch, 1))


def test_a_report_that_comes_late_or_twice_is_recorded_once(world: World) -> None:
    (first,) = world.append(LAMP)
    epoch = first.position.epoch
    world.drain().partition(0)
    world.redis.hset(keys.head(0), "run_id", "of the server before")
    swept(world)
    world.redis.zadd(keys.lost(0), {str(epoch): 3}, gt=True)
    swept(world)
    noticed = world.rows(tables.gaps, "from_n")
    world.clock.now += 5000
    swept(world)
    world.redis.zadd(keys.lost(0), {str(epoch): 5}, gt=True)
    swept(world)

    assert [row["to_n"] for row in noticed] == [3]
    assert recorded(world) == [Gap(0, epoch, 2, 5, "lost")]


def test_what_the_ledger_took_is_not_lost_although_the_log_forgot_it(world: World) -> None:
    world.append(LAMP)
    copy = saved(world)
    old = world.append(*patches(0, 3))
    world.drain().partition(0)
    set_back(world, copy)
    world.redis.zadd(keys.lost(0), {str(old[-1].position.epoch): old[-1].position.n + 2}, gt=True)
    swept(world)

    epoch = old[-1].position.epoch
    assert set(recorded(world)) == {Gap(0, epoch, 2, 4, "kept"), Gap(0, epoch, 5, 6, "lost")}
    with world.engine.connect() as connection:
        assert not gaps.swallowed(connection, old[-1].position)


def test_a_plain_restart_of_redis_is_no_loss(world: World) -> None:
    world.append(LAMP, *patches(0, 2))
    world.drain().partition(0)
    world.redis.hset(keys.head(0), "run_id", "of the server before")
    swept(world)
    world.append(*patches(2, 1))
    swept(world)

    assert recorded(world) == []
    assert applied(world) == ["c1", "p0", "p1", "p2"]
    assert world.redis.hlen(keys.epochs(0)) == 1


def test_an_empty_redis_in_place_of_the_old_one_is_noticed(world: World) -> None:
    old = world.append(LAMP, *patches(0, 2))
    world.drain().partition(0)
    world.redis.flushall()
    swept(world)
    new = world.append(*patches(2, 1))
    swept(world)

    assert new[0].position > old[-1].position
    assert recorded(world) == [Gap(0, old[0].position.epoch, 1, 3, "kept")]
    assert applied(world) == ["c1", "p0", "p1", "p2"]


def test_commands_over_positions_given_out_before_are_moved_and_applied(world: World) -> None:
    """The clock of the server was set back together with its data."""
    world.append(LAMP)
    copy = saved(world)
    world.append(*patches(0, 3))
    world.drain().partition(0)
    set_back(world, copy, restarted=False)
    again = world.append(*patches(3, 2))
    assert again[0].position <= world.checkpoint()
    swept(world)

    assert applied(world) == ["c1", "p0", "p1", "p2", "p3", "p4"]
    epochs_of = [row["epoch"] for row in world.rows(tables.outcomes, "epoch", "n")]
    assert epochs_of == sorted(epochs_of)


def test_a_database_set_back_takes_everything_again_and_nothing_twice(world: World) -> None:
    world.append(LAMP, *patches(0, 2))
    world.drain().partition(0)
    later = world.append(*patches(2, 3))
    world.drain().partition(0)
    with world.engine.begin() as connection:
        # A restored backup: as it was before the last batch.
        _restore(connection, offset=3, position=later[0].position)
    swept(world)

    assert applied(world) == ["c1", "p0", "p1", "p2", "p3", "p4"]
    assert [row["offset"] for row in world.rows(tables.events, "offset")] == [1, 2, 3, 4, 5, 6]
    assert recorded(world) == []
    assert world.redis.get(keys.done(0)) == world.checkpoint().stream_id.encode()


def _restore(connection: Any, offset: int, position: Position) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("ALTER TABLE events DISABLE TRIGGER USER"))
    else:
        connection.execute(text("DROP TRIGGER events_are_not_deleted"))
    connection.execute(text(f'DELETE FROM events WHERE "offset" > {offset}'))
    connection.execute(text(f"DELETE FROM outcomes WHERE n >= {position.n}"))
    connection.execute(text(f"UPDATE heads SET version = {offset}"))
    connection.execute(
        text(
            f'UPDATE partitions SET n = {position.n - 1}, "offset" = {offset},'
            f' hash = (SELECT hash FROM events WHERE "offset" = {offset})'
        )
    )


def test_a_database_set_back_for_longer_than_the_log_keeps_loses_nothing_that_is_still_there(
    world: World,
) -> None:
    """Its marks are older than what is kept, and the ledger is behind them."""
    world.append(LAMP, *patches(0, 2500))
    world.drain().partition(0)
    with world.engine.begin() as connection:
        _restore(connection, offset=1, position=Position(0, 0, 2))
    world.clock.now += 16 * 60 * 1000
    swept(world)
    world.clock.now += 2000
    swept(world)

    assert recorded(world) == []
    assert len(applied(world)) == 2501


def test_a_database_set_back_while_memory_is_scarce_loses_nothing_that_is_still_there(
    world: World,
) -> None:
    world.append(LAMP, *patches(0, 500))
    world.drain().partition(0)
    with world.engine.begin() as connection:
        _restore(connection, offset=1, position=Position(0, 0, 2))
    used: Any = world.redis.info("memory")
    world.redis.config_set("maxmemory", str(int(used["used_memory"] * 1.25)))
    try:
        swept(world)
    finally:
        world.redis.config_set("maxmemory", "0")

    assert recorded(world) == []
    assert len(applied(world)) == 501


def test_a_full_redis_that_restarts_is_drained_all_the_same(world: World) -> None:
    world.append(LAMP, *patches(0, 20))
    world.redis.hset(keys.head(0), "run_id", "of the server before")
    world.redis.config_set("maxmemory", "1")
    try:
        swept(world)
        drained = len(applied(world))
    finally:
        world.redis.config_set("maxmemory", "0")
    swept(world)
    world.append(*patches(20, 1))
    swept(world)

    assert drained == 21
    assert len(applied(world)) == 22
    assert recorded(world) == []


def test_what_may_still_be_on_its_way_into_the_ledger_is_not_called_lost(world: World) -> None:
    """A batch was read before the log went back, and is applied after."""
    (first,) = world.append(LAMP)
    copy = saved(world)
    world.append(*patches(0, 3))
    read = world.log()
    set_back(world, copy)
    world.redis.zadd(keys.lost(0), {str(first.position.epoch): 4}, gt=True)
    ticks = Ticks()
    losses = Losses(world.engine, world.reader.lookout, world.clock, monotonic=ticks, grace=6.0)

    def notice() -> None:
        for _ in range(2):
            losses.notice(world.reader.lookout.look(), partitions.read(world.engine, [0]))

    notice()
    assert recorded(world) == []
    apply_one(world.engine, PROJECTIONS, read, Circumstances(no_ends, NOW))
    ticks.now += 6.0
    notice()

    assert recorded(world) == [Gap(0, first.position.epoch, 2, 4, "kept")]
    ticks.now += 6.0
    world.redis.zadd(keys.lost(0), {str(first.position.epoch): 6}, gt=True)
    notice()
    ticks.now += 6.0
    notice()
    assert Gap(0, first.position.epoch, 5, 6, "lost") in recorded(world)


def test_gaps_that_a_restored_database_has_forgotten_are_recorded_again(world: World) -> None:
    (first,) = world.append(LAMP, *patches(0, 1))[:1]
    world.drain().partition(0)
    world.redis.hset(keys.head(0), "run_id", "of the server before")
    world.redis.zadd(keys.lost(0), {str(first.position.epoch): 5}, gt=True)
    losses = Losses(world.engine, world.reader.lookout, world.clock, grace=0)

    def notice() -> None:
        for _ in range(2):
            losses.notice(world.reader.lookout.look(), partitions.read(world.engine, [0]))

    notice()
    assert recorded(world) == [Gap(0, first.position.epoch, 3, 5, "lost")]
    with world.engine.begin() as connection:
        connection.execute(text("DELETE FROM gaps"))
        connection.execute(text("UPDATE partitions SET n = n - 1"))
    notice()

    assert recorded(world) == [Gap(0, first.position.epoch, 3, 5, "lost")]


def test_what_was_acknowledged_in_a_partition_the_ledger_knows_nothing_of_is_recorded(
    world: World,
) -> None:
    (first,) = world.append(LAMP)
    epoch = first.position.epoch
    world.redis.flushall()
    world.redis.zadd(keys.lost(0), {str(epoch): 1}, gt=True)
    swept(world)

    assert recorded(world) == [Gap(0, epoch, 1, 1, "lost")]
    (again,) = world.append(LAMP)
    assert again.position.epoch > epoch


def test_the_fence_is_beyond_the_ledger_even_where_the_clock_went_back(world: World) -> None:
    world.append(LAMP)
    ahead = Position(0, 9_000_000_000_000, 7)

    assert world.reader.lookout.fence(ahead, force=True) == ahead.epoch + 1
    (after,) = world.append(*patches(0, 1))
    assert after.position > ahead


def test_a_partition_whose_keys_are_damaged_does_not_keep_the_sweeper_from_the_others(
    two_partitions: World,
) -> None:
    world = two_partitions
    world.redis.set(keys.head(0), "no hash")
    world.append(LAMP, partition=1)
    swept(world)

    assert world.checkpoint(1).n == 1


def test_a_command_that_is_lost_by_trimming_can_be_sent_again(world: World) -> None:
    (first,) = world.append(LAMP)
    lost = world.append(*patches(0, 3))
    last = world.append(*patches(3, 1))
    world.drain().partition(0)
    world.redis.xdel(keys.log(0), *(each.position.stream_id for each in lost))
    with world.engine.begin() as connection:
        _restore(connection, offset=1, position=lost[0].position)
    swept(world)
    again = world.append(*patches(0, 3))
    swept(world)

    assert recorded(world) == [Gap(0, first.position.epoch, 2, 4, "lost")]
    assert not any(each.known for each in again)
    told = world.rows(tables.outcomes, "epoch", "n")
    assert [row["command_id"] for row in told] == ["c1", "p3", "p0", "p1", "p2"]
    assert last[0].position < again[0].position


def test_how_far_a_left_epoch_was_taken_tells_which_tokens_are_lost(world: World) -> None:
    (first,) = world.append(LAMP)
    copy = saved(world)
    old = world.append(*patches(0, 3))
    set_back(world, copy)
    world.append(*patches(3, 1))
    swept(world)

    with world.engine.connect() as connection:
        assert epochs.is_left(connection, old[0].position)
        assert not epochs.is_left(connection, first.position)
