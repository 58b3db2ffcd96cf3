"""The page of the feed."""

from flask.testing import FlaskClient

from domain.events import (
    ItemDeleted,
    ItemDescribed,
    ItemPriceScheduled,
    ItemPriceUnscheduled,
    ItemRenamed,
    ItemRepriced,
)
from tests.readmodel.conftest import Ledger
from tests.readmodel.web.reading import get, page_of
from tests.readmodel.web.stock import AT, created


def test_the_last_events_of_all_items_are_shown_newest_first(
    client: FlaskClient, ledger: Ledger
) -> None:
    ledger.add(created("lamp", "Lamp", 1299), created("fan", "Fan", 1400, "JPY", at=AT + 1))
    ledger.add(ItemRepriced("lamp", AT + 2, AT + 2, 999, "EUR"), reason="sale")
    ledger.add(ItemRenamed("fan", AT + 3, AT + 3, "<b>Ventilator</b>"))
    ledger.add(ItemDeleted("lamp", AT + 4, AT + 4))
    rows = page_of(client, "/ui/feed").all("tr")[1:]
    told = [[each.text for each in row.inside if each.tag in {"strong", "code"}] for row in rows]
    assert told == [
        ["Deleted", "lamp"],
        ["Renamed", "fan"],
        ["Price changed", "lamp"],
        ["Created", "fan"],
        ["Created", "lamp"],
    ]
    said = [each.text for row in rows for each in row.inside if each.tag == "span"]
    assert "<b>Ventilator</b>" in said
    # First: it is not cut off where a line is short.
    assert "12.99 EUR · Lamp" in said


def test_of_scheduled_prices_the_feed_says_when_and_how_they_end(
    client: FlaskClient, ledger: Ledger
) -> None:
    ledger.add(created("lamp"))
    for name, price in (("s", 899), ("t", 799)):
        ledger.add(
            ItemPriceScheduled("lamp", AT, AT, name, price, "EUR", AT, AT + 60_000, "rosa", None),
            ItemRepriced("lamp", AT, AT, price, "EUR", name),
        )
    ledger.add(ItemPriceUnscheduled("lamp", AT, AT, "s", "ended"))
    ledger.add(ItemPriceUnscheduled("lamp", AT, AT, "t", "cancelled"))
    ledger.add(ItemDescribed("lamp", AT, AT, None))
    rows = page_of(client, "/ui/feed").all("tr")[1:]
    told = [" ".join(row.inside[0].text.split()) for row in rows]
    assert told == [
        "Description changed no description any more",
        "Scheduled price cancelled",
        "Scheduled price ended",
        "Price changed as scheduled 7.99 EUR",
        "Price scheduled 7.99 EUR from 2025-11-22 08:00 until 2025-11-22 08:01 UTC",
        "Price changed as scheduled 8.99 EUR",
        "Price scheduled 8.99 EUR from 2025-11-22 08:00 until 2025-11-22 08:01 UTC",
        "Created 12.99 EUR · lamp",
    ]


def test_of_a_long_feed_only_the_end_is_read(client: FlaskClient, ledger: Ledger) -> None:
    ledger.add(*(created(f"lamp-{n}", at=AT + n) for n in range(80)))
    rows = page_of(client, "/ui/feed").all("tr")[1:]
    ids = [each.text for row in rows for each in row.inside if each.tag == "code"]
    assert ids == [f"lamp-{n}" for n in range(79, 29, -1)]


def test_an_empty_feed_says_so(client: FlaskClient) -> None:
    assert "Nothing has happened yet" in get(client, "/ui/feed").text


def test_a_parameter_is_refused(client: FlaskClient) -> None:
    assert get(client, "/ui/feed", after="head").status_code == 400
