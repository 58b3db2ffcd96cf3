"""The page of the catalogue."""

from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient

from domain.events import ItemDeleted
from tests.readmodel.conftest import Ledger
from tests.readmodel.web.reading import Page, get, page_of
from tests.readmodel.web.stock import AT, created


def names(page: Page) -> list[str]:
    return page.texts("a", class_="title-link")


def prices(page: Page) -> list[str]:
    return page.texts("span", class_="price")


def test_items_are_shown_with_prices_as_people_write_them_last_changed_first(
    client: FlaskClient, ledger: Ledger
) -> None:
    ledger.add(created("lamp", "Lamp", 129_905, "EUR"))
    ledger.add(created("fan", "Fan", 12_990, "JPY", at=AT + 1))
    ledger.add(created("oud", "Oud", 7, "KWD", at=AT + 2))
    page = page_of(client, "/ui/")
    assert names(page) == ["Oud", "Fan", "Lamp"]
    assert prices(page) == ["0.007 KWD", "12,990 JPY", "1,299.05 EUR"]


def test_a_search_finds_items_and_stays_in_its_field(client: FlaskClient, ledger: Ledger) -> None:
    ledger.add(created("lamp", "Desk lamp"), created("fan", "Desk fan"))
    page = page_of(client, "/ui/", q="la")
    assert names(page) == ["Desk lamp"]
    assert page.one("input", name="q").attributes["value"] == "la"


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"min": "12.99", "max": "13"}, ["B"]),
        ({"min": "13"}, ["C"]),
        ({"min": "", "max": "", "currency": ""}, ["A", "B", "C"]),
        ({"currency": "eur"}, ["A", "B"]),
        # Of a currency without decimals an amount is what is written.
        ({"currency": "JPY", "max": "1400"}, ["C"]),
        # Commas are read as the page writes them, and as decimals where nothing else can be meant.
        ({"min": "12,99", "max": "13"}, ["B"]),
        ({"min": "1,000,000.00"}, []),
        ({"currency": "JPY", "min": "1,400"}, ["C"]),
        ({"deleted": "true"}, ["A", "B", "C", "D"]),
    ],
)
def test_filters_leave_what_fits(
    client: FlaskClient, ledger: Ledger, asked: dict[str, str], found: list[str]
) -> None:
    ledger.add(created("A", price=1298), created("B", price=1299))
    ledger.add(created("C", price=1400, currency="JPY"))
    ledger.add(created("D"), ItemDeleted("D", AT, AT))
    assert names(page_of(client, "/ui/", sort="name", **asked)) == found


def test_items_whose_id_begins_with_what_was_typed_stand_above_the_list(
    client: FlaskClient, ledger: Ledger
) -> None:
    ledger.add(created("SKU-00123", "Desk lamp"), created("sku-7", "Fan"))
    page = page_of(client, "/ui/", q=" sku-00123 ")
    assert names(page) == []
    found = page.one("ul", class_="found").inside
    assert [each.attributes["href"] for each in found if each.tag == "a"] == ["/ui/items/SKU-00123"]
    assert "Desk lamp" in page.one("ul", class_="found").text
    assert "No item has that in its name or description." in page.texts("p", class_="empty")
    for other in ("lamp", "sku 7", "-"):
        assert Page(get(client, "/ui/", q=other).text).all("ul", class_="found") == []


def test_currencies_in_use_are_offered_first(client: FlaskClient, ledger: Ledger) -> None:
    ledger.add(created("lamp", currency="SEK"))
    first, others = page_of(client, "/ui/", currency="sek").all("optgroup")
    assert [(each.text, "selected" in each.attributes) for each in first.inside] == [("SEK", True)]
    assert "SEK" not in [each.text for each in others.inside]


def test_a_range_of_prices_that_ends_before_it_begins_is_said_beside_its_field(
    client: FlaskClient, ledger: Ledger
) -> None:
    ledger.add(created("lamp"))
    answer = get(client, "/ui/", min="100", max="50")
    assert answer.status_code == 400
    assert Page(answer.text).texts("span", id="max-wrong") == ["This is below Price from"]


def test_how_a_comma_in_a_filter_was_read_is_told(client: FlaskClient, ledger: Ledger) -> None:
    ledger.add(created("A", price=1298))
    page = page_of(client, "/ui/", min="1,2", max="1,234.5", currency="eur")
    said = [each for each in page.texts("span", class_="hint") if each]
    assert said == ["Read as 1.20 EUR", "Read as 1,234.50 EUR"]
    assert page.one("input", name="max").attributes["value"] == "1,234.5"


def test_a_deleted_item_says_so(client: FlaskClient, ledger: Ledger) -> None:
    ledger.add(created("D"), ItemDeleted("D", AT, AT))
    assert page_of(client, "/ui/", deleted="true").texts("span", class_="tag bad") == ["deleted"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("min", "cheap"),
        ("min", "12.999"),
        ("max", "12,999"),
        ("max", "-1"),
        ("max", "9" * 16),
        ("currency", "EURO"),
        ("q", "!?"),
        ("sort", "colour"),
    ],
)
def test_a_field_that_can_not_be_read_says_why_beside_itself(
    client: FlaskClient, field: str, value: str
) -> None:
    answer = get(client, "/ui/", **{field: value})
    assert answer.status_code == 400
    page = Page(answer.text)
    (wrong,) = [each for each in page.all("span") if "wrong" in each.attributes.get("class", "")]
    (beside,) = [
        each
        for each in page.all("div")
        if "field" in each.attributes.get("class", "").split() and wrong in each.inside
    ]
    (own,) = [each for each in beside.inside if each.tag in {"input", "select"}]
    assert own.attributes["name"] == field
    assert wrong.text


def test_a_parameter_that_no_field_has_is_refused(client: FlaskClient) -> None:
    assert get(client, "/ui/", colour="red").status_code == 400


def test_a_search_without_a_word_is_answered_in_the_words_of_the_page(client: FlaskClient) -> None:
    page = Page(get(client, "/ui/", q="%").text)
    assert page.one("span", id="q-wrong").text == (
        "Write a word or a number; empty the field to see everything"
    )


def test_pages_lead_through_all_items_once_with_filters_kept(
    client: FlaskClient, ledger: Ledger
) -> None:
    ledger.add(*(created(f"l-{n:03}", "Lamp", n) for n in range(120)))
    ledger.add(created("fan", "Fan"))
    asked, met = {"q": "lamp", "sort": "price"}, []
    while asked:
        page = page_of(client, "/ui/", **asked)
        met += prices(page)
        more = page.all("a", hx_select="#rows > tr")
        query = urlsplit(more[0].attributes["href"]).query if more else ""
        asked = {name: value for name, (value,) in parse_qs(query).items()}
    assert met == [f"{n // 100}.{n % 100:02} EUR" for n in range(120)]


def test_a_cursor_of_another_search_is_refused(client: FlaskClient, ledger: Ledger) -> None:
    ledger.add(*(created(f"l-{n:03}", "Lamp", n) for n in range(60)))
    link = page_of(client, "/ui/", q="lamp").one("a", hx_select="#rows > tr").attributes["href"]
    (cursor,) = parse_qs(urlsplit(link).query)["cursor"]
    assert get(client, "/ui/", q="lamps", cursor=cursor).status_code == 400


def test_columns_sort_and_say_how_they_are_sorted(client: FlaskClient, ledger: Ledger) -> None:
    ledger.add(created("a", price=2), created("b", price=1))
    page = page_of(client, "/ui/", sort="price")
    assert names(page) == ["b", "a"]
    (sorted_by,) = [each for each in page.all("th") if "aria-sort" in each.attributes]
    assert (sorted_by.attributes["aria-sort"], sorted_by.text.strip()) == ("ascending", "Price ↑")
    (link,) = [each for each in sorted_by.inside if each.tag == "a"]
    assert parse_qs(urlsplit(link.attributes["href"]).query)["sort"] == ["-price"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "The catalogue is empty"),
        ({"q": "lamp"}, "Nothing found"),
        ({"min": "1"}, "Nothing found"),
    ],
)
def test_an_empty_list_says_what_to_do(
    client: FlaskClient, asked: dict[str, str], said: str
) -> None:
    assert said in get(client, "/ui/", **asked).text


def test_texts_of_items_are_never_markup(client: FlaskClient, ledger: Ledger) -> None:
    nasty = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'--></title>"
    ledger.add(created("x", nasty, description=nasty))
    page = page_of(client, "/ui/", q="script")
    assert names(page) == [nasty]
    assert page.all("img") == []
    assert all(each.text == "" for each in page.all("script"))
