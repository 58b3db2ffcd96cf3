"""The prices of an item as a timeline."""

from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.events import (
    Event,
    ItemCreated,
    ItemDeleted,
    ItemPriceScheduled,
    ItemRenamed,
    ItemRepriced,
    ItemRestored,
)
from readmodel.views import prices
from runtime.times import rfc3339
from tests.readmodel import timelines
from tests.readmodel.timelines import AT, MOMENTS, Stretch

LAMP = ItemCreated("lamp", AT, AT, "Lamp", None, 100, "EUR")
HOUR = 3_600_000


def priced(hours: int, price: int, currency: str = "EUR") -> ItemRepriced:
    at = AT + hours * HOUR
    return ItemRepriced("lamp", at, at, price, currency)


def at(hours: int) -> str:
    return rfc3339(AT + hours * HOUR)


def interval(price: int, since: int, until: int | None, version: int, currency: str = "EUR") -> Any:
    ends = None if until is None else at(until)
    return {
        "price": price,
        "currency": currency,
        "from": at(since),
        "until": ends,
        "version": version,
    }


def told(client: FlaskClient, **asked: Any) -> list[dict[str, Any]]:
    answer = client.get("/items/lamp/prices", query_string=asked)
    assert answer.status_code == 200, answer.text
    assert answer.json["next"] is None
    return answer.json["prices"]


def test_each_price_is_in_force_until_the_next_one(ledger: Any, client: FlaskClient) -> None:
    ledger.add(LAMP, priced(1, 120), ItemRenamed("lamp", AT, AT + 2 * HOUR, "x"), priced(3, 90))
    answer = client.get("/items/lamp/prices")
    assert answer.json == {
        "prices": [interval(100, 0, 1, 1), interval(120, 1, 3, 2), interval(90, 3, None, 4)],
        "next": None,
    }
    assert answer.content_type == "application/json"
    assert answer.headers["Cache-Control"] == "no-cache"


def test_an_hour_in_which_the_item_is_deleted_is_a_gap(ledger: Any, client: FlaskClient) -> None:
    deleted, restored = AT + HOUR, AT + 2 * HOUR
    ledger.add(LAMP, ItemDeleted("lamp", deleted, deleted), ItemRestored("lamp", AT, restored))
    assert told(client) == [interval(100, 0, 1, 1), interval(100, 2, None, 3)]


def test_a_deleted_item_has_no_open_interval(ledger: Any, client: FlaskClient) -> None:
    ledger.add(LAMP, ItemDeleted("lamp", AT, AT + HOUR))
    assert told(client) == [interval(100, 0, 1, 1)]


def test_of_changes_at_one_moment_the_last_one_counts(ledger: Any, client: FlaskClient) -> None:
    ledger.add(LAMP, priced(0, 500), priced(0, 90), priced(1, 7), priced(1, 8))
    assert told(client) == [interval(90, 0, 1, 3), interval(8, 1, None, 5)]


def test_what_goes_on_at_the_same_price_is_one_interval(ledger: Any, client: FlaskClient) -> None:
    there_and_back = (priced(1, 500), priced(1, 100))
    gone_for_no_time = (
        ItemDeleted("lamp", AT, AT + 2 * HOUR),
        ItemRestored("lamp", AT, AT + 2 * HOUR),
    )
    ledger.add(LAMP, *there_and_back, *gone_for_no_time, priced(3, 100, "USD"))
    assert told(client) == [interval(100, 0, 3, 1), interval(100, 3, None, 6, "USD")]


def test_a_price_that_is_set_while_the_item_is_deleted_comes_with_the_item(
    ledger: Any, client: FlaskClient
) -> None:
    ledger.add(
        LAMP,
        ItemDeleted("lamp", AT, AT + HOUR),
        priced(2, 70),
        ItemRestored("lamp", AT, AT + 3 * HOUR),
    )
    assert told(client) == [interval(100, 0, 1, 1), interval(70, 3, None, 4)]
    assert told(client, **{"from": at(1)}) == [interval(70, 3, None, 4)]


def test_a_scheduled_price_is_none_before_it_has_begun(ledger: Any, client: FlaskClient) -> None:
    soon = AT + HOUR
    ledger.add(LAMP, ItemPriceScheduled("lamp", AT, AT, "s", 5, "EUR", soon, None, "rosa", None))
    assert told(client) == [interval(100, 0, None, 1)]
    ledger.add(ItemRepriced("lamp", soon, soon, 5, "EUR", "s"))
    assert told(client) == [interval(100, 0, 1, 1), interval(5, 1, None, 3)]


def test_from_and_to_choose_intervals_and_cut_none(ledger: Any, client: FlaskClient) -> None:
    ledger.add(LAMP, priced(2, 120), priced(4, 90), priced(6, 80))
    whole = [interval(100, 0, 2, 1), interval(120, 2, 4, 2), interval(90, 4, 6, 3)]
    assert told(client, **{"from": at(1), "to": at(5)}) == whole
    # What ends at `from` was not in force then, nor was what begins at `to` before it.
    assert told(client, **{"from": at(2), "to": at(4)}) == [interval(120, 2, 4, 2)]
    assert told(client, to=at(0)) == []
    assert told(client, **{"from": at(9)}) == [interval(80, 6, None, 4)]
    assert told(client, **{"from": at(-9)})[0] == interval(100, 0, 2, 1)


@pytest.mark.parametrize("limit", [1, 2, 3, 200])
def test_a_long_timeline_comes_in_pages(ledger: Any, client: FlaskClient, limit: int) -> None:
    ledger.add(LAMP, *(priced(hours, 100 + hours) for hours in range(1, 8)))
    path, found = f"/items/lamp/prices?limit={limit}&from={at(2)}&to={at(6)}", []
    while path:
        answer = client.get(path)
        assert len(answer.json["prices"]) <= limit
        found += answer.json["prices"]
        link = answer.headers.get("Link", "")
        assert (answer.json["next"] is None) == (not link)
        parts = urlsplit(link.partition("<")[2].partition(">")[0])
        path = f"{parts.path}?{parts.query}" if link else ""
    assert found == [interval(100 + hours, hours, hours + 1, hours + 1) for hours in range(2, 6)]


def test_a_price_that_arrives_while_paging_is_on_a_later_page(
    ledger: Any, client: FlaskClient
) -> None:
    ledger.add(LAMP, priced(1, 110), priced(2, 120))
    first = client.get("/items/lamp/prices?limit=2").json
    ledger.add(priced(3, 130))
    rest = told(client, cursor=first["next"])
    assert first["prices"] + rest == [
        interval(100, 0, 1, 1),
        interval(110, 1, 2, 2),
        interval(120, 2, 3, 3),
        interval(130, 3, None, 4),
    ]


def test_a_cursor_is_bound_to_the_item_and_the_time(ledger: Any, client: FlaskClient) -> None:
    ledger.add(LAMP, priced(1, 110), ItemCreated("vase", AT, AT, "Vase", None, 1, "EUR"))
    cursor = client.get("/items/lamp/prices?limit=1").json["next"]
    for other in ("/items/vase/prices?", f"/items/lamp/prices?from={at(0)}&"):
        answer = client.get(f"{other}cursor={cursor}")
        assert answer.status_code == 400
        assert answer.json["errors"][0]["parameter"] == "cursor"


def test_an_item_never_seen_has_no_prices(client: FlaskClient) -> None:
    for item_id in ("nobody", "%00", "a b"):
        answer = client.get(f"/items/{item_id}/prices")
        assert (answer.status_code, answer.json["code"]) == (404, "item-not-found")


@pytest.mark.parametrize(
    ("asked", "parameter"),
    [
        ({"from": "yesterday"}, "from"),
        ({"from": ""}, "from"),
        ({"to": "2025-11-22"}, "to"),
        ({"from": at(1), "to": at(1)}, "to"),
        ({"from": at(2), "to": at(1)}, "to"),
        ({"limit": "0"}, "limit"),
        ({"cursor": "x"}, "cursor"),
        ({"since": at(1)}, "since"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_wrong_parameter_is_named(
    ledger: Any, client: FlaskClient, asked: dict[str, str], parameter: str
) -> None:
    ledger.add(LAMP)
    answer = client.get("/items/lamp/prices", query_string=asked)
    assert answer.status_code == 400
    assert answer.json["errors"][0]["parameter"] == parameter


def stretch(each: prices.Interval) -> Stretch:
    return (each.price.amount, each.price.currency), each.begins, each.ends, each.version


@settings(max_examples=150, deadline=None)
@given(
    timelines.histories(),
    st.none() | MOMENTS,
    st.none() | MOMENTS,
    st.integers(1, 4),
    st.integers(1, 3),
)
def test_every_timeline_is_what_a_look_at_every_moment_comes_to(
    events: list[Event], begin: int | None, end: int | None, limit: int, at_once: int
) -> None:
    found: list[Stretch] = []
    with (
        timelines.recorded(events) as connection,
        patch.object(prices, "_CHUNK", at_once),
        patch.object(prices, "_FIRST_LOOK", at_once),
    ):
        following = None
        while True:
            page = prices.page(connection, "lamp", limit, (begin, end), following)
            assert page is not None
            found += map(stretch, page.intervals)
            following = page.following
            if following is None:
                break
            assert len(page.intervals) == limit
    assert found == [
        each
        for each in timelines.stretches(events)
        if (end is None or each[1] < end) and (begin is None or each[2] is None or each[2] > begin)
    ]
