"""A command that hits a defect is set aside with all that follows it; nothing else is touched."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

import worker.work
from domain.commands import Command, CreateItem, PatchItem
from domain.decide import decide
from domain.events import Event
from domain.item import Item
from eventlog import keys
from eventlog.envelope import Envelope, Order, encode
from eventlog.marks import Marks
from ledger import quarantine, tables
from ledger.quarantine import Quarantined
from tests.worker.world import NOW, World, envelope
from worker.apply import Held
from worker.trouble import is_of_data, is_outage

ROOT = Path(__file__).parents[2]
LAMP = envelope("c1", CreateItem("lamp-1", NOW, "Lamp", None, 100, "EUR"))
RUG = envelope("r1", CreateItem("rug-1", NOW, "Rug", None, 500, "EUR"))
POISON = 666


def lamp(command_id: str, price: int) -> Envelope:
    return envelope(command_id, PatchItem("lamp-1", NOW, price=price))


def rug(command_id: str, price: int) -> Envelope:
    return envelope(command_id, PatchItem("rug-1", NOW, price=price))


def order(command_id: str, what: Any, of: str) -> Order:
    return Order(command_id, what, of, "anna")


@pytest.fixture
def allergic(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A release that does not stand one price; call it to mend that."""

    def picky(command: Command, item: Item | None, now: int) -> tuple[Event, ...]:
        if isinstance(command, PatchItem) and command.price == POISON:
            raise ZeroDivisionError("a defect of this release")
        return decide(command, item, now)

    monkeypatch.setattr(worker.work, "decide", picky)
    return lambda: monkeypatch.setattr(worker.work, "decide", decide)


def applied(world: World) -> list[str]:
    return [row["command_id"] for row in world.rows(tables.events, "offset")]


def states(world: World) -> dict[str, str]:
    return {row["command_id"]: row["state"] for row in world.rows(tables.quarantine, "n")}


def outcome(world: World, command_id: str) -> dict[str, Any]:
    (found,) = [
        row for row in world.rows(tables.outcomes, "command_id") if row["command_id"] == command_id
    ]
    return found


def test_a_command_that_raises_is_dead_and_the_next_ones_of_its_item_are_parked(
    world: World, allergic: Callable[[], None]
) -> None:
    world.append(LAMP, RUG, lamp("bad", POISON), rug("r2", 1), lamp("c2", 2), rug("r3", 3))
    world.append(lamp("c3", 3))
    world.drain().partition(0)

    assert applied(world) == ["c1", "r1", "r2", "r3"]
    assert states(world) == {"bad": "dead", "c2": "parked", "c3": "parked"}
    with world.engine.connect() as connection:
        found = quarantine.find(connection, "bad")
        assert found is not None
        assert quarantine.parked_behind(connection, found) == 2
    assert "ZeroDivisionError: a defect of this release" in (found.error or "")
    assert b'"price":666' in found.body
    assert world.rows(tables.partitions, "partition")[0]["quarantined"] == 3
    assert world.checkpoint().n == 7


def test_a_later_batch_still_parks_behind_the_dead_one(
    world: World, allergic: Callable[[], None]
) -> None:
    world.append(LAMP, lamp("bad", POISON))
    world.drain().partition(0)
    world.append(lamp("c2", 2), RUG)
    world.drain().partition(0)

    assert states(world) == {"bad": "dead", "c2": "parked"}
    assert applied(world) == ["c1", "r1"]


def test_a_command_that_is_set_aside_is_not_taken_a_second_time(
    world: World, allergic: Callable[[], None]
) -> None:
    world.append(LAMP, lamp("bad", POISON), lamp("c2", 2))
    world.drain().partition(0)
    world.redis.delete(keys.command(0, "bad"), keys.command(0, "c2"))
    allergic()
    world.append(lamp("bad", POISON), lamp("c2", 2))
    world.drain().partition(0)

    assert states(world) == {"bad": "dead", "c2": "parked"}
    assert applied(world) == ["c1"]


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
    sqlite_url: str, valkey_url: str
) -> None:
    with World.of(sqlite_url, valkey_url, 1) as world:
        world.append(LAMP, lamp("bad", POISON))
        while drain_in_a_process(sqlite_url, valkey_url):
            pass
        world.append(order("o1", "replay", "bad"), RUG)
        codes = [drain_in_a_process(sqlite_url, valkey_url) for _ in range(10)]

        # As a batch, alone, and for the dead one alone: three times each.
        assert codes == [-signal.SIGKILL] * 9 + [0]
        assert states(world) == {"bad": "dead"}
        assert applied(world) == ["c1", "r1"]


@pytest.mark.parametrize(
    "members",
    [
        {"id": ["x"]},
        {"item": ["x"]},
        {"item": "lamp\0"},
        {"desc": {"a": 1}},
        {"reason": {"a": 1}},
        {"actor": 7},
        {"fp": {"a": 1}},
        {"reply": {"a": 1}},
        {"price": "12"},
        {"price": 1.5},
        {"price": -5},
        {"price": 2**70},
        {"cur": "???"},
        {"at": "now"},
    ],
    ids=str,
)
def test_an_entry_with_a_member_of_the_wrong_kind_is_dead_on_every_database(
    world: World, members: dict[str, Any]
) -> None:
    (first,) = world.append(LAMP)
    good = json.loads(encode(lamp("x1", 5)))
    body = json.dumps(good | members)
    world.redis.xadd(keys.log(0), {"c": body}, id=f"{first.position.epoch}-2")
    world.redis.hset(keys.head(0), "n", 2)
    world.append(RUG)
    world.drain().partition(0)

    assert applied(world) == ["c1", "r1"]
    assert list(states(world).values()) == ["dead"]


def test_one_that_kills_its_process_does_not_hold_up_other_partitions(
    sqlite_url: str, valkey_url: str
) -> None:
    with World.of(sqlite_url, valkey_url, 2) as world:
        world.append(LAMP, lamp("bad", POISON))
        world.append(RUG, partition=1)
        for _ in range(12):
            world.ring.ring([0, 1])
            if drain_in_a_process(sqlite_url, valkey_url, "answer") == 0:
                break
            assert "dead" not in states(world).values()
            if world.checkpoint(1).n == 1:
                break
        # At the latest after a few kills: by itself, and in any order.
        assert world.checkpoint(1).n == 1
        assert states(world) == {}


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


@pytest.mark.parametrize(
    ("body", "command_id"),
    [
        (b"no json", None),
        (b"[1]", None),
        (b'{"id":"x1","item":"lamp-1","op":"explode"}', "x1"),
        (b'{"id":"x2","op":"patch","item":7}', "x2"),
        (b"", None),
    ],
)
def test_an_entry_that_can_not_be_read_is_dead_and_the_others_go_on(
    world: World, body: bytes, command_id: str | None
) -> None:
    (first,) = world.append(LAMP)
    at = f"{first.position.epoch}-2"
    world.redis.xadd(keys.log(0), {"c": body}, id=at)
    world.redis.hset(keys.head(0), "n", 2)
    world.append(RUG)
    world.drain().partition(0)

    assert applied(world) == ["c1", "r1"]
    token = first.position.token.rpartition(".")[0]
    assert states(world) == {command_id or f"unreadable-{token}.2": "dead"}


def test_an_unreadable_command_of_a_known_item_parks_what_follows_it(world: World) -> None:
    (first,) = world.append(LAMP)
    body = b'{"id":"x1","item":"lamp-1","op":"of a later release"}'
    world.redis.xadd(keys.log(0), {"c": body}, id=f"{first.position.epoch}-2")
    world.redis.hset(keys.head(0), "n", 2)
    world.append(lamp("c2", 2))
    world.drain().partition(0)

    assert states(world) == {"x1": "dead", "c2": "parked"}


def test_what_the_database_refuses_of_one_command_does_not_keep_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version that is there already: the events of an edited ledger, say."""
    world.append(LAMP, RUG)
    world.drain().partition(0)
    with world.engine.begin() as connection:
        connection.execute(text("UPDATE heads SET version = 0 WHERE item_id = 'lamp-1'"))
    world.append(rug("r2", 2), lamp("bad", 7), rug("r3", 3), lamp("c2", 8))
    world.drain().partition(0)

    assert applied(world) == ["c1", "r1", "r2", "r3"]
    assert states(world) == {"bad": "dead", "c2": "parked"}
    (row,) = [row for row in world.rows(tables.quarantine, "n") if row["state"] == "dead"]
    assert "IntegrityError" in row["error"]


def test_what_the_database_refuses_of_one_partition_does_not_keep_the_others_it_came_with(
    two_partitions: World,
) -> None:
    world = two_partitions
    world.append(LAMP)
    world.append(RUG, partition=1)
    world.ring.ring([0, 1])
    world.drain().answer()
    with world.engine.begin() as connection:
        connection.execute(text("UPDATE heads SET version = 0 WHERE item_id = 'lamp-1'"))
    world.append(lamp("bad", 7))
    world.append(rug("r2", 2), partition=1)
    world.ring.ring([0, 1])
    world.drain().answer()

    assert states(world) == {"bad": "dead"}
    assert [row["command_id"] for row in world.rows(tables.events, "partition", "offset")] == [
        "c1",
        "r1",
        "r2",
    ]


@pytest.mark.parametrize(
    "error",
    [OperationalError("x", {}, Exception("disk full")), MemoryError(), OSError(28, "no space")],
)
def test_an_outage_never_counts_against_a_command(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(*_: object) -> None:
        raise error

    world.append(LAMP)
    drain = world.drain()
    with monkeypatch.context() as patch:
        patch.setattr("ledger.outcomes.keep", fails)
        for _ in range(10):
            with pytest.raises(type(error)):
                drain.partition(0)
    drain.partition(0)

    assert is_outage(error)
    assert not is_of_data(error)
    assert applied(world) == ["c1"]
    assert states(world) == {}


KILLER = """
import os, signal, sys, threading
import worker.work
from domain.decide import decide
from runtime.settings import Settings
from tests.worker.world import World

def deadly(command, item, now):
    if getattr(command, "price", None) == 666:
        os.kill(os.getpid(), signal.SIGKILL)
    return decide(command, item, now)

worker.work.decide = deadly
with World.of(sys.argv[1], sys.argv[2], int(sys.argv[4])) as world:
    world.drain().answer() if sys.argv[3] == "answer" else world.drain().partition(0)
"""


def drain_in_a_process(database_url: str, valkey_url: str, how: str = "partition") -> int:
    partitions = "2" if how == "answer" else "1"
    return subprocess.run(
        [sys.executable, "-c", KILLER, database_url, valkey_url, how, partitions],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    ).returncode


def test_a_command_that_kills_its_process_is_found_out(sqlite_url: str, valkey_url: str) -> None:
    with World.of(sqlite_url, valkey_url, 1) as world:
        world.append(LAMP, RUG, lamp("bad", POISON), rug("r2", 2), lamp("c2", 3))
        codes = [drain_in_a_process(sqlite_url, valkey_url) for _ in range(7)]

        # Three times as a batch; then alone three times; then it is dead.
        assert codes == [-signal.SIGKILL] * 6 + [0]
        assert applied(world) == ["c1", "r1", "r2"]
        assert states(world) == {"bad": "dead", "c2": "parked"}


def test_only_processes_that_died_are_counted(sqlite_url: str, valkey_url: str) -> None:
    """Not the same one again, whose call was repeated or whose stores were away."""
    with World.of(sqlite_url, valkey_url, 1) as world:
        world.append(LAMP, lamp("c2", 1))
        begun, (first, *_) = world.checkpoint(), world.log()
        mine, other = world.reader.marks, Marks(world.redis, "another process")
        for _ in range(9):
            assert mine.begin([begun]) == {0: 1}
            assert mine.begin_alone(first.position) == 1
            mine.ended_alive([0])
        assert mine.begin([begun]) == {0: 1}
        assert other.begin([begun]) == {0: 2}
        assert other.begin_alone(first.position) == 1
        assert mine.begin([begun]) == {0: -1}
        assert mine.begin([first.position]) == {0: 1}


def test_a_worker_that_does_not_get_the_lock_counts_for_nothing(
    postgresql_url: str, valkey_url: str
) -> None:
    with World.of(postgresql_url, valkey_url, 1) as world, world.engine.begin() as connection:
        world.append(LAMP)
        connection.execute(text("SELECT 1 FROM partitions WHERE partition = 0 FOR UPDATE"))
        for _ in range(9):
            with pytest.raises(Held):
                world.drain().partition(0)

        assert not world.redis.exists(keys.begun(0))


def test_a_full_server_that_takes_no_marks_keeps_nothing_from_being_applied(world: World) -> None:
    world.append(LAMP)
    world.redis.config_set("maxmemory", "1")
    try:
        world.drain().partition(0)
    finally:
        world.redis.config_set("maxmemory", "0")

    assert applied(world) == ["c1"]


def test_what_came_again_with_another_payload_does_not_change_what_the_log_remembers(
    world: World,
) -> None:
    """Redis had forgotten the first one, and now took the second one for it."""
    (first,) = world.append(envelope("c1", LAMP.command, fingerprint="first"))
    world.drain().partition(0)
    world.redis.delete(keys.command(0, "c1"))
    world.append(envelope("c1", LAMP.command, fingerprint="second"))
    world.drain().partition(0)
    (again,) = world.append(envelope("c1", LAMP.command, fingerprint="first"))

    assert (again.position, again.known, again.fingerprint) == (first.position, True, "first")


def test_a_quarantined_row_comes_back_as_it_was_stored(world: World) -> None:
    came = Quarantined("c", world.checkpoint(), None, "dead", b"\x00\xff", "why", NOW)
    with world.engine.begin() as connection:
        quarantine.store(connection, [came])

        assert quarantine.find(connection, "c") == came
        assert quarantine.dead(connection, 10) == [came]
        assert quarantine.parked_behind(connection, came) == 0
