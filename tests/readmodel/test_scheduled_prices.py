"""The scheduled prices of an item: each as it stands, newest first."""

from typing import Any, Literal

import pytest
from flask.testing import FlaskClient

from domain.events import (
    ItemCreated,
    ItemDeleted,
    ItemPriceScheduled,
    ItemPriceUnscheduled,
    ItemRepriced,
)
from readmodel.cursors import Cursors
from runtime.times import rfc3339

AT = 1_763_798_400_000
DAY = 86_400_000
PATH = "/items/lamp/scheduled-prices"


def created(item_id: str = "lamp") -> ItemCreated:
    return ItemCreated(item_id, AT, AT, "Lamp", None, 100, "EUR")


def scheduled(name: str, days: int, *, is_sale: bool = False) -> ItemPriceScheduled:
    begins = AT + days * DAY
    until = begins + DAY if is_sale else None
    return ItemPriceScheduled("lamp", AT, AT, name, 90, "EUR", begins, until, "rosa", "black week")


def repriced(name: str | None, price: int = 90) -> ItemRepriced:
    return ItemRepriced("lamp", AT, AT, price, "EUR", name)


def over(name: str, how: Literal["ended", "cancelled"]) -> ItemPriceUnscheduled:
    return ItemPriceUnscheduled("lamp", AT, AT, name, how)


def standing(client: FlaskClient, limit: int = 50) -> dict[str, str]:
    """Follow the list to its end: ids and statuses, and each one alone is told the same."""
    found: dict[str, str] = {}
    following = f"{PATH}?limit={limit}"
    while following:
        answer = client.get(following)
        assert answer.status_code == 200, answer.text
        members = answer.json["scheduled_prices"]
        assert len(members) <= limit
        for each in members:
            assert each["id"] not in found
            found[each["id"]] = each["status"]
            assert client.get(f"{PATH}/{each['id']}").json == each
        cursor = answer.json["next"]
        following = cursor and f"{PATH}?limit={limit}&cursor={cursor}"
    return found


def test_a_scheduled_price_is_told_with_who_asked_for_it_and_why(
    ledger: Any, client: FlaskClient
) -> None:
    ledger.add(created(), scheduled("sale", 3, is_sale=True), reason="black week")
    answer = client.get(PATH)
    assert answer.json == {
        "scheduled_prices": [
            {
                "id": "sale",
                "item_id": "lamp",
                "price": 90,
                "currency": "EUR",
                "effective_from": rfc3339(AT + 3 * DAY),
                "effective_until": rfc3339(AT + 4 * DAY),
                "status": "pending",
                "actor": "rosa",
                "reason": "black week",
                "recorded_at": rfc3339(AT),
            }
        ],
        "next": None,
    }
    assert (answer.headers["Cache-Control"], answer.headers["Vary"]) == ("no-cache", "Prefer")


@pytest.mark.parametrize("limit", [1, 2, 50])
def test_each_stands_as_what_came_later_has_left_it(
    ledger: Any, client: FlaskClient, limit: int
) -> None:
    ledger.add(created(), scheduled("price", 1), scheduled("sale", 2, is_sale=True))
    ledger.add(scheduled("other", 5, is_sale=True), scheduled("never", 9))
    pending = {"never": "pending", "other": "pending", "sale": "pending", "price": "pending"}
    assert standing(client, limit) == pending
    assert list(standing(client, limit)) == list(pending)
    # A price is done when it has begun, a sale when it has ended: by the price that comes back,
    # or without one where somebody has set another meanwhile.
    ledger.add(repriced("price"), repriced("sale"))
    assert standing(client, limit) == pending | {"price": "done", "sale": "active"}
    ledger.add(repriced("sale", 100), repriced("other"), repriced(None, 7), over("other", "ended"))
    done = {"price": "done", "sale": "done", "other": "done"}
    assert standing(client, limit) == pending | done
    ledger.add(over("never", "cancelled"), scheduled("late", 20))
    assert standing(client, limit) == {"late": "pending"} | done | {"never": "cancelled"}
    assert next(iter(standing(client, limit))) == "late"


def test_a_sale_that_is_cancelled_while_it_is_on_is_cancelled(
    ledger: Any, client: FlaskClient
) -> None:
    ledger.add(created(), scheduled("sale", 1, is_sale=True), repriced("sale"))
    ledger.add(repriced(None, 100), over("sale", "cancelled"))
    assert standing(client) == {"sale": "cancelled"}


def test_what_was_scheduled_for_a_deleted_item_is_told(ledger: Any, client: FlaskClient) -> None:
    ledger.add(created(), scheduled("price", 1), over("price", "cancelled"))
    ledger.add(ItemDeleted("lamp", AT, AT))
    assert standing(client) == {"price": "cancelled"}


def test_where_nothing_was_scheduled_the_list_is_empty(ledger: Any, client: FlaskClient) -> None:
    ledger.add(created(), created("vase"), scheduled("price", 1))
    answer = client.get("/items/vase/scheduled-prices")
    assert answer.json == {"scheduled_prices": [], "next": None}
    assert client.get("/items/vase/scheduled-prices/price").status_code == 404


@pytest.mark.parametrize("item_id", ["nobody", "%00", "a b"])
def test_an_item_never_seen_has_none(client: FlaskClient, item_id: str) -> None:
    answer = client.get(f"/items/{item_id}/scheduled-prices")
    assert (answer.status_code, answer.json["code"]) == (404, "item-not-found")


@pytest.mark.parametrize("schedule_id", ["other", "%00", "%"])
def test_one_that_was_never_asked_for_is_404(
    ledger: Any, client: FlaskClient, schedule_id: str
) -> None:
    ledger.add(created(), scheduled("price", 1))
    answer = client.get(f"{PATH}/{schedule_id}")
    assert (answer.status_code, answer.json["code"]) == (404, "scheduled-price-not-found")


def test_a_cursor_is_bound_to_the_item(ledger: Any, client: FlaskClient) -> None:
    ledger.add(created(), created("vase"), scheduled("one", 1), scheduled("two", 2))
    cursor = client.get(f"{PATH}?limit=1").json["next"]
    assert client.get(f"{PATH}?cursor={cursor}").status_code == 200
    answer = client.get(f"/items/vase/scheduled-prices?cursor={cursor}")
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (400, "cursor-mismatch")
    before_all = Cursors("of this test").write(1, "scheduled prices", "lamp")
    assert client.get(f"{PATH}?cursor={before_all}").status_code == 400
