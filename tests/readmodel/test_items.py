import random
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, text

from domain.events import ItemCreated, ItemDeleted, ItemRepriced
from readmodel.views import items as items_view
from readmodel.views import pages
from readmodel.views.chosen import Filter, Sort

AT = 1_763_798_400_000
NAMES = [
    "Äpfel",
    "apfel",
    "APFEL",
    "Zebra",
    "zebra",
    "éclair",
    "STRASSE",
    "straße",
    "日本",
    "🎈",
    "a",
]
SORTS = {
    "id": lambda item: (item.id,),
    "name": lambda item: (item.name.casefold(), item.id),
    "price": lambda item: (item.price, item.id),
    "updated_at": lambda item: (item.updated_at, item.id),
}


def created(
    item_id: str, name: str = "Thing", price: int = 100, currency: str = "EUR", at: int = AT
) -> ItemCreated:
    return ItemCreated(item_id, at, at, name, None, price, currency)


def fill(ledger: Any, count: int, seed: int = 7) -> None:
    # The order is the point, not that it cannot be guessed.
    dice = random.Random(seed)  # noqa: S311
    ids = [f"{dice.choice('aAzZ09')}{dice.choice('.-_~Aa0')}{n}" for n in range(count)]
    ledger.add(
        *(
            created(each, dice.choice(NAMES), dice.randrange(5), at=AT + dice.randrange(9))
            for each in ids
        )
    )


def walk(client: FlaskClient, path: str) -> list[dict[str, Any]]:
    """Follow `next` to the end, checking that Link says the same."""
    found = []
    while True:
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        found += answer.json["items"]
        cursor = answer.json["next"]
        if cursor is None:
            assert "Link" not in answer.headers
            return found
        url, relation = re.fullmatch(r'<(.+)>; (rel="next")', answer.headers["Link"]).groups()
        assert relation == 'rel="next"'
        parts = urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://read.example/items"
        assert dict(parse_qsl(parts.query))["cursor"] == cursor
        path = f"{parts.path}?{parts.query}"


def test_an_empty_catalogue_is_an_empty_page(ledger: Any, client: FlaskClient) -> None:
    answer = client.get("/items")
    assert answer.json == {"items": [], "next": None}
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["Vary"] == "Prefer"


def test_a_page_holds_items_as_they_were_rendered(ledger: Any, client: FlaskClient) -> None:
    ledger.add(created("b", "Straße ☀"), created("a"))
    joined = ",".join(items_view.render(ledger.items[each]) for each in ("a", "b"))
    assert client.get("/items").text == f'{{"items":[{joined}],"next":null}}'


@pytest.mark.parametrize("sort", [sign + name for name in SORTS for sign in ("", "-")])
def test_all_pages_together_equal_one_big_sort(ledger: Any, client: FlaskClient, sort: str) -> None:
    fill(ledger, 151)
    expected = sorted(
        ledger.items.values(), key=SORTS[sort.removeprefix("-")], reverse=sort.startswith("-")
    )
    found = walk(client, f"/items?sort={sort}&limit=7")
    assert [each["id"] for each in found] == [each.id for each in expected]


def test_a_page_that_is_exactly_full_is_the_last_one(ledger: Any, client: FlaskClient) -> None:
    fill(ledger, 4)
    assert client.get("/items?limit=4").json["next"] is None
    assert client.get("/items?limit=3").json["next"] is not None


def test_a_page_has_fifty_items_unless_told_otherwise(ledger: Any, client: FlaskClient) -> None:
    fill(ledger, 60)
    assert len(client.get("/items").json["items"]) == 50


def test_inserts_before_and_after_the_place_neither_repeat_nor_skip_an_item(
    ledger: Any, client: FlaskClient
) -> None:
    ledger.add(*(created(f"m{n:02}", price=n) for n in range(20)))
    first = client.get("/items?sort=price&limit=10").json
    ledger.add(created("early", price=3), created("late", price=15), created("last", price=99))
    rest = walk(client, f"/items?sort=price&limit=4&cursor={first['next']}")
    ids = [each["id"] for each in first["items"] + rest]
    old = [each for each in ids if each.startswith("m")]
    assert old == [f"m{n:02}" for n in range(20)]
    assert "late" in ids
    assert "last" in ids
    assert "early" not in ids


def test_filters_leave_the_right_items(ledger: Any, client: FlaskClient) -> None:
    ledger.add(
        created("a", price=1),
        created("b", price=2, currency="USD"),
        created("c", price=3),
        created("d", price=4),
        ItemRepriced("c", AT + 5, AT + 5, 3, "CHF"),
        ItemDeleted("d", AT + 6, AT + 6),
    )

    def ids(query: str) -> list[str]:
        return [each["id"] for each in walk(client, f"/items?{query}")]

    assert ids("") == ["a", "b", "c"]
    assert ids("include_deleted=false") == ["a", "b", "c"]
    assert ids("include_deleted=true") == ["a", "b", "c", "d"]
    assert ids("price_min=2") == ["b", "c"]
    assert ids("price_max=2") == ["a", "b"]
    assert ids("price_min=2&price_max=2") == ["b"]
    assert ids("price_min=3&price_max=2") == []
    assert ids("currency=EUR") == ["a"]
    assert ids("ids=c,a,nobody,a") == ["a", "c"]
    assert ids("ids=c,a,d&include_deleted=true&sort=-id&limit=1") == ["d", "c", "a"]
    assert ids("updated_since=2025-11-22T08:00:00.005Z") == ["c"]
    assert ids("updated_since=2025-11-22T09:00:00.005%2B01:00") == ["c"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("query", "parameter", "code"),
    [
        ("limit=0", "limit", "limit-range"),
        ("limit=201", "limit", "limit-range"),
        ("limit=x", "limit", "limit-range"),
        ("limit=", "limit", "limit-range"),
        ("limit=5&limit=6", "limit", "repeated-parameter"),
        ("sort=size", "sort", "unknown-choice"),
        ("sort=--id", "sort", "unknown-choice"),
        ("price_min=-1", "price_min", "price-range"),
        ("price_max=1.5", "price_max", "price-range"),
        ("price_max=9007199254740992", "price_max", "price-range"),
        ("price_max=٣", "price_max", "price-range"),
        ("currency=eur", "currency", "currency-unknown"),
        ("ids=", "ids", "id-pattern"),
        ("ids=a,%00", "ids", "id-pattern"),
        ("ids=" + ",".join(map(str, range(201))), "ids", "too-many-ids"),
        ("include_deleted=1", "include_deleted", "unknown-choice"),
        ("updated_since=yesterday", "updated_since", "not-a-time"),
        ("updated_since=2025-11-22T08:00:00+01:00", "updated_since", "not-a-time"),
        ("offset=10", "offset", "unknown-parameter"),
        ("cursor=abc", "cursor", "cursor-mismatch"),
        ("cursor=", "cursor", "cursor-mismatch"),
    ],
)
def test_a_bad_parameter_is_400_and_named(
    client: FlaskClient, query: str, parameter: str, code: str
) -> None:
    answer = client.get(f"/items?{query}")
    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"
    assert answer.json["code"] == "bad-parameter"
    assert [(each["parameter"], each["code"]) for each in answer.json["errors"]] == [
        (parameter, code)
    ]


def test_all_bad_parameters_are_told_at_once(client: FlaskClient) -> None:
    errors = client.get("/items?limit=0&colour=red").json["errors"]
    assert {each["parameter"] for each in errors} == {"limit", "colour"}


def test_two_hundred_ids_are_taken(ledger: Any, client: FlaskClient) -> None:
    fill(ledger, 200)
    path = f"/items?limit=200&ids={','.join(ledger.items)}"
    assert len(client.get(path).json["items"]) == 200


def test_a_cursor_is_bound_to_filter_and_sort_but_not_to_the_page_length(
    ledger: Any, client: FlaskClient
) -> None:
    fill(ledger, 30)
    cursor = client.get("/items?sort=price&price_min=1&limit=5").json["next"]
    same = "sort=price&price_min=1"
    assert client.get(f"/items?{same}&limit=9&cursor={cursor}").status_code == 200
    for other in (
        "sort=-price&price_min=1",
        "sort=name&price_min=1",
        "sort=price",
        "sort=price&price_min=2",
        "sort=price&price_min=1&include_deleted=true",
    ):
        assert client.get(f"/items?{other}&cursor={cursor}").status_code == 400
    flipped = ("A" if cursor[0] != "A" else "B") + cursor[1:]
    assert client.get(f"/items?{same}&cursor={flipped}").status_code == 400
    assert client.get(f"/items?{same}&cursor={cursor[:-3]}").status_code == 400


@pytest.mark.parametrize("field", ["id", "name", "price", "updated_at"])
@pytest.mark.parametrize("descending", [False, True])
def test_a_deep_page_is_found_by_an_index_and_sorted_by_it(
    ledger: Any, engine: Engine, field: str, descending: bool
) -> None:
    fill(ledger, 300)
    places = {"id": ["m"], "name": ["m", "m"], "price": [3, "m"], "updated_at": [AT, "m"]}
    executed = []

    @event.listens_for(engine, "before_cursor_execute")
    def _remember(*given: Any) -> None:
        executed.append(given[2:4])

    with engine.connect() as connection:
        slots = {items_view.NAME: 1}
        pages.page(connection, slots, Filter(), Sort(field, descending), 10, places[field])
        (statement, parameters) = next(each for each in executed if "SELECT" in each[0])
        if engine.dialect.name == "sqlite":
            explain, by_index, sorting = "EXPLAIN QUERY PLAN", "SEARCH items USING", "TEMP B-TREE"
        else:
            # So small a table would be read whole; the question is whether the index could be used.
            connection.execute(text("SET enable_seqscan = off"))
            connection.execute(text("SET enable_bitmapscan = off"))
            explain, by_index, sorting = "EXPLAIN", "Index Cond", "Sort"
        plan = str(connection.exec_driver_sql(f"{explain} {statement}", parameters).all())
    assert by_index in plan
    assert sorting not in plan
