"""A command that hits a defect is set aside with all that follows it; nothing else is touched."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from eventlog import keys
from eventlog.codec import encode
from ledger import quarantine, tables
from ledger.imports import Counts
from ledger.quarantine import Quarantined
from runtime.row_ids import row_id
from tests.worker.importing import Importing, patch
from tests.worker.poison import (
    LAMP,
    POISON,
    RUG,
    applied,
    lamp,
    rug,
    states,
)
from tests.worker.world import NOW, World, envelope
from worker.trouble import is_of_data, is_outage


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


def test_what_the_database_refuses_of_one_row_does_not_keep_the_other_rows(world: World) -> None:
    world.append(LAMP, RUG)
    world.drain().partition(0)
    with world.engine.begin() as connection:
        connection.execute(text("UPDATE heads SET version = 0 WHERE item_id = 'lamp-1'"))
    importing = Importing(world)
    importing.feed(patch("rug-1", 2), patch("lamp-1", 7), patch("rug-1", 3), patch("lamp-1", 8))
    world.append(rug("r4", 4))
    world.drain().partition(0)

    first, bad, third, parked = (row_id("imp", each) for each in (1, 2, 3, 4))
    assert applied(world) == ["c1", "r1", first, third, "r4"]
    assert states(world) == {bad: "dead", parked: "parked"}
    assert importing.counts() == Counts(applied=2, other=2)
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
