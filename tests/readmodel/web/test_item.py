"""The page of an item, and the one that compares two of its versions."""

import re
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from flask.testing import FlaskClient

from domain.events import (
    ItemDeleted,
    ItemDescribed,
    ItemPriceScheduled,
    ItemPriceUnscheduled,
    ItemRenamed,
    ItemRepriced,
    ItemRestored,
)
from ledger.imports import Counts
from runtime.row_ids import row_id
from runtime.times import now_ms, rfc3339
from tests.readmodel.conftest import Ledger
from tests.readmodel.test_imports import ID, begun
from tests.readmodel.web.reading import Page, get, page_of
from tests.readmodel.web.stock import AT, created
from tests.readmodel.web.test_operations import set_aside

DAY = 86_400_000
OTHER = "01941f29-7c00-7000-8000-000000000009"


def lines(page: Page) -> list[str]:
    return page.texts("p", class_="change")


def titles(page: Page) -> list[str]:
    entries = [each for each in page.all("li") if each.attributes.get("id", "").startswith("v")]
    return [next(part.text for part in each.inside if part.tag == "strong") for each in entries]


def shown(page: Page) -> str:
    return " ".join(page.one("p", class_="big").text.split())


def test_the_item_is_shown_as_it_stands(client: FlaskClient, ledger: Ledger) -> None:
    ledger.add(created("lamp", "Lamp", 1299, description="Shines.\nBrightly."))
    page = page_of(client, "/ui/items/lamp")
    assert page.texts("h1") == ["Lamp"]
    assert shown(page) == "12.99 EUR"
    assert page.one("p", class_="prose").text == "Shines.\nBrightly."


def test_the_history_says_who_changed_what_from_what_to_what_and_why(
    client: FlaskClient, ledger: Ledger
) -> None:
    ledger.add(created("lamp", "Lamp", 1299))
    ledger.add(ItemRenamed("lamp", AT + 1, AT + 1, "Lantern"), reason="<b>rebranding</b>")
    ledger.add(ItemRepriced("lamp", AT + 2, AT + 2, 999, "EUR"))
    ledger.add(ItemRepriced("lamp", AT + 3, AT + 3, 1500, "JPY"))
    ledger.add(ItemDescribed("lamp", AT + 4, AT + 4, "Shines."))
    page = page_of(client, "/ui/items/lamp")
    assert titles(page) == [
        "Description changed",
        "Price changed",
        "Price changed",
        "Renamed",
        "Created",
    ]
    assert lines(page) == [
        "Description after: Shines.",
        "Price before: 9.99 EUR → after: 1,500 JPY",
        "Price before: 12.99 EUR → after: 9.99 EUR",
        "Name before: Lamp → after: Lantern",
        "Name after: Lamp",
        "Price after: 12.99 EUR",
    ]
    assert page.texts("blockquote") == ["<b>rebranding</b>"]
    assert "by rosa" in page.one("ol", class_="timeline").text


def test_what_happens_to_a_scheduled_price_says_which_one_and_what_became_of_it(
    client: FlaskClient, ledger: Ledger
) -> None:
    def sale(name: str, price: int, ends: int | None = AT + 9 * DAY) -> ItemPriceScheduled:
        return ItemPriceScheduled("lamp", AT, AT, name, price, "EUR", AT + DAY, ends, "rosa", None)

    def repriced(price: int, name: str | None) -> ItemRepriced:
        return ItemRepriced("lamp", AT, AT, price, "EUR", name)

    def over(name: str, how: Literal["ended", "cancelled"]) -> ItemPriceUnscheduled:
        return ItemPriceUnscheduled("lamp", AT, AT, name, how)

    ledger.add(created("lamp"), sale("a", 899), over("a", "cancelled"))
    ledger.add(sale("b", 799), repriced(799, "b"), repriced(1299, "b"))
    ledger.add(sale("c", 699), repriced(699, "c"), repriced(650, None), over("c", "ended"))
    ledger.add(sale("d", 599, None), repriced(599, "d"), sale("e", 499), repriced(499, "e"))
    ledger.add(repriced(599, None), over("e", "cancelled"))
    page = page_of(client, "/ui/items/lamp")
    history = page.one("ol", id="history")
    said = [" ".join(each.text.split()) for each in history.inside if each.tag in {"strong", "p"}]
    told = [each for each in said if re.match("(Price|Scheduled)(?!.* v[0-9])", each)]
    when = "from 2025-11-23 08:00 until 2025-12-01 08:00 UTC"
    assert told[::-1] == [
        "Price after: 12.99 EUR",
        f"Scheduled after: 8.99 EUR {when}",
        "Price scheduled",
        f"Scheduled before: 8.99 EUR {when}",
        "Scheduled price cancelled",
        f"Scheduled after: 7.99 EUR {when}",
        "Price scheduled",
        "Price before: 12.99 EUR → after: 7.99 EUR",
        f"Scheduled 7.99 EUR {when}",
        "Scheduled price began",
        "Price before: 7.99 EUR → after: 12.99 EUR",
        f"Scheduled 7.99 EUR {when}",
        "Scheduled price ended",
        f"Scheduled after: 6.99 EUR {when}",
        "Price scheduled",
        "Price before: 12.99 EUR → after: 6.99 EUR",
        f"Scheduled 6.99 EUR {when}",
        "Scheduled price began",
        "Price before: 6.99 EUR → after: 6.50 EUR",
        "Price changed",
        f"Scheduled 6.99 EUR {when}",
        "Scheduled price ended",
        "Scheduled after: 5.99 EUR from 2025-11-23 08:00 UTC",
        "Price scheduled",
        "Price before: 6.50 EUR → after: 5.99 EUR",
        "Scheduled 5.99 EUR from 2025-11-23 08:00 UTC",
        "Scheduled price began",
        f"Scheduled after: 4.99 EUR {when}",
        "Price scheduled",
        "Price before: 5.99 EUR → after: 4.99 EUR",
        f"Scheduled 4.99 EUR {when}",
        "Scheduled price began",
        "Price before: 4.99 EUR → after: 5.99 EUR",
        "Price changed",
        f"Scheduled before: 4.99 EUR {when}",
        "Scheduled price cancelled",
    ]
    assert history.text.count("scheduled by") == 6
    assert said.count("The price that was set meanwhile stays.") == 1


def test_what_an_import_changed_leads_to_it_and_so_does_what_took_it_back(
    client: FlaskClient, ledger: Ledger
) -> None:
    ledger.add(created("lamp"))
    begun(ledger, Counts(applied=1), rows=1)
    begun(ledger, Counts(applied=1), rows=1, import_id=OTHER, reverts=ID)
    for whole, price in ((ID, 5), (OTHER, 1299), ("a-batch", 7)):
        ledger.add(ItemRepriced("lamp", AT, AT, price, "EUR"), command_id=row_id(whole, 1))
    page = page_of(client, "/ui/items/lamp")
    entries = [each for each in page.all("li") if each.attributes.get("id", "").startswith("v")]
    links = [
        [part.attributes["href"] for part in each.inside if part.text == "an import"]
        for each in entries
    ]
    assert links == [[], [f"/ui/imports/{ID}"], [f"/ui/imports/{ID}"], []]
    told = [" ".join(each.text.split()) for each in entries]
    assert "taking back an import" in told[1]
    assert "from an import" in told[2]


def test_a_change_that_took_effect_earlier_says_both_moments(
    client: FlaskClient, ledger: Ledger
) -> None:
    ledger.add(created("lamp", at=AT - 90 * DAY))
    ledger.add(ItemRepriced("lamp", AT, AT - 30 * DAY, 999, "EUR"))
    told = [
        each["datetime"] for each in map(_attributes, page_of(client, "/ui/items/lamp").all("time"))
    ]
    assert {rfc3339(AT), rfc3339(AT - 30 * DAY)} <= set(told)


def _attributes(element: Any) -> dict[str, str]:
    return element.attributes


def test_older_events_follow_page_by_page_in_the_currency_of_their_time(
    client: FlaskClient, ledger: Ledger
) -> None:
    ledger.add(created("lamp", price=100, currency="JPY"))
    ledger.add(*(ItemRepriced("lamp", AT + n, AT + n, 100 + n, "JPY") for n in range(1, 40)))
    ledger.add(*(ItemRepriced("lamp", AT + n, AT + n, 100 + n, "EUR") for n in range(40, 61)))
    asked: dict[str, str] = {}
    met: list[str] = []
    while True:
        page = page_of(client, "/ui/items/lamp", **asked)
        met += [each for each in lines(page) if each.startswith("Price")]
        older = page.all("a", hx_target="#older")
        if not older:
            break
        query = parse_qs(urlsplit(older[0].attributes["href"]).query)
        asked = {name: value for name, (value,) in query.items()}
    assert len(met) == 61
    assert met[20] == "Price before: 139 JPY → after: 1.40 EUR"
    assert met[-1] == "Price after: 100 JPY"


def test_a_state_of_the_past_is_shown_by_moment_and_by_version_without_ways_to_change_it(
    client: FlaskClient, ledger: Ledger
) -> None:
    ledger.add(created("lamp", price=1299))
    ledger.add(ItemRepriced("lamp", AT + DAY, AT + DAY, 999, "EUR"))
    for asked in ({"as_of": rfc3339(AT + 1)}, {"as_of": rfc3339(AT)[:16]}, {"version": "1"}):
        page = page_of(client, "/ui/items/lamp", **asked)
        assert shown(page) == "12.99 EUR"
        assert page.all("dialog") == []
        (notice,) = page.texts("p", class_="notice")
        assert "version 1 of 2." in notice
    assert shown(page_of(client, "/ui/items/lamp", as_of=rfc3339(AT + DAY))) == "9.99 EUR"


def test_of_a_moment_to_come_the_page_says_what_is_scheduled_by_then(
    client: FlaskClient, ledger: Ledger
) -> None:
    now = now_ms()
    ledger.add(created("lamp", price=1000))
    for n, days in enumerate((10, 40)):
        begins, ends = now + days * DAY, now + (days + 30) * DAY
        ledger.add(
            ItemPriceScheduled(
                "lamp", AT, AT, f"s{n}", 500 + n, "EUR", begins, ends if n else None, "rosa", None
            )
        )
    page = page_of(client, "/ui/items/lamp", as_of=rfc3339(now + 20 * DAY))
    (notice,) = page.texts("div", class_="notice")
    assert "lies ahead: this is as of now" in notice
    assert "5.00 EUR from" in notice
    assert "5.01 EUR" not in notice
    assert page.all("a", href="/ui/items/lamp/diff?from=3&to=3") == []
    soon = page_of(client, "/ui/items/lamp", as_of=rfc3339(now + DAY))
    assert "Nothing is scheduled by then" in soon.texts("div", class_="notice")[0]
    assert "required" in soon.one("input", name="as_of").attributes


@pytest.mark.parametrize(
    "as_of", ["2026-01-01T09:30", "2026-01-01T11:30+02:00", "2026-01-01T04:30:00-05:00"]
)
def test_a_moment_of_another_zone_is_shown_in_utc(
    client: FlaskClient, ledger: Ledger, as_of: str
) -> None:
    ledger.add(created("lamp"))
    page = page_of(client, "/ui/items/lamp", as_of=as_of)
    assert page.one("input", name="as_of").attributes["value"] == "2026-01-01T09:30"


def test_what_reverting_to_a_deleted_version_does_is_said(
    client: FlaskClient, ledger: Ledger
) -> None:
    ledger.add(created("lamp"), ItemDeleted("lamp", AT, AT), ItemRestored("lamp", AT, AT))
    ledger.add(ItemRepriced("lamp", AT, AT, 1, "EUR"))
    page = page_of(client, "/ui/items/lamp")
    buttons = page.all("button", data_opens="revert")
    told = [each.attributes["data-fill-deletes"] for each in buttons]
    assert [bool(each) for each in told] == [False, True, False]
    assert "deletes it again" in told[1]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"version": "3"}, 404),
        ({"version": "0"}, 400),
        ({"as_of": "soon"}, 400),
        ({"as_of": "2020-01-01T00:00"}, 404),
        ({"cursor": "x"}, 400),
        ({"colour": "red"}, 400),
    ],
)
def test_what_can_not_be_shown_says_why(
    client: FlaskClient, ledger: Ledger, asked: dict[str, str], status: int
) -> None:
    ledger.add(created("lamp"), ItemRepriced("lamp", AT, AT, 1, "EUR"))
    assert get(client, "/ui/items/lamp", **asked).status_code == status


def test_of_a_moment_before_the_item_was_there_the_page_leads_to_when_it_came(
    client: FlaskClient, ledger: Ledger
) -> None:
    ledger.add(
        created("lamp", "Lamp", at=AT + 1), ItemRepriced("lamp", AT + DAY, AT + DAY, 9, "EUR")
    )
    answer = get(client, "/ui/items/lamp", as_of="2020-01-01T09:30")
    assert answer.status_code == 404
    page = Page(answer.text)
    assert page.texts("h1") == ["Lamp"]
    assert "has existed since" in answer.text
    told = [each.attributes["datetime"] for each in page.all("time")]
    assert told == ["2020-01-01T09:30:00.000Z", rfc3339(AT + 1)]
    # Another moment can be asked for at once.
    assert page.one("input", name="as_of").attributes["value"] == "2020-01-01T09:30"
    then, now = [each.attributes["href"] for each in page.all("a") if "button" in str(each)]
    assert now == "/ui/items/lamp"
    first = client.get(then, headers={"Accept": "text/html"})
    assert (first.status_code, shown(Page(first.text))) == (200, "12.99 EUR")


@pytest.mark.parametrize("item_id", ["nobody", "a b", "%00", "-x"])
def test_an_item_never_seen_is_a_page_that_says_so(client: FlaskClient, item_id: str) -> None:
    assert get(client, f"/ui/items/{item_id}").status_code == 404
    assert get(client, f"/ui/items/{item_id}/diff").status_code == 404


def test_that_changes_wait_behind_a_dead_command_is_said_on_the_page_and_in_its_forms(
    client: FlaskClient, ledger: Ledger
) -> None:
    ledger.add(created("lamp"), created("fan"))
    set_aside(ledger, ("bad", "dead"), ("next", "parked"))
    said = "Changes to this item wait behind a command that met a defect: Operations"
    page = page_of(client, "/ui/items/lamp")
    notices = page.texts("p", class_="notice warn")
    assert notices.count(said) == 1 + len(page.all("dialog"))
    # Beside the page from a form: what is filled in stays.
    assert len(page.all("a", href="/ui/operations#h-dead", target="_blank")) == len(
        page.all("dialog")
    )
    assert said not in page_of(client, "/ui/items/fan").texts("p", class_="notice warn")


def test_a_deleted_item_can_be_restored_and_nothing_else(
    client: FlaskClient, ledger: Ledger
) -> None:
    ledger.add(created("lamp"), ItemDeleted("lamp", AT, AT))
    page = page_of(client, "/ui/items/lamp")
    assert [each.attributes["id"] for each in page.all("dialog")] == ["restore"]
    ledger.add(ItemRestored("lamp", AT, AT))
    page = page_of(client, "/ui/items/lamp")
    kinds = {each.attributes["id"] for each in page.all("dialog")}
    assert kinds == {"edit", "delete", "revert", "schedule", "unschedule"}


def test_forms_know_the_version_and_the_values_they_were_made_from(
    client: FlaskClient, ledger: Ledger
) -> None:
    name = "\"><script>'"
    ledger.add(created("lamp", name, 5, "KWD"), ItemDescribed("lamp", AT, AT, None))
    form = page_of(client, "/ui/items/lamp").one("form", data_command="edit")
    assert form.attributes["data-version"] == "2"
    before = {"name": name, "description": None, "price": 5, "currency": "KWD"}
    assert orjson.loads(form.attributes["data-before"]) == before
    filled = {
        each.attributes["name"]: each.attributes["value"]
        for each in form.inside
        if "value" in each.attributes
    }
    assert filled == {"name": name, "price": "0.005"}


def test_scheduled_prices_say_when_and_can_be_cancelled_until_they_are_over(
    client: FlaskClient, ledger: Ledger
) -> None:
    ledger.add(created("lamp"))
    ledger.add(
        ItemPriceScheduled("lamp", AT, AT, "s1", 799, "EUR", AT + DAY, AT + 2 * DAY, "rosa", "sale")
    )
    page = page_of(client, "/ui/items/lamp")
    (opens,) = page.all("button", data_opens="unschedule")
    assert opens.attributes["data-fill-schedule"] == "s1"
    # Whoever is asked whether to cancel it is told which one it is.
    when = "from 2025-11-23 08:00 until 2025-11-24 08:00 UTC"
    assert opens.attributes["data-fill-what"] == f"7.99 EUR {when}"
    assert opens.attributes["data-fill-back"] == ""
    ledger.add(ItemRepriced("lamp", AT, AT, 799, "EUR", "s1"))
    (opens,) = page_of(client, "/ui/items/lamp").all("button", data_opens="unschedule")
    assert opens.attributes["data-fill-back"].startswith("It is in force")
    told = "7.99 EUR"
    assert told in page.texts("span", class_="price")


def test_of_many_scheduled_prices_the_next_ones_come_first_and_the_rest_is_folded(
    client: FlaskClient, ledger: Ledger
) -> None:
    ledger.add(created("lamp"))
    for day in range(14, 2, -1):
        at, ends = AT + day * DAY, AT + day * DAY + 1
        ledger.add(ItemPriceScheduled("lamp", AT, AT, f"s{day}", day, "JPY", at, ends, "r", None))
    ledger.add(ItemPriceScheduled("lamp", AT, AT, "begun", 1, "JPY", AT, AT + DAY, "r", None))
    ledger.add(ItemRepriced("lamp", AT, AT, 1, "JPY", "begun"))
    ledger.add(ItemPriceUnscheduled("lamp", AT, AT, "s3", "cancelled"))
    page = page_of(client, "/ui/items/lamp")
    card = page.one("section", aria_labelledby="h-scheduled")
    prices = [each.text.split()[0] for each in card.inside if each.tag == "strong"]
    assert prices == [*map(str, [1, *range(4, 15), 3])]
    assert [each.text for each in card.inside if each.tag == "summary"] == [
        "2 later",
        "1 over or cancelled",
    ]
    tags = [each.text for each in card.inside if each.attributes.get("class", "")[:3] == "tag"]
    assert tags == ["in force", *["pending"] * 11, "cancelled"]


def test_of_prices_in_several_currencies_it_is_said_which_are_not_drawn(
    client: FlaskClient, ledger: Ledger
) -> None:
    ledger.add(created("lamp"), created("fan"))
    for n, currency in enumerate(("USD", "JPY", "EUR"), 1):
        ledger.add(ItemRepriced("lamp", AT + n, AT + n, 9, currency))
    said = "Drawn in EUR alone; the table has what it cost in USD, JPY, too."
    assert said in page_of(client, "/ui/items/lamp").texts("p")
    assert "Drawn in" not in get(client, "/ui/items/fan").text


def test_a_long_description_leaves_room_and_is_scrolled_by_keyboard(
    client: FlaskClient, ledger: Ledger
) -> None:
    ledger.add(created("lamp", description="x" * 10_000), created("fan", description="x" * 999))
    long, short = (page_of(client, f"/ui/items/{each}") for each in ("lamp", "fan"))
    assert long.one("p", class_="prose").attributes["tabindex"] == "0"
    assert "tabindex" not in short.one("p", class_="prose").attributes


def test_the_table_of_prices_has_every_interval(client: FlaskClient, ledger: Ledger) -> None:
    ledger.add(created("lamp", price=1299), ItemRepriced("lamp", AT + 1, AT + 1, 999, "EUR"))
    ledger.add(ItemDeleted("lamp", AT + 2, AT + 2))
    rows = page_of(client, "/ui/items/lamp").all("tr")[1:]
    told = [[cell.text for cell in row.inside if cell.tag in {"time", "span"}] for row in rows]
    assert [each[2] for each in told] == ["9.99 EUR", "12.99 EUR"]


def test_two_versions_are_compared_field_by_field(client: FlaskClient, ledger: Ledger) -> None:
    ledger.add(created("lamp", "Lamp", 1299), ItemRenamed("lamp", AT, AT, "<i>Lantern</i>"))
    ledger.add(ItemRepriced("lamp", AT + 1, AT + 1, 999, "EUR"))
    page = page_of(client, "/ui/items/lamp/diff", **{"from": "1", "to": "3"})
    assert page.texts("del") == ["Lamp", "12.99 EUR"]
    assert page.texts("ins") == ["<i>Lantern</i>", "9.99 EUR"]
    assert page.texts("span", class_="tag") == ["unchanged"] * 2
    # What has not changed stands under both.
    assert page.texts("td", class_="quiet prose") == ["none"] * 4
    # Not told otherwise: the last one with the one before it.
    assert page_of(client, "/ui/items/lamp/diff").texts("ins") == ["9.99 EUR"]
    ledger.add(ItemDeleted("lamp", AT, AT))
    assert page_of(client, "/ui/items/lamp/diff").texts("ins") == ["2025-11-22 08:00:00 UTC"]
    equal = page_of(client, "/ui/items/lamp/diff", **{"from": "2", "to": "2"})
    said = "Both versions are the same in every field."
    assert said in equal.texts("p")
    assert said not in page.texts("p")


@pytest.mark.parametrize(("asked", "status"), [({"to": "9"}, 404), ({"from": "x"}, 400)])
def test_versions_that_are_not_there_are_not_compared(
    client: FlaskClient, ledger: Ledger, asked: dict[str, str], status: int
) -> None:
    ledger.add(created("lamp"))
    assert get(client, "/ui/items/lamp/diff", **asked).status_code == status
