"""The lowest price that was in force before a moment."""

from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from domain.events import Event, ItemCreated, ItemDeleted, ItemRenamed, ItemRepriced, ItemRestored
from readmodel.app import create_app
from readmodel.views import prices, prior_price
from readmodel.views.prior_price import NothingInForce, PriorPrice, Window
from runtime.settings import Settings
from runtime.times import FIRST_MOMENT, rfc3339
from tests.readmodel import timelines
from tests.readmodel.timelines import AT, DAY, MOMENTS

LAMP = ItemCreated("lamp", AT, AT, "Lamp", None, 1000, "EUR")
NOW = AT + 40 * DAY


def priced(days: float, price: int, currency: str = "EUR") -> ItemRepriced:
    at = AT + int(days * DAY)
    return ItemRepriced("lamp", at, at, price, currency)


def day(days: float) -> str:
    return rfc3339(AT + int(days * DAY))


def ask(client: FlaskClient, **asked: Any) -> Any:
    answer = client.get("/items/lamp/prior-price", query_string=asked)
    assert answer.status_code == 200, answer.text
    return answer.json


def nothing(client: FlaskClient, **asked: Any) -> str:
    answer = client.get("/items/lamp/prior-price", query_string=asked)
    assert (answer.status_code, answer.json["code"]) == (404, "no-price-in-force")
    return answer.json["detail"]


def test_the_lowest_price_of_the_window_and_its_proof(ledger: Any, client: FlaskClient) -> None:
    ledger.add(LAMP, priced(5, 800), priced(20, 900), ItemRenamed("lamp", AT, AT + 21 * DAY, "x"))
    ledger.add(priced(40, 700))
    answer = client.get(f"/items/lamp/prior-price?at={day(40)}")
    assert answer.content_type == "application/json"
    assert answer.json == {
        "price": 800,
        "currency": "EUR",
        "from": day(5),
        "version": 2,
        "window_start": day(10),
        "window_end": day(40),
        "window_complete": True,
        "proof": [
            {
                "price": 800,
                "currency": "EUR",
                "from": day(5),
                "until": day(20),
                "version": 2,
            },
            {
                "price": 900,
                "currency": "EUR",
                "from": day(20),
                "until": day(40),
                "version": 3,
            },
        ],
        "proof_complete": True,
    }


def test_the_price_in_force_at_the_start_counts_for_as_little_as_a_millisecond(
    ledger: Any, client: FlaskClient
) -> None:
    end = AT + 10 * DAY + 1
    ledger.add(LAMP, ItemRepriced("lamp", end, end, 2000, "EUR"))
    assert ask(client, at=day(40))["price"] == 1000
    ledger.add(ItemRepriced("lamp", end, end, 3000, "EUR"))
    assert ask(client, at=rfc3339(AT + 40 * DAY + 1))["price"] == 3000


def test_the_price_that_starts_at_the_moment_does_not_count(
    ledger: Any, client: FlaskClient
) -> None:
    ledger.add(LAMP, priced(35, 100))
    assert ask(client, at=day(35))["price"] == 1000
    assert ask(client, at=rfc3339(AT + 35 * DAY + 1))["price"] == 100


def test_a_price_of_no_length_and_one_of_a_deleted_item_were_never_in_force(
    ledger: Any, client: FlaskClient
) -> None:
    ledger.add(LAMP, priced(5, 1), priced(5, 900))
    deleted, restored = AT + 10 * DAY, AT + 20 * DAY
    ledger.add(ItemDeleted("lamp", deleted, deleted), priced(15, 2))
    ledger.add(priced(20, 800), ItemRestored("lamp", restored, restored))
    answer = ask(client, at=day(30), window=25)
    assert (answer["price"], answer["version"]) == (800, 7)
    assert [each["price"] for each in answer["proof"]] == [900, 800]


def test_only_the_currency_in_force_at_the_moment_counts(ledger: Any, client: FlaskClient) -> None:
    ledger.add(LAMP, priced(5, 1, "USD"), priced(10, 1100), priced(20, 5, "USD"))
    assert ask(client, at=day(19))["price"] == 1000
    answer = ask(client, at=day(20))
    assert (answer["price"], answer["currency"], answer["version"]) == (1, "USD", 2)
    assert [each["price"] for each in answer["proof"]] == [1]
    assert "USD" in nothing(client, at=day(20), window=10)


def test_where_nothing_is_in_force_at_the_moment_there_is_no_prior_price(
    ledger: Any, client: FlaskClient
) -> None:
    ledger.add(LAMP, ItemDeleted("lamp", AT, AT + 5 * DAY))
    assert "deleted or not there yet" in nothing(client, at=day(5))
    assert "deleted or not there yet" in nothing(client, at=day(-1))
    assert "EUR" in nothing(client, at=day(0))
    assert ask(client, at=rfc3339(AT + 1))["price"] == 1000


@pytest.mark.parametrize(("begins", "complete"), [(0, True), (-1, False), (1, True)])
def test_a_window_is_complete_where_the_item_was_there_when_it_began(
    ledger: Any, client: FlaskClient, begins: int, complete: bool
) -> None:
    ledger.add(LAMP, priced(1, 900))
    answer = ask(client, at=rfc3339(AT + 3 * DAY + begins), window=3)
    assert answer["window_complete"] is complete
    assert answer["price"] == 900
    assert answer["window_start"] == rfc3339(AT + begins)


def test_of_equal_prices_the_first_one_is_named(ledger: Any, client: FlaskClient) -> None:
    ledger.add(LAMP, priced(1, 500), priced(2, 900), priced(3, 500), priced(4, 900))
    answer = ask(client, at=day(5))
    assert (answer["version"], answer["from"]) == (2, day(1))


def test_of_very_many_prices_the_lowest_prove_it(ledger: Any, client: FlaskClient) -> None:
    ledger.add(LAMP, *(priced(1 + n / 100, 500 + n * 37 % 301) for n in range(301)))
    answer = ask(client, at=day(9))
    assert answer["proof_complete"] is False
    assert [each["price"] for each in answer["proof"]] == [
        price for n in range(301) if (price := 500 + n * 37 % 301) < 600
    ]
    assert answer["price"] == 500


def test_of_a_hundred_prices_each_proves_it(ledger: Any, client: FlaskClient) -> None:
    ledger.add(LAMP, *(priced(1 + n / 100, 500 + n) for n in range(99)))
    answer = ask(client, at=day(9), window=9)
    assert (len(answer["proof"]), answer["proof_complete"]) == (100, True)


def test_a_window_may_begin_with_the_first_year(ledger: Any, client: FlaskClient) -> None:
    begin = FIRST_MOMENT
    ledger.add(ItemCreated("lamp", AT, begin, "Lamp", None, 1000, "EUR"))
    answer = ask(client, at=rfc3339(begin + DAY), window=1)
    assert (answer["window_start"], answer["window_complete"]) == (rfc3339(begin), True)
    before = client.get(f"/items/lamp/prior-price?at={rfc3339(begin + DAY - 1)}&window=1")
    assert (before.status_code, before.json["errors"][0]["code"]) == (400, "window-start-range")


def test_what_is_asked_about_now_is_kept_by_nobody_whatever_the_clock_says(
    ledger: Any, settings: Settings, engine: Engine, log: Any
) -> None:
    # A worker whose clock goes ahead has recorded what takes effect later than now.
    ledger.add(LAMP, priced(20, 900))
    client = create_app(settings, engine, log.inspector, lambda: AT + 10 * DAY).test_client()
    answer = client.get("/items/lamp/prior-price")
    assert answer.json["price"] == 1000
    assert answer.headers["Cache-Control"] == "no-cache"


def test_without_a_moment_it_is_now_and_without_a_window_it_is_30_days(
    ledger: Any, settings: Settings, engine: Engine, log: Any
) -> None:
    client = create_app(settings, engine, log.inspector, lambda: NOW).test_client()
    ledger.add(LAMP, priced(9, 10), priced(10, 700), priced(39, 900))
    answer = ask(client)
    assert (answer["window_start"], answer["window_end"]) == (day(10), day(40))
    assert answer["price"] == 700
    assert ask(client, window=31)["price"] == 10


def test_a_moment_that_has_not_come_has_no_prior_price(
    ledger: Any, settings: Settings, engine: Engine, log: Any
) -> None:
    """Whoever shows it as a proof would be told another one later."""
    ledger.add(LAMP)
    client = create_app(settings, engine, log.inspector, clock=lambda: NOW).test_client()
    assert ask(client, at=rfc3339(NOW))["price"] == 1000
    answer = client.get("/items/lamp/prior-price", query_string={"at": rfc3339(NOW + 1)})
    assert answer.status_code == 400
    assert [(each["parameter"], each["code"]) for each in answer.json["errors"]] == [
        ("at", "in-the-future")
    ]


def test_what_has_happened_since_does_not_change_the_proof(
    ledger: Any, client: FlaskClient
) -> None:
    ledger.add(LAMP)
    path = f"/items/lamp/prior-price?at={day(20)}"
    open_yet = client.get(path)
    assert open_yet.headers["Cache-Control"] == "no-cache"
    # At the very moment something may still come, and count.
    ledger.add(priced(20, 500))
    assert client.get(path).headers["Cache-Control"] == "no-cache"
    ledger.add(priced(30, 400))
    settled = client.get(path)
    assert settled.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert settled.data == open_yet.data
    assert client.get("/items/lamp/prior-price").headers["Cache-Control"] == "no-cache"


def test_an_item_never_seen_has_no_prior_price(client: FlaskClient) -> None:
    for item_id in ("nobody", "%00", "a b"):
        answer = client.get(f"/items/{item_id}/prior-price")
        assert (answer.status_code, answer.json["code"]) == (404, "item-not-found")


@pytest.mark.parametrize(
    ("asked", "parameter"),
    [
        ({"at": "soon"}, "at"),
        ({"at": ""}, "at"),
        ({"window": "0"}, "window"),
        ({"window": "3651"}, "window"),
        ({"window": "-1"}, "window"),
        ({"window": "P30D"}, "window"),
        ({"window": "30.0"}, "window"),
        ({"window": "9" * 30}, "window"),
        ({"window": "٣٠"}, "window"),
        ({"at": "0001-01-15T00:00:00Z"}, "at"),
        ({"window": ["1", "2"]}, "window"),
        ({"days": "1"}, "days"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_wrong_parameter_is_named(
    ledger: Any, client: FlaskClient, asked: dict[str, str], parameter: str
) -> None:
    ledger.add(LAMP)
    answer = client.get("/items/lamp/prior-price", query_string=asked)
    assert answer.status_code == 400
    assert answer.json["errors"][0]["parameter"] == parameter


def shown(interval: prices.Interval) -> timelines.Stretch:
    money = (interval.price.amount, interval.price.currency)
    return money, interval.begins, interval.ends, interval.version


def proof(events: Sequence[Event], begins: int, ends: int, currency: str) -> Any:
    return [
        (money, since, ends if until is None else min(until, ends), version)
        for money, since, until, version in timelines.stretches(events)
        if money[1] == currency and since < ends and (until is None or until > begins)
    ]


@settings(max_examples=150, deadline=None)
@given(timelines.histories(), MOMENTS, st.integers(1, 4), st.integers(1, 3))
def test_the_prior_price_is_what_a_look_at_every_moment_comes_to(
    events: list[Event], at: int, days: int, at_once: int
) -> None:
    begins = at - days * DAY
    with (
        timelines.recorded(events) as connection,
        patch.object(prices, "_CHUNK", at_once),
        patch.object(prices, "_FIRST_LOOK", at_once),
    ):
        found = prior_price.prior_price(connection, "lamp", Window(begins, at))
    expected = timelines.lowest(events, begins, at)
    match found:
        case PriorPrice():
            money = (found.lowest.price.amount, found.lowest.price.currency)
            assert money == expected
            assert found.is_complete == (events[0].effective_at <= begins)
            proven = proof(events, begins, at, money[1])
            assert list(map(shown, found.proof)) == proven
            assert shown(found.lowest) == next(each for each in proven if each[0] == money)
            assert found.is_settled == (at < events[-1].effective_at)
        case _:
            assert isinstance(found, NothingInForce)
            assert expected is None
            there = timelines.in_force(events, at)
            assert found.currency == (None if there is None else there[1])
