"""`GET /stats`: counts, what items cost, and what happens on a day."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from domain.events import (
    Event,
    ItemCreated,
    ItemDeleted,
    ItemDescribed,
    ItemRenamed,
    ItemRepriced,
    ItemRestored,
)
from runtime.times import parse_rfc3339

MIDNIGHT = parse_rfc3339("2026-11-22T00:00:00Z")
DAY = 86_400_000


def created(item_id: str, price: int, currency: str = "EUR", at: int = MIDNIGHT) -> ItemCreated:
    return ItemCreated(item_id, at, at, item_id, None, price, currency)


def told(client: FlaskClient, path: str = "/stats") -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json


def items_of(answer: Any, currency: str = "EUR") -> dict[int, int]:
    """Tell how many items each bucket has, by its lowest price."""
    (found,) = [each for each in answer["currencies"] if each["currency"] == currency]
    return {each["from"]: each["items"] for each in found["prices"]}


def test_where_nothing_ever_happened_there_is_nothing_to_count(client: FlaskClient) -> None:
    assert told(client) == {
        "items": {"live": 0, "deleted": 0},
        "currencies": [],
        "from": None,
        "to": None,
        "days": [],
    }


def test_live_items_are_counted_by_currency_and_price(ledger: Any, client: FlaskClient) -> None:
    ledger.add(created("a", 199), created("b", 200), created("c", 499), created("d", 1, "USD"))
    ledger.add(created("e", 7), ItemDeleted("e", MIDNIGHT, MIDNIGHT))
    answer = told(client)
    assert answer["items"] == {"live": 4, "deleted": 1}
    assert answer["currencies"] == [
        {
            "currency": "EUR",
            "items": 3,
            "prices": [
                {"from": 100, "below": 200, "items": 1},
                {"from": 200, "below": 500, "items": 2},
            ],
        },
        {"currency": "USD", "items": 1, "prices": [{"from": 1, "below": 2, "items": 1}]},
    ]


def test_an_item_is_counted_where_it_is_now(ledger: Any, client: FlaskClient) -> None:
    lamp = ("lamp", MIDNIGHT, MIDNIGHT)

    def after(*events: Event) -> Any:
        ledger.add(*events)
        answer = told(client)
        return answer["items"], {
            each["currency"]: items_of(answer, each["currency"]) for each in answer["currencies"]
        }

    assert after(created("lamp", 300)) == ({"live": 1, "deleted": 0}, {"EUR": {200: 1}})
    assert after(ItemRepriced(*lamp, 400, "EUR"))[1] == {"EUR": {200: 1}}
    assert after(ItemRepriced(*lamp, 0, "EUR"))[1] == {"EUR": {0: 1}}
    assert after(ItemRepriced(*lamp, 5, "USD"))[1] == {"USD": {5: 1}}
    assert after(ItemRenamed(*lamp, "Jug"), ItemDescribed(*lamp, "x"))[1] == {"USD": {5: 1}}
    assert after(ItemDeleted(*lamp)) == ({"live": 0, "deleted": 1}, {})
    assert after(ItemRestored(*lamp)) == ({"live": 1, "deleted": 0}, {"USD": {5: 1}})


def test_every_price_is_in_the_bucket_that_says_so(ledger: Any, client: FlaskClient) -> None:
    edges = {0, 2**53 - 1} | {digit * 10**power for power in range(16) for digit in (1, 2, 5)}
    prices = sorted({each for edge in edges for each in (edge - 1, edge, edge + 1)})
    prices = [each for each in prices if 0 <= each < 2**53]
    ledger.add(*(created(f"p{price}", price) for price in prices))
    (currency,) = told(client)["currencies"]
    assert sum(each["items"] for each in currency["prices"]) == len(prices)
    for each in currency["prices"]:
        inside = [price for price in prices if each["from"] <= price < each["below"]]
        assert each["items"] == len(inside)
        assert each["from"] in edges
        assert each["below"] in edges or each["below"] == 2**53


def test_events_are_counted_by_type_on_the_utc_day_of_their_recording(
    ledger: Any, client: FlaskClient
) -> None:
    early = MIDNIGHT - 400 * DAY
    ledger.add(ItemCreated("a", MIDNIGHT - 1, early, "a", None, 1, "EUR"))
    ledger.add(created("b", 2), ItemRepriced("b", MIDNIGHT + DAY - 1, MIDNIGHT, 3, "EUR"))
    ledger.add(ItemRepriced("a", MIDNIGHT + 2 * DAY, MIDNIGHT, 3, "EUR"))
    answer = told(client)
    assert answer["days"] == [
        {"day": "2026-11-21", "events": 1, "types": {"ItemCreated": 1}},
        {"day": "2026-11-22", "events": 2, "types": {"ItemCreated": 1, "ItemRepriced": 1}},
        {"day": "2026-11-24", "events": 1, "types": {"ItemRepriced": 1}},
    ]
    assert (answer["from"], answer["to"]) == ("2026-10-26", "2026-11-24")


@pytest.mark.parametrize(
    ("query", "first", "last", "days"),
    [
        ("", "2026-10-24", "2026-11-22", [24, 22]),
        ("?to=2026-10-24", "2026-09-25", "2026-10-24", [23, 24]),
        ("?from=2026-10-23", "2026-10-23", "2027-10-23", [23, 24, 22]),
        ("?from=2026-10-24&to=2026-10-24", "2026-10-24", "2026-10-24", [24]),
        ("?from=2026-01-01&to=2027-01-01", "2026-01-01", "2027-01-01", [23, 24, 22]),
        ("?to=0001-01-01", "0001-01-01", "0001-01-01", []),
        ("?from=9999-12-31", "9999-12-31", "9999-12-31", []),
    ],
)
def test_the_days_are_those_that_are_asked_for(
    ledger: Any, client: FlaskClient, query: str, first: str, last: str, days: list[int]
) -> None:
    for number, back in enumerate((30, 29, 0)):
        ledger.add(created(f"i{number}", 1, at=MIDNIGHT - back * DAY))
    answer = told(client, f"/stats{query}")
    assert (answer["from"], answer["to"]) == (first, last)
    assert [int(each["day"][-2:]) for each in answer["days"]] == days


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("from=2026-13-01", "from"),
        ("from=20261122", "from"),
        ("from=2026-W47-7", "from"),
        ("from=2026-11-22T00:00:00Z", "from"),
        ("to=", "to"),
        ("to=0000-01-01", "to"),
        ("to=%D9%A2%D9%A0%D9%A2%D9%A6-11-22", "to"),
        ("to=2026-11-22%00", "to"),
        ("from=2026-11-22&to=2026-11-21", "to"),
        ("from=2026-01-01&to=2027-01-02", "to"),
        ("from=2026-11-22&from=2026-11-22", "from"),
        ("day=2026-11-22", "day"),
    ],
)
def test_a_parameter_that_is_not_right_is_named(
    client: FlaskClient, query: str, parameter: str
) -> None:
    answer = client.get(f"/stats?{query}")
    assert answer.status_code == 400
    assert [each["parameter"] for each in answer.json["errors"]] == [parameter]


def test_stats_that_the_client_has_are_not_sent_again(ledger: Any, client: FlaskClient) -> None:
    ledger.add(created("a", 1))
    etag = client.get("/stats").headers["ETag"]
    assert etag.startswith('W/"')
    again = client.get("/stats", headers={"If-None-Match": etag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag)
    ledger.add(created("b", 1))
    assert client.get("/stats", headers={"If-None-Match": etag}).status_code == 200


def test_stats_are_read_no_older_than_the_token_asks_for(ledger: Any, client: FlaskClient) -> None:
    ledger.add(created("a", 1))
    headers = {"Consistency-Token": "0.1700000000000.99", "Prefer": "handling=strict"}
    answer = client.get("/stats", headers=headers)
    assert (answer.status_code, answer.json["code"]) == (503, "projection-behind")
