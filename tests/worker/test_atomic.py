"""An atomic batch is applied whole or not at all, in however many partitions."""

import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from domain.commands import Command, CreateItem, DeleteItem, PatchItem, SchedulePrice
from eventlog import keys
from eventlog.envelope import Atomic, Envelope
from eventlog.partition import partition_of
from ledger import tables
from readmodel.views import items
from runtime.row_ids import row_id
from runtime.settings import Settings
from tests.worker.checks import differences, drain, head, outcomes, prices, statuses, told
from tests.worker.poison import POISON, Forker, order, states
from tests.worker.world import NOW, PROJECTIONS, World, envelope, no_ends
from worker.apply import Applied, Circumstances, Held
from worker.orders import DeadCommands, Obeyed
from worker.wide import Wide

# Of partition 0, and of partition 1.
LAMP, JUG = "lamp-1", "jug-1"
BOTH = (partition_of(LAMP, 2), partition_of(JUG, 2))
_LOCK_TIMEOUT = "55P03"


def create(item_id: str, price: int = 100) -> CreateItem:
    return CreateItem(item_id, NOW, "Thing", None, price, "EUR")


def patch(item_id: str, price: int) -> PatchItem:
    return PatchItem(item_id, NOW, price=price)


def batch(name: str, *commands: Command) -> Atomic:
    rows = (
        Envelope(row_id(name, n), command, "anna", "f", with_item=False)
        for n, command in enumerate(commands)
    )
    return Atomic(name, tuple(rows))


def place(world: World, *entries: Atomic | Envelope) -> None:
    """Append each to its partition, which is that of a batch's first item."""
    for entry in entries:
        first = entry.rows[0] if isinstance(entry, Atomic) else entry
        partition = partition_of(first.command.item_id, world.reader.partitions)
        world.append(entry, partition=partition)


@pytest.fixture
def shop(two_partitions: World) -> World:
    """A lamp and a jug, each in a partition of its own."""
    place(two_partitions, envelope("c1", create(LAMP)), envelope("j1", create(JUG)))
    drain(two_partitions)
    return two_partitions


def test_the_items_of_these_tests_are_of_two_partitions() -> None:
    assert BOTH == (0, 1)


def test_a_batch_of_two_partitions_is_applied_in_both(shop: World) -> None:
    place(shop, batch("b", patch(LAMP, 90), create("cup-1"), patch(JUG, 50), patch(LAMP, 80)))
    drain(shop)

    assert (head(shop, LAMP)["price"], head(shop, LAMP)["version"]) == (80, 3)
    assert head(shop, JUG)["price"] == 50
    assert [row["command_id"] for row in told(shop, LAMP)] == ["c1", row_id("b", 0), row_id("b", 3)]
    assert statuses(shop) == {"c1": "applied", "j1": "applied"} | {
        row_id("b", n): "applied" for n in range(4)
    }
    assert {row["item_id"]: row["price"] for row in shop.rows(items.TABLES[1], "item_id")} == {
        LAMP: 80,
        JUG: 50,
        "cup-1": 100,
    }
    assert differences(shop) == ()


def test_a_row_sees_what_the_rows_before_it_have_done(shop: World) -> None:
    place(shop, batch("b", create("cup-1"), patch("cup-1", 7), DeleteItem("cup-1", NOW)))
    drain(shop)

    assert [row["type"] for row in told(shop, "cup-1")] == [
        "ItemCreated",
        "ItemRepriced.v2",
        "ItemDeleted",
    ]
    assert [outcomes(shop)[row_id("b", n)]["version"] for n in range(3)] == [1, 2, 3]


def test_one_row_that_is_refused_keeps_all_from_being_applied(shop: World) -> None:
    before = shop.rows(tables.events, "partition", "offset")
    place(shop, batch("b", patch(LAMP, 90), patch("never-1", 5), patch(JUG, 50)))
    drain(shop)

    assert shop.rows(tables.events, "partition", "offset") == before
    found = [outcomes(shop)[row_id("b", n)] for n in range(3)]
    assert [row["status"] for row in found] == ["rejected"] * 3
    assert [row["code"] for row in found] == ["batch-rejected", "item-not-found", "batch-rejected"]
    assert found[0]["detail"].startswith("row 1 of the batch was refused: ")
    assert head(shop, LAMP)["version"] == head(shop, JUG)["version"] == 1
    assert shop.checkpoint(0).n == 2
    assert differences(shop) == ()


def test_a_row_whose_deadline_has_passed_keeps_all_from_being_applied(shop: World) -> None:
    late = Envelope(row_id("b", 1), patch(JUG, 50), "anna", "f", deadline=NOW - 1)
    place(shop, Atomic("b", (*batch("b", patch(LAMP, 90)).rows, late)))
    drain(shop)

    assert statuses(shop) == {
        "c1": "applied",
        "j1": "applied",
        row_id("b", 0): "rejected",
        row_id("b", 1): "expired",
    }
    assert prices(shop, LAMP) == []


def test_a_batch_that_changes_nothing_is_unchanged(shop: World) -> None:
    place(shop, batch("b", patch(LAMP, 100), patch(JUG, 100)))
    drain(shop)

    assert [outcomes(shop)[row_id("b", n)]["status"] for n in range(2)] == ["unchanged"] * 2
    assert differences(shop) == ()


def test_what_is_due_comes_before_the_row_of_its_item_in_any_partition(shop: World) -> None:
    for item_id in (LAMP, JUG):
        asked = SchedulePrice(item_id, NOW, f"s-{item_id}", 70, None, NOW + 1, None, "anna")
        place(shop, envelope(f"s-{item_id}", asked))
    drain(shop)
    shop.clock.now = NOW + 5
    late = (PatchItem(each, NOW + 5, name="Late") for each in (LAMP, JUG))
    place(shop, batch("b", *late))
    drain(shop)

    assert prices(shop, LAMP) == prices(shop, JUG) == [(70, NOW + 1)]
    assert statuses(shop)[f"due-s-{LAMP}-{NOW + 1}"] == "applied"
    assert statuses(shop)[f"due-s-{JUG}-{NOW + 1}"] == "applied"
    assert differences(shop) == ()


def test_a_batch_that_comes_twice_is_applied_once(shop: World) -> None:
    twice = batch("b", patch(LAMP, 90), patch(JUG, 50))
    place(shop, twice)
    drain(shop)
    shop.redis.delete(keys.command(0, "b"))
    place(shop, twice, envelope("c2", patch(LAMP, 5)))
    drain(shop)

    assert states(shop) == {}
    assert [price for price, _ in prices(shop, LAMP)] == [90, 5]
    assert [price for price, _ in prices(shop, JUG)] == [50]
    assert differences(shop) == ()


def test_a_batch_that_somebody_else_has_taken_meanwhile_is_not_taken_again(shop: World) -> None:
    place(shop, batch("b", patch(LAMP, 90), patch(JUG, 50)), envelope("c2", patch(LAMP, 80)))
    each = shop.log(0)[-2]
    assert isinstance(each.entry, Atomic)
    drain(shop)
    before, at = shop.rows(tables.events, "partition", "offset"), shop.checkpoint(0)
    late = Wide(shop.engine, PROJECTIONS, 2).apply(each, each.entry, Circumstances(no_ends, NOW))

    assert late == Applied(at)
    assert shop.checkpoint(0) == at > each.position
    assert shop.rows(tables.events, "partition", "offset") == before
    assert differences(shop) == ()


def test_a_batch_stands_between_the_commands_before_and_after_it_in_its_partition(
    shop: World,
) -> None:
    place(
        shop,
        envelope("c2", patch(LAMP, 1)),
        batch("b", patch(LAMP, 2), patch(JUG, 2)),
        envelope("c3", patch(LAMP, 3)),
        batch("d", patch(LAMP, 4)),
        batch("e", patch(LAMP, 5)),
    )
    drain(shop)

    assert [price for price, _ in prices(shop, LAMP)] == [1, 2, 3, 4, 5]


def test_a_batch_with_an_item_that_waits_behind_a_dead_command_is_refused(
    shop: World, allergic: Callable[[], None]
) -> None:
    place(shop, envelope("bad", patch(JUG, POISON)))
    drain(shop)
    place(shop, batch("b", patch(LAMP, 90), patch(JUG, 50)))
    drain(shop)

    found = [outcomes(shop)[row_id("b", n)] for n in range(2)]
    assert [row["code"] for row in found] == ["batch-rejected", "item-blocked"]
    assert states(shop) == {"bad": "dead"}
    assert prices(shop, LAMP) == []
    assert differences(shop) == ()


@pytest.fixture
def stuck(shop: World, allergic: Callable[[], None]) -> World:
    """A batch that has hit a defect."""
    place(shop, batch("b", patch(LAMP, 90), patch(JUG, POISON)), envelope("c2", patch(LAMP, 80)))
    drain(shop)
    return shop


def obeyed(world: World, what: str) -> Obeyed | None:
    """Tell what an operator is told of the order `o1`."""
    return DeadCommands(Settings(), world.engine).obeyed(order("o1", what, "b"), 0)


def test_a_batch_that_hits_a_defect_is_dead_as_a_whole_and_others_go_on(stuck: World) -> None:
    assert states(stuck) == {"b": "dead"}
    assert statuses(stuck) == {"c1": "applied", "j1": "applied", "c2": "applied"}
    assert [price for price, _ in prices(stuck, LAMP)] == [80]
    assert prices(stuck, JUG) == []
    quarantined = [each["quarantined"] for each in stuck.rows(tables.partitions, "partition")]
    assert quarantined == [1, 0]
    assert differences(stuck) == ()


def test_a_dead_batch_is_replayed_whole(stuck: World, allergic: Callable[[], None]) -> None:
    allergic()
    stuck.append(order("o1", "replay", "b"), partition=0)
    drain(stuck)

    assert states(stuck) == {}
    assert [price for price, _ in prices(stuck, LAMP)] == [80, 90]
    assert [price for price, _ in prices(stuck, JUG)] == [POISON]
    assert obeyed(stuck, "replay") == Obeyed("applied")
    assert [row["quarantined"] for row in stuck.rows(tables.partitions, "partition")] == [0, 0]
    assert differences(stuck) == ()


def test_a_replay_that_hits_the_defect_again_leaves_it_dead(stuck: World) -> None:
    stuck.append(order("o1", "replay", "b"), partition=0)
    drain(stuck)

    assert states(stuck) == {"b": "dead"}
    assert statuses(stuck)["o1"] == "applied"
    assert [row["quarantined"] for row in stuck.rows(tables.partitions, "partition")] == [1, 0]
    assert differences(stuck) == ()


def test_a_replay_that_is_refused_tells_what_became_of_every_row(
    stuck: World, allergic: Callable[[], None]
) -> None:
    allergic()
    place(stuck, envelope("j2", DeleteItem(JUG, NOW)))
    drain(stuck)
    stuck.append(order("o1", "replay", "b"), partition=0)
    drain(stuck)

    assert states(stuck) == {}
    assert [outcomes(stuck)[row_id("b", n)]["code"] for n in range(2)] == [
        "batch-rejected",
        "item-deleted",
    ]
    assert obeyed(stuck, "replay") == Obeyed("rejected", "item-deleted")
    assert differences(stuck) == ()


def test_a_dead_batch_is_given_up_with_all_its_rows(stuck: World) -> None:
    stuck.append(order("o1", "discard", "b"), partition=0)
    stuck.append(order("o2", "replay", "b"), partition=0)
    drain(stuck)

    assert states(stuck) == {}
    found = [outcomes(stuck)[row_id("b", n)] for n in range(2)]
    assert [(row["status"], row["code"]) for row in found] == [("dead", "discarded")] * 2
    assert statuses(stuck)["o2"] == "rejected"
    assert obeyed(stuck, "discard") == Obeyed("dead", "discarded")
    assert differences(stuck) == ()


def test_what_is_dead_is_not_taken_a_second_time(stuck: World) -> None:
    stuck.redis.delete(keys.command(0, "b"))
    place(stuck, batch("b", patch(LAMP, 90), patch(JUG, POISON)))
    drain(stuck)

    assert states(stuck) == {"b": "dead"}
    assert [row["quarantined"] for row in stuck.rows(tables.partitions, "partition")] == [1, 0]


def test_batches_that_cross_each_others_partitions_do_not_wait_for_each_other_for_ever(
    postgresql_url: str, valkey_url: str
) -> None:
    rounds = 30
    with World.of(postgresql_url, valkey_url, 2) as world:
        place(world, envelope("c1", create(LAMP)), envelope("j1", create(JUG)))
        drain(world)
        for n in range(rounds):
            place(world, batch(f"one-{n}", patch(LAMP, n), patch(JUG, n)))
            place(world, batch(f"two-{n}", patch(JUG, n), patch(LAMP, n)))
        failed: list[OperationalError] = []

        def work(partition: int) -> None:
            mine = world.drain()
            while world.checkpoint(partition).n < rounds + 1 and not failed:
                try:
                    mine.partition(partition)
                except Held:
                    continue
                except OperationalError as error:
                    # On a busy machine the other one may have them for longer than one waits.
                    if getattr(error.orig, "sqlstate", None) != _LOCK_TIMEOUT:
                        failed.append(error)

        threads = [threading.Thread(target=work, args=(each,)) for each in BOTH]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert failed == []
        assert set(statuses(world).values()) <= {"applied", "unchanged"}
        assert len(statuses(world)) == 2 + 4 * rounds
        assert differences(world) == ()


@pytest.mark.parametrize("point", ["tx.after_lock", "tx.after_events", "tx.before_commit"])
def test_of_a_batch_whose_process_is_killed_in_the_middle_nothing_is_left(
    database_url: str, valkey_url: str, tmp_path: Path, point: str, forker: Forker
) -> None:
    points = tmp_path / "points"
    points.mkdir()
    with World.of(database_url, valkey_url, 2) as world:
        place(world, envelope("c1", create(LAMP)), envelope("j1", create(JUG)))
        drain(world)
        place(world, batch("b", patch(LAMP, 90), patch(JUG, 50)))
        world.ring.ring([0, 1])
        (points / point).write_text("kill")
        code = forker.drain(database_url, valkey_url, "answer", points)

        assert code == -signal.SIGKILL
        assert prices(world, LAMP) == prices(world, JUG) == []
        assert statuses(world) == {"c1": "applied", "j1": "applied"}
        assert differences(world) == ()
        drain(world)
        assert [price for price, _ in prices(world, LAMP)] == [90]
        assert [price for price, _ in prices(world, JUG)] == [50]
        assert differences(world) == ()


def test_a_batch_that_kills_its_process_every_time_is_dead_in_the_end(
    sqlite_url: str, valkey_url: str, forker: Forker
) -> None:
    with World.of(sqlite_url, valkey_url, 2) as world:
        place(world, envelope("c1", create(LAMP)), envelope("j1", create(JUG)))
        drain(world)
        place(world, batch("b", patch(LAMP, 90), patch(JUG, POISON)))
        place(world, envelope("c2", patch(LAMP, 80)))
        codes: list[int] = []
        while states(world) == {} and len(codes) < 12:
            world.ring.ring([0, 1])
            codes.append(forker.drain(sqlite_url, valkey_url, "answer"))

        assert codes[:-1] == [-signal.SIGKILL] * 3
        assert states(world) == {"b": "dead"}
        assert [price for price, _ in prices(world, LAMP)] == [80]
        assert prices(world, JUG) == []
        assert differences(world) == ()
