"""One batch, one transaction, on both databases."""

import threading
from collections.abc import Sequence
from dataclasses import replace

import orjson
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from domain.commands import CreateItem, DeleteItem, PatchItem, ReplaceItem
from ledger import chain, epochs, tables
from ledger.changes import Changes
from ledger.gaps import Gap
from readmodel.views import items
from runtime.positions import Position
from tests.worker.world import NOW, PROJECTIONS, World, ask, at, envelope, no_ends
from worker.apply import Applied, Circumstances, Decoded, Held, apply, apply_one
from worker.trouble import ProjectionFailed

LAMP = envelope("c1", CreateItem("lamp-1", NOW, "Lamp", None, 100, "EUR"))
CHEAPER = envelope("c2", PatchItem("lamp-1", NOW, price=90))
CHEAPEST = envelope("c3", PatchItem("lamp-1", NOW, price=80))
RUG = envelope("c4", ReplaceItem("rug-1", NOW, "Rug", "Wool.", 500, None, "EUR"))


def take(world: World, batch: Sequence[Decoded], now: int = NOW) -> Applied:
    return apply_one(world.engine, PROJECTIONS, batch, Circumstances(no_ends, now))


def everything(world: World) -> dict[str, list[dict[str, object]]]:
    ordered = {
        tables.events: ("partition", "offset"),
        tables.heads: ("item_id",),
        tables.outcomes: ("command_id",),
        tables.partitions: ("partition",),
        tables.checkpoints: ("projection", "partition"),
        items.TABLES[1]: ("item_id",),
    }
    return {table.name: world.rows(table, *order) for table, order in ordered.items()}


def test_events_heads_view_outcomes_and_checkpoint_are_written_together(world: World) -> None:
    applied = take(world, at([LAMP, CHEAPER, RUG]))

    assert applied.upto == world.checkpoint() == Position(0, 1, 3)
    written = everything(world)
    assert [
        (row["offset"], row["item_id"], row["version"], row["type"]) for row in written["events"]
    ] == [
        (1, "lamp-1", 1, "ItemCreated"),
        (2, "lamp-1", 2, "ItemRepriced.v2"),
        (3, "rug-1", 1, "ItemCreated"),
    ]
    assert [(row["item_id"], row["version"], row["price"]) for row in written["heads"]] == [
        ("lamp-1", 2, 90),
        ("rug-1", 1, 500),
    ]
    assert [(row["item_id"], row["version"], row["price"]) for row in written["items"]] == [
        ("lamp-1", 2, 90),
        ("rug-1", 1, 500),
    ]
    assert [
        (row["command_id"], row["status"], row["http_status"]) for row in written["outcomes"]
    ] == [
        ("c1", "applied", 201),
        ("c2", "applied", 200),
        ("c4", "applied", 201),
    ]
    assert written["checkpoints"] == [
        {
            "projection": "items",
            "partition": 0,
            "offset": 3,
            "error": None,
            "epoch": 1,
            "n": written["partitions"][0]["n"],
        }
    ]


def test_a_batch_taken_twice_is_applied_once(world: World) -> None:
    batch = at([LAMP, CHEAPER])
    take(world, batch)
    before = everything(world)
    take(world, batch, NOW + 5)

    assert everything(world) == before


def test_a_command_that_has_an_outcome_is_not_applied_at_a_later_position(world: World) -> None:
    take(world, at([LAMP, CHEAPER]))
    applied = take(world, at([CHEAPER, CHEAPEST], first=3))

    assert list(applied.outcomes) == ["c3"]
    assert [row["command_id"] for row in world.rows(tables.events, "offset")] == ["c1", "c2", "c3"]


def test_a_command_twice_in_one_batch_is_applied_once(world: World) -> None:
    take(world, at([LAMP, CHEAPER, CHEAPER, CHEAPEST]))

    assert [row["version"] for row in world.rows(tables.events, "offset")] == [1, 2, 3]


def test_commands_of_one_item_are_applied_in_the_order_of_the_log(world: World) -> None:
    prices = [7, 3, 9, 3, 1]
    patches = [
        envelope(f"p{number}", PatchItem("lamp-1", NOW, price=price))
        for number, price in enumerate(prices)
    ]
    take(world, at([LAMP, *patches]))

    told = [row["data"] for row in world.rows(tables.events, "offset")][1:]
    assert [orjson.loads(data)["price"] for data in told] == prices


def test_a_refusal_is_an_outcome_and_the_others_go_on(world: World) -> None:
    twice = envelope("c9", CreateItem("lamp-1", NOW, "Lamp", None, 100, "EUR"))
    take(world, at([LAMP, twice, RUG]))

    outcomes = {row["command_id"]: row for row in world.rows(tables.outcomes, "command_id")}
    assert (outcomes["c9"]["status"], outcomes["c9"]["http_status"]) == ("rejected", 409)
    assert (outcomes["c9"]["code"], outcomes["c9"]["version"]) == ("item-exists", 1)
    assert outcomes["c4"]["status"] == "applied"


def test_a_command_that_changes_nothing_makes_no_event(world: World) -> None:
    same = envelope("c5", PatchItem("lamp-1", NOW, price=100))
    take(world, at([LAMP, same]))

    outcome = world.rows(tables.outcomes, "command_id")[1]
    assert (outcome["status"], outcome["http_status"], outcome["version"]) == ("unchanged", 200, 1)
    assert len(world.rows(tables.events, "offset")) == 1


def test_a_failing_projection_leaves_nothing_behind(world: World) -> None:
    before = everything(world)

    def broken(connection: Connection, changes: Changes) -> None:
        items.VIEW.into(1)(connection, changes)
        raise RuntimeError("broken view")

    with pytest.raises(ProjectionFailed):
        apply_one(world.engine, {"items": broken}, at([LAMP]), Circumstances(no_ends, NOW))

    assert everything(world) == before


def test_a_partition_that_another_writer_has_is_left_alone(
    postgresql_url: str, valkey_url: str
) -> None:
    with World.of(postgresql_url, valkey_url, 1) as world, world.engine.begin() as connection:
        connection.execute(text("SELECT 1 FROM partitions WHERE partition = 0 FOR UPDATE"))

        with pytest.raises(Held):
            take(world, at([LAMP]))


def test_batches_of_several_partitions_share_a_transaction(two_partitions: World) -> None:
    world = two_partitions
    rug = [replace(each, position=Position(1, 1, 1)) for each in at([RUG])]
    batches = {0: at([LAMP, CHEAPER]), 1: rug}
    applied = apply(world.engine, PROJECTIONS, batches, Circumstances(no_ends, NOW))

    assert {each: what.upto for each, what in applied.items()} == {
        0: Position(0, 1, 2),
        1: Position(1, 1, 1),
    }
    told = world.rows(tables.events, "partition", "offset")
    assert [(row["partition"], row["offset"], row["command_id"]) for row in told] == [
        (0, 1, "c1"),
        (0, 2, "c2"),
        (1, 1, "c4"),
    ]
    assert [row["offset"] for row in world.rows(tables.checkpoints, "partition")] == [2, 1]
    assert world.checkpoint(1) == Position(1, 1, 1)


def test_of_several_partitions_the_one_that_another_writer_has_is_left_out(
    postgresql_url: str, valkey_url: str
) -> None:
    with World.of(postgresql_url, valkey_url, 2) as world, world.engine.begin() as connection:
        connection.execute(text("SELECT 1 FROM partitions WHERE partition = 0 FOR UPDATE"))
        rug = [replace(each, position=Position(1, 1, 1)) for each in at([RUG])]
        batches = {0: at([LAMP]), 1: rug}
        applied = apply(world.engine, PROJECTIONS, batches, Circumstances(no_ends, NOW))

        assert list(applied) == [1]
        assert world.checkpoint(0).n == 0


def test_many_writers_on_one_partition_apply_every_command_once(
    postgresql_url: str, valkey_url: str
) -> None:
    patches = [
        envelope(f"p{number}", PatchItem("lamp-1", NOW, price=number)) for number in range(200)
    ]
    log = at([LAMP, *patches])
    with World.of(postgresql_url, valkey_url, 1) as world:

        def work() -> None:
            while (position := world.checkpoint()).n < len(log):
                try:
                    take(world, log[position.n : position.n + 7])
                except Held:
                    continue

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        told = world.rows(tables.events, "offset")

    assert [row["offset"] for row in told] == list(range(1, len(log) + 1))
    assert [row["command_id"] for row in told] == ["c1", *(f"p{n}" for n in range(200))]


def test_recorded_time_never_goes_back_when_the_clock_does(world: World) -> None:
    take(world, at([LAMP]), NOW)
    take(world, at([CHEAPER], first=2), NOW - 60_000)

    assert [row["recorded_at"] for row in world.rows(tables.events, "offset")] == [NOW, NOW]


def test_a_missing_position_is_recorded_as_a_gap_and_the_rest_goes_on(world: World) -> None:
    take(world, at([LAMP]))
    applied = take(world, at([CHEAPER], first=4))

    assert applied.gaps == [Gap(0, 1, 2, 3)]
    (gap,) = world.rows(tables.gaps, "from_n")
    assert (gap["from_epoch"], gap["from_n"], gap["to_n"]) == (1, 2, 3)
    assert world.checkpoint() == Position(0, 1, 4)


def test_what_an_ended_epoch_gave_out_and_is_not_there_is_a_gap(world: World) -> None:
    take(world, at([LAMP]))
    ends = {1: 3, 2: 2, 9: 9}
    given = Circumstances(lambda _: ends, NOW)
    applied = apply_one(world.engine, PROJECTIONS, at([CHEAPER], epoch=7), given)

    assert applied.gaps == [Gap(0, 1, 2, 3), Gap(0, 2, 1, 2)]


def test_a_newer_epoch_right_after_the_end_of_the_old_one_is_no_gap(world: World) -> None:
    take(world, at([LAMP]))
    given = Circumstances(lambda _: {1: 1}, NOW)
    applied = apply_one(world.engine, PROJECTIONS, at([CHEAPER], epoch=7), given)

    assert applied.gaps == []
    assert world.rows(tables.gaps, "from_n") == []


def test_a_gap_inside_a_batch_is_noticed(world: World) -> None:
    batch = [*at([LAMP]), *at([CHEAPER], first=3)]

    assert take(world, batch).gaps == [Gap(0, 1, 2, 2)]


def test_what_the_ledger_has_and_a_shorter_log_has_lost_is_recorded_as_kept(world: World) -> None:
    take(world, at([LAMP, CHEAPER]))
    given = Circumstances(lambda _: {1: 1}, NOW)
    applied = apply_one(world.engine, PROJECTIONS, at([CHEAPEST], epoch=7), given)

    assert applied.gaps == [Gap(0, 1, 2, 2, "kept")]
    assert world.rows(tables.gaps, "from_n")[0]["kind"] == "kept"


def test_how_far_an_epoch_was_taken_is_kept_when_it_is_left_behind(world: World) -> None:
    take(world, at([LAMP, CHEAPER]))
    apply_one(
        world.engine, PROJECTIONS, at([CHEAPEST], epoch=7), Circumstances(lambda _: {1: 2}, NOW)
    )

    with world.engine.connect() as connection:
        assert epochs.taken(connection, 0, 1) == 2
        assert epochs.taken(connection, 0, 7) == 1
        assert epochs.taken(connection, 0, 5) == 0
        assert epochs.is_left(connection, Position(0, 1, 3))
        assert epochs.is_left(connection, Position(0, 5, 1))
        assert not epochs.is_left(connection, Position(0, 1, 2))
        assert not epochs.is_left(connection, Position(0, 7, 9))


def test_an_ask_moves_the_checkpoint_and_nothing_else(world: World) -> None:
    take(world, at([LAMP]))
    applied = take(world, at([ask("c1", "api-1")], first=2))

    assert (applied.upto, dict(applied.outcomes)) == (Position(0, 1, 2), {})
    assert len(world.rows(tables.outcomes, "command_id")) == 1


def test_every_events_hash_covers_the_one_before(world: World) -> None:
    take(world, at([LAMP, CHEAPER]))
    take(world, at([envelope("d", DeleteItem("lamp-1", NOW))], first=3))

    previous = chain.GENESIS
    for row in world.rows(tables.events, "offset"):
        previous = chain.link(previous, row)
        assert row["hash"] == previous
    assert world.rows(tables.partitions, "partition")[0]["hash"] == previous


def test_a_version_cannot_be_written_twice(world: World) -> None:
    take(world, at([LAMP]))
    (event,) = world.rows(tables.events, "offset")

    with world.engine.connect() as connection, pytest.raises(IntegrityError):
        connection.execute(tables.events.insert(), {**event, "offset": 2})
