"""A command that takes its process with it is found out, and nobody else is blamed."""

import signal
from contextlib import suppress

import pytest
from sqlalchemy import text

from domain.commands import Command, PatchItem
from domain.decide import Earlier, decide
from domain.events import Event
from domain.item import Item
from eventlog import keys
from eventlog.marks import Marks
from eventlog.reader import LogReader
from ledger.imports import Counts
from runtime.row_ids import row_id
from tests.worker.checks import differences
from tests.worker.importing import Importing, patch
from tests.worker.poison import (
    LAMP,
    POISON,
    RUG,
    Forker,
    applied,
    lamp,
    rug,
    states,
)
from tests.worker.world import World
from worker.apply import Held


def test_one_that_kills_its_process_does_not_hold_up_other_partitions(
    sqlite_url: str, valkey_url: str, forker: Forker
) -> None:
    # By itself and in any order: that none of so many comes before it, each time, is no chance.
    others = range(1, 8)
    with World.of(sqlite_url, valkey_url, 8) as world:
        world.append(LAMP, lamp("bad", POISON))
        for partition in others:
            world.append(RUG, partition=partition)
        for _ in range(12):
            world.ring.ring(range(8))
            code = forker.drain(sqlite_url, valkey_url, "answer", count=8)
            if code == 0 or any(world.checkpoint(each).n for each in others):
                break
        assert any(world.checkpoint(each).n for each in others)
        assert states(world) == {}


def test_a_command_that_kills_its_process_is_found_out(
    sqlite_url: str, valkey_url: str, forker: Forker
) -> None:
    with World.of(sqlite_url, valkey_url, 1) as world:
        world.append(LAMP, RUG, lamp("bad", POISON), rug("r2", 2), lamp("c2", 3))
        codes = [forker.drain(sqlite_url, valkey_url) for _ in range(7)]

        # Three times as a batch; then alone three times; then it is dead.
        assert codes == [-signal.SIGKILL] * 6 + [0]
        assert applied(world) == ["c1", "r1", "r2"]
        assert states(world) == {"bad": "dead", "c2": "parked"}


class Died(BaseException):
    """Goes past everything, as the end of a process does."""


def deadly(command: Command, item: Item | None, now: int, earlier: Earlier) -> tuple[Event, ...]:
    if isinstance(command, PatchItem) and command.price == POISON:
        raise Died
    return decide(command, item, now, earlier)


def test_one_that_comes_behind_others_of_the_same_process_is_found_out_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What follows on what a process has itself applied is not marked: that it ended counts from
    the next process on.
    """
    monkeypatch.setattr("worker.work.decide", deadly)
    monkeypatch.setattr("worker.session.BATCH", 1)
    monkeypatch.setattr("worker.session._LEAST", 1)
    world.append(LAMP, RUG, lamp("bad", POISON), rug("last", 7))
    deaths = 0
    for _ in range(8):
        # As a process of its own.
        world.reader = LogReader(world.redis, 1)
        with suppress(Died):
            world.drain().partition(0)
            break
        deaths += 1

    assert deaths == 7
    assert states(world) == {"bad": "dead"}
    assert applied(world) == ["c1", "r1", "last"]


@pytest.mark.parametrize("dry", [False, True], ids=["for real", "dry"])
def test_a_row_of_an_import_that_kills_its_process_does_not_take_the_others_along(
    sqlite_url: str, valkey_url: str, dry: bool, forker: Forker
) -> None:
    with World.of(sqlite_url, valkey_url, 1) as world:
        world.append(LAMP, RUG)
        importing = Importing(world, dry=dry)
        importing.feed(patch("rug-1", 1), patch("lamp-1", POISON), patch("rug-1", 3))
        importing.feed(patch("lamp-1", 4))
        codes = [forker.drain(sqlite_url, valkey_url) for _ in range(10)]

        # Three times as a batch, three times its entry alone, three times the row.
        assert codes == [-signal.SIGKILL] * 9 + [0]
        aside = {} if dry else {row_id("imp", 2): "dead", row_id("imp", 4): "parked"}
        assert states(world) == aside
        told = {1: "applied", 2: "dead", 3: "applied", 4: "applied"}
        assert importing.statuses() == (told if dry else {1: "applied", 3: "applied"})
        applied = list(importing.statuses().values()).count("applied")
        assert importing.counts() == Counts(applied=applied, other=4 - applied)
        assert differences(world) == ()


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
