"""What an operator does about commands that met a defect."""

import json
import threading
from collections.abc import Generator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.dead import list_dead, order, show_dead
from cli.main import app
from cli.refusals import Refusal
from domain.commands import CreateItem, PatchItem
from eventlog import keys
from ledger import tables
from runtime.settings import Settings
from tests.worker.world import NOW, World, envelope

LAMP = envelope("c1", CreateItem("lamp-1", NOW, "Lamp", None, 100, "EUR"))
CHEAPER = envelope("c2", PatchItem("lamp-1", NOW, price=1))
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
