"""The page of operations."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, update

from ledger import quarantine, tables
from ledger.quarantine import Quarantined, State
from readmodel.app import create_app
from runtime.auth import cookie
from runtime.positions import Position
from runtime.settings import Settings
from tests.readmodel.conftest import Ledger, Log
from tests.readmodel.operated import EPOCH, Operated
from tests.readmodel.web.reading import Page, get, page_of
from tests.readmodel.web.stock import AT, created
from tests.tokens import guard, token

TRACEBACK = "Traceback (most recent call last):\n  …\nValueError: <b>unknown operation</b>"


def set_aside(ledger: Ledger, *commands: tuple[str, State], why: str = TRACEBACK) -> None:
    with ledger.engine.begin() as connection:
        quarantine.store(
            connection,
            [
                Quarantined(
                    name,
                    Position(0, EPOCH, n),
                    "lamp",
                    state,
                    b'{"op": "<i>x</i>"}',
                    why if state == "dead" else None,
                    AT,
                )
                for n, (name, state) in enumerate(commands, 1)
            ],
        )
        connection.execute(update(tables.partitions).values(quarantined=len(commands)))


def figures(page: Page) -> dict[str, str]:
    board = page.one("dl", class_="figures")
    names = [each.text for each in board.inside if each.tag == "dt"]
    values = [" ".join(each.text.split()) for each in board.inside if each.tag == "dd"]
    return dict(zip(names, values, strict=True))


def test_what_waits_is_shown_with_its_age(ledger: Ledger, operated: Operated) -> None:
    ledger.n = 1
    ledger.add(created("lamp"))
    operated.put(1, 2, 3, at=AT - 9_000)
    operated.worker("w-1", "paused", "the <database> does not answer")
    page = page_of(operated.client, "/ui/operations")
    told = figures(page)
    # An import's entry is up to 100 commands.
    waiting = told["Entries waiting"]
    assert (waiting, told["Events"], told["Dead"]) == ("2", "1", "0")
    assert "Entries of the log that wait" in page.texts("h2")
    said = "an import's entry holds up to 100 rows"
    assert any(said in each for each in page.texts("p", class_="small quiet"))
    assert told["Oldest waits for"] == "9.0 s"
    (board,) = [each for each in page.all("div") if "data-board" in each.attributes]
    assert board.attributes["data-lag"] == "2"
    assert "the <database> does not answer" in page.one("main").text
    # The worker began a minute before.
    assert "2025-11-22 07:59:00 UTC (1 minute ago)" in page.texts("td", class_="quiet")


def test_how_the_log_is_kept_is_said_in_words_and_sizes(operated: Operated) -> None:
    page = page_of(operated.client, "/ui/operations")
    told = [each.text for each in page.one("dl", class_="rows").inside]
    assert told[:4] == [
        "A command is",
        "on disk before it is answered (fsync)",
        "At least wanted",
        "fsync",
    ]
    memory = told[told.index("Memory") + 1]
    assert re.fullmatch(r"[\d.]+ MiB of [\d.]+ GiB", memory)
    assert told[-1] == "0 online; none is waited for"


def test_views_say_how_they_stand_and_a_rebuild_how_far_it_is(
    client: FlaskClient, ledger: Ledger
) -> None:
    ledger.add(created("lamp"))
    with ledger.engine.begin() as connection:
        connection.execute(
            update(tables.checkpoints)
            .where(tables.checkpoints.c.projection.like("stats%"))
            .values(offset=0, error="Traceback\nKeyError: 'price'")
        )
        connection.execute(update(tables.partitions).values(in_step="items"))
        connection.execute(
            update(tables.projections)
            .where(tables.projections.c.view == "stats")
            .values(state="building")
        )
    page = page_of(client, "/ui/operations")
    assert "KeyError: 'price'" in page.texts("span", class_="sub wrong")
    assert "detached" in page.texts("span", class_="tag bad")
    assert page.one("progress", aria_label="Rebuild of stats")


def test_dead_commands_are_shown_with_what_waits_behind_them_and_ways_to_decide(
    client: FlaskClient, ledger: Ledger
) -> None:
    ledger.add(created("lamp"))
    set_aside(ledger, ("bad", "dead"), ("next", "parked"))
    page = page_of(client, "/ui/operations")
    assert figures(page)["Dead"] == "1 + 1 parked"
    replay = page.one("button", data_order="replay").attributes
    assert (replay["data-id"], replay["data-partition"]) == ("bad", "0")
    discard = page.one("button", data_opens="discard").attributes
    assert (discard["data-fill-command"], discard["data-fill-partition"]) == ("bad", "0")
    assert page.one("pre").text == f'{{"op": "<i>x</i>"}}\n\n{TRACEBACK}'
    assert "1 of the same item waits behind it" in page.one("ul", class_="list").text


@pytest.mark.parametrize("scopes", [("items:read",), ("ops",)])
def test_what_a_command_holds_is_shown_to_operators_alone(
    settings: Settings, engine: Engine, log: Log, ledger: Ledger, scopes: Any
) -> None:
    ledger.add(created("lamp"))
    set_aside(ledger, ("bad", "dead"))
    client = create_app(settings, engine, log.inspector, guard=guard(settings)).test_client()
    client.set_cookie(cookie.NAME, token(*scopes), domain="localhost")
    page = page_of(client, "/ui/operations")
    assert figures(page)["Dead"] == "1"
    assert bool(page.all("pre")) == bool(page.all("dialog")) == ("ops" in scopes)


def test_while_the_log_does_not_answer_the_page_says_so(client: FlaskClient, log: Log) -> None:
    log.go_down()
    answer = get(client, "/ui/operations")
    assert answer.status_code == 503
    page = Page(answer.text)
    assert "does not answer" in page.one("main").text
    assert page.one("a", class_="button main").attributes["href"] == "/ui/operations"


def test_a_parameter_is_refused(client: FlaskClient) -> None:
    assert get(client, "/ui/operations", watch="1").status_code == 400
