"""What an operator does about commands that met a defect."""

import getpass
import json
import os
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from cli.dead import list_dead, order, show_dead
from cli.main import app
from cli.refusals import Refusal
from domain.commands import CreateItem, PatchItem
from eventlog import keys
from eventlog.envelope import Order
from ledger import tables
from ledger.bulk import insert_rows
from ledger.engines import writing_engine
from runtime.settings import Settings
from tests.worker.world import NOW, World, envelope
from worker.orders import DeadCommands

LAMP = envelope("c1", CreateItem("lamp-1", NOW, "Lamp", None, 100, "EUR"))
CHEAPER = envelope("c2", PatchItem("lamp-1", NOW, price=1))
LONG_ID = "019c2f8e-7f6a-7c3e-9a55-0d7c1b5f3a10"
OF_TOMORROW = b'{"id":"bad","item":"lamp-1","at":1,"op":"of a later release"}'


@pytest.fixture
def world(sqlite_url: str, valkey_url: str) -> Generator[World]:
    """A lamp, a command nobody can read, and one that waits behind it."""
    with World.of(sqlite_url, valkey_url, 1) as world:
        (first,) = world.append(LAMP)
        world.redis.xadd(keys.log(0), {"c": OF_TOMORROW}, id=f"{first.position.epoch}-2")
        world.redis.hset(keys.head(0), "n", 2)
        world.append(CHEAPER)
        world.drain().partition(0)
        yield world


@pytest.fixture
def ours(world: World, sqlite_url: str, valkey_url: str, tmp_path: Path) -> Settings:
    return Settings(data=tmp_path, database_url=sqlite_url, redis_url=valkey_url)


@pytest.fixture
def at_work(world: World) -> Generator[None]:
    """A worker that drains whatever comes."""
    ended = threading.Event()

    def work() -> None:
        drain = world.drain()
        while not ended.wait(0.01):
            drain.answer()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    ended.set()
    thread.join()


def states(world: World) -> dict[str, str]:
    return {row["command_id"]: row["state"] for row in world.rows(tables.quarantine, "n")}


def test_dead_commands_are_listed_with_what_waits_behind_them(
    ours: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    list_dead(ours, as_json=True)
    (told,) = json.loads(capsys.readouterr().out)

    assert (told["command_id"], told["item_id"], told["parked_behind"]) == ("bad", "lamp-1", 1)
    assert "unknown operation" in told["error"]


def dead_too(ours: Settings, *command_ids: str) -> None:
    """Set more commands aside, as if each had met a defect of its own."""
    rows = [
        {
            "command_id": each,
            "partition": 0,
            "epoch": 1,
            "n": n,
            "item_id": f"chair-{n}",
            "state": "dead",
            "body": "",
            "error": f"ValueError: {'long ' * 30}\n",
            "since": NOW + n,
        }
        for n, each in enumerate(command_ids, 10)
    ]
    engine = writing_engine(ours.sql_url)
    with engine.begin() as connection:
        insert_rows(connection, tables.quarantine, rows)
        counted = tables.partitions.c.quarantined + len(rows)
        connection.execute(update(tables.partitions).values(quarantined=counted))
    engine.dispose()


def test_in_a_pipe_a_command_is_one_line_with_its_whole_id(
    ours: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    dead_too(ours, LONG_ID)
    list_dead(ours, as_json=False)
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()[:-1]]

    assert rows[0] == ["command", "item", "since", "parked", "error"]
    assert [row[0] for row in rows[1:]] == ["bad", LONG_ID]
    assert rows[2][1] == "chair-10"
    assert rows[2][4] == f"ValueError: {'long ' * 30}".strip()


@pytest.mark.parametrize("as_json", [True, False])
def test_that_there_are_more_than_are_listed_is_said(
    ours: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    as_json: bool,
) -> None:
    dead_too(ours, "another")
    list_dead(ours, as_json=as_json)
    told = capsys.readouterr()
    assert "there are more" not in told.out + told.err

    monkeypatch.setattr("worker.orders._MOST", 1)
    list_dead(ours, as_json=as_json)
    told = capsys.readouterr()
    assert "These are the oldest 1; there are more" in (told.err if as_json else told.out)
    order(ours, "replay", (), everything=True, sure=True, wait=0)
    told = capsys.readouterr()
    assert "These are the oldest 1; there are more" in told.out
    assert "another" not in told.out


class Sleeper:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_the_seconds_to_wait_are_those_of_all_orders_together(
    ours: Settings,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    dead_too(ours, "second", "third", "fourth")
    clock = Sleeper()
    monkeypatch.setattr("cli.dead.time", clock)
    monkeypatch.setattr("worker.orders.time", clock)
    code = order(ours, "discard", (), everything=True, sure=True, wait=10)

    assert code == 1
    assert 10 <= clock.now - 1000 < 20
    assert capsys.readouterr().out.count("no worker has come to it yet") == 4
    world.drain().partition(0)
    assert states(world) == {}


def test_a_log_that_goes_away_between_orders_is_told_with_how_many_were_given(
    ours: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead_too(ours, "second")
    give = DeadCommands.give

    def give_one(self: DeadCommands, order: Order, partition: int) -> None:
        if order.command_id != "bad":
            raise OSError("gone")
        give(self, order, partition)

    monkeypatch.setattr(DeadCommands, "give", give_one)
    with pytest.raises(Refusal, match=r"\(1 of 2 orders were given\)$"):
        order(ours, "discard", ["bad", "second"], everything=False, sure=True, wait=0)


def test_a_database_that_is_not_there_is_told_with_the_settings_that_name_it(
    tmp_path: Path,
) -> None:
    with pytest.raises(
        Refusal,
        match="no such file; `itemledger up` makes it, or name its folder with ITEMLEDGER_DATA",
    ):
        list_dead(Settings(data=tmp_path), as_json=False)


def test_who_has_no_name_orders_as_a_uid(
    ours: Settings, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr(getpass, "getuser", nobody)
    order(ours, "discard", ["bad"], everything=False, sure=True, wait=0)
    entries: Any = world.redis.xrange(keys.log(0))

    assert f"uid-{os.getuid()}".encode() in entries[-1][1][b"c"]


def test_one_is_shown_with_its_payload_and_traceback(
    ours: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    show_dead(ours, "bad")
    told = capsys.readouterr().out

    assert '"op": "of a later release"' in told
    assert '"c2",' in told
    assert "Traceback (most recent call last)" in told


def test_discarded_means_given_up_and_the_rest_goes_on(
    ours: Settings, world: World, at_work: None, capsys: pytest.CaptureFixture[str]
) -> None:
    code = order(ours, "discard", ["bad"], everything=False, sure=True, wait=30)

    assert code == 0
    assert capsys.readouterr().out.endswith("bad: given up\n")
    assert states(world) == {}
    assert [row["command_id"] for row in world.rows(tables.events, "offset")] == ["c1", "c2"]


def test_a_replay_that_fails_again_says_so_and_exits_with_1(
    ours: Settings, world: World, at_work: None, capsys: pytest.CaptureFixture[str]
) -> None:
    code = order(ours, "replay", (), everything=True, sure=True, wait=30)

    assert code == 1
    assert "\nbad: dead again: " in capsys.readouterr().out
    assert states(world) == {"bad": "dead", "c2": "parked"}


def test_an_order_that_no_worker_has_come_to_says_so(
    ours: Settings, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    code = order(ours, "discard", ["bad"], everything=False, sure=True, wait=0)
    assert code == 1
    assert "no worker has come to it yet" in capsys.readouterr().out
    world.drain().partition(0)

    assert states(world) == {}


def test_what_is_not_dead_can_not_be_replayed(ours: Settings) -> None:
    with pytest.raises(Refusal, match="no command c1 is set aside"):
        order(ours, "replay", ["c1"], everything=False, sure=True, wait=0)
    with pytest.raises(Refusal, match="parked behind a dead one of item lamp-1"):
        order(ours, "replay", ["c2"], everything=False, sure=True, wait=0)


def test_nothing_is_given_up_without_a_yes(ours: Settings, world: World) -> None:
    with pytest.raises(Refusal, match="--yes"):
        order(ours, "discard", ["bad"], everything=False, sure=False, wait=0)

    assert states(world) == {"bad": "dead", "c2": "parked"}


@pytest.mark.parametrize("wrong", [["replay"], ["discard", "--yes"], ["replay", "bad", "--all"]])
def test_which_ones_has_to_be_said(
    ours: Settings, monkeypatch: pytest.MonkeyPatch, wrong: list[str]
) -> None:
    monkeypatch.setenv("ITEMLEDGER_DATABASE_URL", ours.sql_url)
    monkeypatch.setenv("ITEMLEDGER_REDIS_URL", ours.log_url)
    result = CliRunner().invoke(app, ["dead", *wrong])

    assert result.exit_code == 2
    assert "give the ids of dead commands, or --all" in result.output


def test_a_log_that_is_away_is_said_in_a_line(ours: Settings, tmp_path: Path) -> None:
    away = ours.model_copy(update={"redis_url": f"unix://{tmp_path}/nobody.sock"})

    with pytest.raises(Refusal, match="cannot reach the log"):
        order(away, "replay", ["bad"], everything=False, sure=True, wait=0)
