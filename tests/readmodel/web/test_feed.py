"""The page of the feed."""

from flask.testing import FlaskClient

from domain.events import ItemDeleted, ItemRenamed, ItemRepriced
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
    assert "Lamp · 12.99 EUR" in said


def test_of_a_long_feed_only_the_end_is_read(client: FlaskClient, ledger: Ledger) -> None:
    ledger.add(*(created(f"lamp-{n}", at=AT + n) for n in range(80)))
    rows = page_of(client, "/ui/feed").all("tr")[1:]
    ids = [each.text for row in rows for each in row.inside if each.tag == "code"]
    assert ids == [f"lamp-{n}" for n in range(79, 29, -1)]


def test_an_empty_feed_says_so(client: FlaskClient) -> None:
    assert "Nothing has happened yet" in get(client, "/ui/feed").text


def test_a_parameter_is_refused(client: FlaskClient) -> None:
    assert get(client, "/ui/feed", after="head").status_code == 400
