"""Search: the same items for the same words on both engines, whatever the words are made of."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, event, text

from domain.events import (
    Event,
    ItemCreated,
    ItemDeleted,
    ItemDescribed,
    ItemRenamed,
    ItemRepriced,
    ItemRestored,
)
from domain.evolve import evolve
from domain.item import Item
from ledger.engines import writing_engine
from ledger.migrate import migrate
from ledger.projections import SLOTS as BOTH
from ledger.schema import DatabaseUnusable
from readmodel.views import pages, search, ways
from readmodel.views.chosen import Filter, Sort
from readmodel.views.compare import compare
from readmodel.views.listing import install
from readmodel.views.words import words_asked
from tests.readmodel.catalogues import (
    AT,
    Taking,
    catalogues,
    has_words,
    listed,
    passing,
    put,
    queries,
    searched,
    texts,
)

LAMP = ItemCreated("lamp", AT, AT, "Reading lamp", "Brass, 40 cm", 100, "EUR")


@pytest.fixture
def writer(database_url: str) -> Iterator[Engine]:
    engine = writing_engine(database_url)
    yield engine
    engine.dispose()


def found(client: FlaskClient, query: str, **more: str) -> list[str]:
    answer = client.get("/items", query_string={"q": query, **more})
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json["items"]]


def test_all_words_are_needed_each_as_a_prefix_in_name_or_description(
    ledger: Any, client: FlaskClient
) -> None:
    ledger.add(LAMP, ItemCreated("shade", AT, AT, "Lampshade", None, 100, "EUR"))
    assert found(client, "lamp") == ["lamp", "shade"]
    assert found(client, "LAMP read") == ["lamp"]
    assert found(client, "brass lamp") == ["lamp"]
    assert found(client, "brass-lamp!") == ["lamp"]
    assert found(client, "lamp 4") == ["lamp"]
    assert found(client, "shade") == []
    assert found(client, "lamp zebra") == []
    assert found(client, "lamps") == ["shade"]


def test_search_goes_with_every_other_filter(ledger: Any, client: FlaskClient) -> None:
    ledger.add(
        *(
            ItemCreated(f"lamp-{n}", AT + n, AT, f"Lamp {n}", None, n, "USD" if n % 2 else "EUR")
            for n in range(6)
        ),
        ItemCreated("vase", AT, AT, "Vase", None, 3, "EUR"),
        ItemDeleted("lamp-2", AT + 9, AT + 9),
    )
    assert found(client, "lamp", price_min="1", price_max="4") == ["lamp-1", "lamp-3", "lamp-4"]
    assert found(client, "lamp", currency="USD", sort="-price") == ["lamp-5", "lamp-3", "lamp-1"]
    assert found(client, "lamp", ids="lamp-1,vase") == ["lamp-1"]
    assert found(client, "lamp", updated_since="2025-11-22T08:00:00.004Z") == ["lamp-4", "lamp-5"]
    assert found(client, "lamp 2") == []
    assert found(client, "lamp 2", include_deleted="true") == ["lamp-2"]


def test_a_cursor_is_bound_to_the_words_and_not_to_how_they_are_written(
    ledger: Any, client: FlaskClient
) -> None:
    ledger.add(*(replace(LAMP, item_id=f"lamp-{n}") for n in range(9)))
    cursor = client.get("/items?q=Reading+LAMP&limit=4").json["next"]

    assert found(client, "lamp, reading", cursor=cursor) == [f"lamp-{n}" for n in range(4, 9)]
    for query in ("q=lamp", "q=reading+lamps", "", "q=lamp+reading+brass"):
        assert client.get(f"/items?{query}&cursor={cursor}").status_code == 400


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "no-words"),
        ("!!!", "no-words"),
        ("\0", "no-words"),
        ("%", "no-words"),
        ("x" * 201, "query-too-long"),
        (" ".join(chr(0x3B1 + n % 17) + chr(0x430 + n) for n in range(51)), "too-many-words"),
    ],
)
def test_a_query_that_is_none_is_400_and_says_why(
    client: FlaskClient, query: str, code: str
) -> None:
    answer = client.get("/items", query_string={"q": query})
    assert answer.status_code == 400
    assert [(each["parameter"], each["code"]) for each in answer.json["errors"]] == [("q", code)]


@pytest.mark.parametrize(
    "query",
    [
        'lamp" OR 1=1',
        'lamp" OR "zebra',
        "lamp OR zebra",
        "lamp NOT reading",
        "NEAR(lamp zebra)",
        "lamp*",
        "*lamp",
        "-lamp",
        "^lamp",
        "words:lamp",
        "{words}: lamp",
        "lamp:*",
        "lamp & !reading",
        "lamp | zebra",
        "lamp <-> brass",
        "lamp' --",
        "'); DROP TABLE items; --",
        "lamp\0",
        "la\0mp",
        "lamp\\",
        "\\lamp'",
        "''",
        '""',
        "a" * 200,
        "lamp\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
        "%_lamp",
        "lamp\u202e",
    ],
)
def test_no_query_language_gets_through(ledger: Any, client: FlaskClient, query: str) -> None:
    """What an engine takes for an operator is a word here, or nothing."""
    ledger.add(LAMP, ItemCreated("zebra", AT, AT, "Zebra or 1 near", None, 1, "EUR"))
    asked = words_asked(query)
    expected = [each.id for each in ledger.items.values() if has_words(each, asked)]

    answer = client.get(f"/items?q={quote(query)}")

    assert answer.status_code == (200 if asked else 400)
    if asked:
        assert [each["id"] for each in answer.json["items"]] == sorted(expected)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("query", ["%ff", "lamp%ff", "%ed%a0%80", "lamp%00%fe", "%E4pfel"])
def test_bytes_that_are_no_utf_8_are_refused(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/items?limit=2&q={query}")
    assert answer.status_code == 400
    errors = [(each["parameter"], each["code"]) for each in answer.json["errors"]]
    assert errors == [("q", "not-utf-8")]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), items=catalogues())
def test_both_engines_find_what_python_finds(
    writer: Engine, data: st.DataObject, items: list[Item]
) -> None:
    asked = [data.draw(queries(items)) for _ in range(4)]
    with passing(writer) as connection:
        put(connection, items)
        for query in asked:
            words = words_asked(query)
            right = sorted(item.id for item in items if has_words(item, words))
            assert searched(connection, query) == (right if words else None), query


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("most", "asked"), [(3, '("lamp" OR "lamps" OR "lampé")'), (2, '"lamp"*')])
def test_a_word_is_asked_for_by_the_few_that_begin_with_it_or_by_its_beginning(
    writer: Engine, monkeypatch: pytest.MonkeyPatch, most: int, asked: str
) -> None:
    """Whatever is the next in the alphabet, or nothing more but its beginning."""
    monkeypatch.setattr(pages, "_NEAR", 1)
    monkeypatch.setattr(ways, "_SPELLED", most)
    names = ("Lamp", "lamps", "Lampé", "lam", "Lamq", "lan", "Old lamp \U0010fffd")
    given: list[object] = []
    with passing(writer) as connection:
        put(
            connection,
            [evolve(None, replace(LAMP, item_id=n, name=n, description=None)) for n in names],
        )
        event.listen(writer, "before_cursor_execute", lambda *those: given.extend(those[3]))
        assert searched(connection, "lamp") == sorted(n for n in names if "lamp" in n.lower())
    assert asked in given


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Draw what happens to a few items."""
    names = draw(st.lists(texts(1), min_size=1, max_size=5))
    happened: list[Event] = [
        ItemCreated(f"i{number}", AT, AT, name, None, 1, "EUR") for number, name in enumerate(names)
    ]
    for _ in range(draw(st.integers(0, 14))):
        item_id = draw(st.sampled_from(happened)).item_id
        any_event: Sequence[st.SearchStrategy[Event]] = (
            texts(1).map(lambda name, item_id=item_id: ItemRenamed(item_id, AT, AT, name)),
            (st.none() | texts()).map(
                lambda said, item_id=item_id: ItemDescribed(item_id, AT, AT, said)
            ),
            st.just(ItemRepriced(item_id, AT, AT, 2, "EUR")),
            st.just(ItemDeleted(item_id, AT, AT)),
            st.just(ItemRestored(item_id, AT, AT)),
        )
        happened.append(draw(st.one_of(any_event)))
    return happened


def check_index(connection: Connection) -> None:
    """Let SQLite look whether its index is that of the words that are kept."""
    if connection.dialect.name == "sqlite":
        for slot in BOTH:
            name = search.INDEXES[slot].name
            connection.execute(
                text(f"INSERT INTO {name}({name}, rank) VALUES ('integrity-check', 1)")
            )


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), happened=histories())
def test_what_is_renamed_is_found_by_what_it_says_now_and_a_rebuilt_slot_is_equal(
    writer: Engine, data: st.DataObject, happened: list[Event]
) -> None:
    with passing(writer) as connection:
        live, built = Taking(connection, 1), Taking(connection, 2)
        begin = 0
        while begin < len(happened):
            count = data.draw(st.integers(1, 6))
            live.take(happened[begin : begin + count])
            begin += count
            query = data.draw(queries(list(live.items.values())))
            words = words_asked(query)
            right = sorted(each.id for each in live.items.values() if has_words(each, words))
            assert searched(connection, query) == (right if words else None)
        built.take(happened)

        check_index(connection)
        told = compare(connection, search.VIEW, 1, 2, lambda: True)
        assert told is not None
        assert told.difference is None


def test_a_price_costs_search_nothing(writer: Engine) -> None:
    statements: list[str] = []
    with passing(writer) as connection:
        taking = Taking(connection, 1)
        taking.take([LAMP])
        event.listen(writer, "before_cursor_execute", lambda *given: statements.append(given[2]))
        taking.take([ItemRepriced("lamp", AT, AT, 7, "EUR"), ItemDeleted("lamp", AT, AT)])
    assert statements
    assert [each for each in statements if "search" in each] == []


def test_words_that_stay_the_same_are_not_written_again(writer: Engine) -> None:
    statements: list[str] = []
    with passing(writer) as connection:
        taking = Taking(connection, 1)
        taking.take([LAMP])
        event.listen(writer, "before_cursor_execute", lambda *given: statements.append(given[2]))
        taking.take([ItemRenamed("lamp", AT, AT, "x"), ItemRenamed("lamp", AT, AT, LAMP.name)])
    assert [each for each in statements if "INTO search" in each or "UPDATE search" in each] == []


def test_however_many_items_a_batch_has_the_statements_are_a_handful(writer: Engine) -> None:
    def statements_for(count: int) -> int:
        statements: list[str] = []

        def remember(*given: Any) -> None:
            statements.append(given[2])

        with passing(writer) as connection:
            taking = Taking(connection, 1)
            names = [f"lamp-{n}" for n in range(count)]
            taking.take([replace(LAMP, item_id=name) for name in names])
            event.listen(writer, "before_cursor_execute", remember)
            renamed: list[Event] = [ItemRenamed(name, AT, AT, f"{name} x") for name in names]
            taking.take([*renamed, replace(LAMP, item_id="another")])
            event.remove(writer, "before_cursor_execute", remember)
        return len([each for each in statements if "search" in each])

    assert statements_for(200) == statements_for(1) <= 4


def test_a_slot_is_emptied_index_and_all(writer: Engine) -> None:
    with passing(writer) as connection:
        taking = Taking(connection, 1)
        taking.take([replace(LAMP, item_id=f"lamp-{n}") for n in range(7)])
        while not search.VIEW.clear(connection, 1, 3):
            pass
        assert connection.scalar(text("SELECT count(*) FROM search")) == 0
        taking.items.clear()
        taking.take([ItemCreated("vase", AT, AT, "Vase", None, 1, "EUR")])
        check_index(connection)
        assert searched(connection, "lamp") == []
        assert searched(connection, "vase") == ["vase"]


def test_a_word_as_long_as_a_name_is_found_by_any_beginning(writer: Engine) -> None:
    with passing(writer) as connection:
        put(connection, [evolve(None, replace(LAMP, name="ß" * 200, description="x" * 10_000))])
        for query in ("ß", "s" * 200, "S" * 400, "x" * 199, "x" * 200, "X" * 9_000):
            assert searched(connection, query) == ["lamp"], query
        assert searched(connection, "s" * 199 + "t") == []


def test_the_longest_description_of_different_words_is_taken(writer: Engine) -> None:
    ideographs = "".join(chr(0x4E00 + n % 20_000) for n in range(10_000))
    with passing(writer) as connection:
        put(connection, [evolve(None, replace(LAMP, description=ideographs))])
        assert searched(connection, ideographs[5_000:5_040]) == ["lamp"]
        check_index(connection)


def test_a_sqlite_without_fts5_is_told_in_one_line(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MODULE", "fts5_that_is_not_there")
    with pytest.raises(DatabaseUnusable, match=r"built without FTS5.*or PostgreSQL$") as raised:
        migrate(f"sqlite:///{tmp_path}/x.db", install)
    assert len(str(raised.value).splitlines()) == 1


def test_the_empty_search_is_none(writer: Engine) -> None:
    with passing(writer) as connection:
        put(connection, [evolve(None, LAMP)])
        every = listed(connection, Filter(), Sort(), 9)
        assert every == [["lamp"]]
        assert searched(connection, "?!") is None
