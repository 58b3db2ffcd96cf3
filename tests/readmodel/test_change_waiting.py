"""Waiting at the head of the feed for what comes."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from domain.events import ItemCreated, ItemDeleted, ItemRenamed
from readmodel.app import create_app
from readmodel.presence import PRESENCE, Presence
from readmodel.pulse import Pulse
from readmodel.turns import Turns
from readmodel.views import changes
from runtime.settings import Settings
from tests.readmodel.conftest import Log
from tests.readmodel.partitioned import AT, Partitioned
from tests.waiting import until

LAMP = ItemCreated("lamp", AT, AT, "Lamp", None, 100, "EUR")
CUP = ItemCreated("cup", AT, AT, "Cup", None, 50, "USD")
Ask = Callable[..., "Future[Any]"]


@pytest.fixture
def shop(database_url: str) -> Iterator[Partitioned]:
    with Partitioned.of(database_url, 2) as made:
        yield made


@pytest.fixture
def turns() -> Turns:
    return Turns(working=1, waiting=0, polling=2)


@pytest.fixture
def app(settings: Settings, engine: Engine, log: Log, turns: Turns) -> Flask:
    return create_app(settings, engine, log.inspector, turns=turns)


@pytest.fixture
def ask(app: Flask, shop: Partitioned) -> Iterator[Ask]:
    """Send requests beside each other."""
    with ThreadPoolExecutor(8) as pool:

        def send(query: str = "", prefer: str = "wait=30", **headers: str) -> "Future[Any]":
            given = {"Prefer": prefer, **headers}
            return pool.submit(lambda: app.test_client().get(f"/changes{query}", headers=given))

        yield send


@pytest.fixture
def pulses(monkeypatch: pytest.MonkeyPatch) -> list[Pulse]:
    """The pulses of applications that are made from here on."""
    made: list[Pulse] = []
    init = Pulse.__init__

    def remembering(pulse: Pulse, *args: Any, **named: Any) -> None:
        init(pulse, *args, **named)
        made.append(pulse)

    monkeypatch.setattr(Pulse, "__init__", remembering)
    return made


def they_wait(pulses: list[Pulse], count: int = 1) -> None:
    until(lambda: len(pulses[0]._waiters) == count, 30, f"{count} wait")


def told(answer: Any) -> list[tuple[str, int]]:
    assert answer.status_code == 200, answer.text
    return [(each["item_id"], each["version"]) for each in answer.json["changes"]]


def test_what_comes_is_told_as_soon_as_it_is_there(
    pulses: list[Pulse], ask: Ask, shop: Partitioned
) -> None:
    waits = ask()
    they_wait(pulses)
    shop.add(1, LAMP)
    answer = waits.result()
    assert told(answer) == [("lamp", 1)]
    assert answer.headers["Preference-Applied"] == "wait=30"


def test_what_is_there_is_not_waited_for(ask: Ask, shop: Partitioned) -> None:
    shop.add(1, LAMP)
    answer = ask().result()
    assert told(answer) == [("lamp", 1)]
    assert answer.headers["Preference-Applied"] == "wait=30"


def test_when_the_time_is_over_an_empty_page_goes_on_from_the_same_place(
    ask: Ask, shop: Partitioned
) -> None:
    shop.add(1, LAMP)
    answer = ask("?after=head", "wait=1").result()
    assert told(answer) == []
    assert answer.headers["Preference-Applied"] == "wait=1"
    shop.add(0, CUP)
    assert told(ask(f"?after={answer.json['next']}").result()) == [("cup", 1)]


def test_only_what_is_wanted_ends_the_waiting_and_the_rest_is_passed(
    pulses: list[Pulse], ask: Ask, shop: Partitioned
) -> None:
    shop.add(0, LAMP)
    of_type = ask("?after=head&types=ItemDeleted")
    of_item = ask("?after=head&item_id=cup")
    they_wait(pulses, 2)
    shop.add(0, ItemRenamed("lamp", AT, AT, "L"))
    shop.add(1, CUP)
    assert told(of_item.result()) == [("cup", 1)]
    shop.add(0, ItemDeleted("lamp", AT, AT))
    answer = of_type.result()
    assert told(answer) == [("lamp", 3)]
    assert answer.json["behind"] == 0


def test_more_that_comes_than_a_page_looks_at_is_not_looked_through_while_somebody_waits(
    pulses: list[Pulse], ask: Ask, shop: Partitioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "LOOKED_AT", 2)
    shop.add(0, LAMP)
    asked = ask("?after=head&types=ItemDeleted")
    they_wait(pulses)
    shop.add(0, *(ItemRenamed("lamp", AT, AT, f"{n}") for n in range(5)))
    answer = asked.result(20)
    assert (told(answer), answer.json["behind"]) == ([], 3)


def test_more_than_may_wait_are_answered_at_once(
    pulses: list[Pulse], ask: Ask, shop: Partitioned
) -> None:
    waiting = [ask() for _ in range(2)]
    they_wait(pulses, 2)
    one_more = ask().result()
    assert told(one_more) == []
    assert "Preference-Applied" not in one_more.headers
    shop.add(0, LAMP)
    assert [told(each.result()) for each in waiting] == [[("lamp", 1)]] * 2


def test_those_who_wait_leave_their_turn_to_others(
    pulses: list[Pulse], ask: Ask, shop: Partitioned, client: FlaskClient
) -> None:
    """Only one request works at once here, and two wait."""
    waiting = [ask() for _ in range(2)]
    they_wait(pulses, 2)
    assert client.get("/items").status_code == 200
    assert client.get("/health/live").status_code == 200
    shop.add(0, LAMP)
    assert [told(each.result()) for each in waiting] == [[("lamp", 1)]] * 2


def test_who_leaves_makes_room_for_others(
    pulses: list[Pulse], app: Flask, ask: Ask, shop: Partitioned
) -> None:
    client, sends = Presence(), ThreadPoolExecutor(1)
    given: Any = {"headers": {"Prefer": "wait=30"}, "environ_overrides": {PRESENCE: client}}
    leaves = sends.submit(app.test_client().get, "/changes", **given)
    waiting = [ask()]
    they_wait(pulses, 2)
    client.leave()
    assert told(leaves.result()) == []
    waiting.append(ask())
    they_wait(pulses, 2)
    shop.add(0, LAMP)
    assert [told(each.result()) for each in waiting] == [[("lamp", 1)]] * 2


def test_a_client_that_has_the_empty_page_is_told_after_waiting_that_it_is_still_so(
    ask: Ask, shop: Partitioned
) -> None:
    etag = ask(prefer="wait=0").result().headers["ETag"]
    again = ask("", "wait=1", **{"If-None-Match": etag}).result()
    assert again.status_code == 304
    assert again.headers["Preference-Applied"] == "wait=1"


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        ("wait=99999", "wait=30"),
        ("wait=" + "9" * 40, "wait=30"),
        ("respond-async, wait=3", "wait=3"),
        ("WAIT=3", "wait=3"),
        ("wait=3, wait=9", "wait=3"),
        ("wait=0", None),
        ("wait=-1", None),
        ("wait=1.5", None),
        ("wait", None),
        ("wait=☀".encode().decode("latin-1"), None),
        ("", None),
    ],
)
def test_seconds_are_read_as_the_command_api_reads_them(
    ask: Ask, shop: Partitioned, prefer: str, applied: str | None
) -> None:
    shop.add(0, LAMP)
    answer = ask("", prefer).result()
    assert told(answer) == [("lamp", 1)]
    assert answer.headers.get("Preference-Applied") == applied


def test_a_wait_that_meets_a_ledger_that_was_set_back_says_so(
    pulses: list[Pulse], ask: Ask, shop: Partitioned
) -> None:
    shop.add(0, LAMP)
    waits = ask("?after=head")
    they_wait(pulses)
    shop.set_back(0, 0)
    shop.add(1, CUP)
    answer = waits.result()
    assert (answer.status_code, answer.json["code"]) == (409, "cursor-ahead")
