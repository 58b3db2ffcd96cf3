"""Lists: every filter in every order, page by page, is what Python makes of the same items."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from orjson import loads
from sqlalchemy import Engine, event

from domain.events import Event, ItemCreated, ItemDeleted, ItemRenamed, ItemRepriced
from domain.evolve import evolve
from domain.item import Item
from ledger.engines import writing_engine
from readmodel.views import pages, statements, ways
from readmodel.views.chosen import Filter, Key, Sort, SortField
from readmodel.views.words import words_asked
from tests.readmodel.catalogues import (
    AT,
    SLOTS,
    Taking,
    catalogues,
    creation,
    has,
    key,
    listed,
    passing,
    put,
    queries,
)

EUR = st.just("EUR")
LAMP = ItemCreated("lamp", AT, AT, "Reading lamp", None, 100, "EUR")


@pytest.fixture
def writer(database_url: str) -> Iterator[Engine]:
    engine = writing_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture(params=["as they are", "few"])
def bounds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How far either way is followed: so short that a dozen items need every way there is."""
    if request.param == "few":
        monkeypatch.setattr(pages, "_NEAR", 2)
        monkeypatch.setattr(pages, "_FEW", 1)
        monkeypatch.setattr(pages, "_FEW_FOUND", 2)
        monkeypatch.setattr(pages, "_FAR", 4)
        monkeypatch.setattr(pages, "_MANY", 3)
        monkeypatch.setattr(pages, "_AT_ONCE", 0)
        monkeypatch.setattr(pages, "_PART", 2)
        monkeypatch.setattr(pages, "_SELECTIVE", 2)
        monkeypatch.setattr(ways.Ways, "walked", 4)
        monkeypatch.setattr(ways, "_SAMPLE", 3)
        monkeypatch.setattr(ways, "_COMMON", 1)
        monkeypatch.setattr(ways, "_FREQUENT", 2)
        monkeypatch.setattr(ways, "_LOOKED_UP", 1)


def filters(items: list[Item]) -> st.SearchStrategy[Filter]:
    ids = [item.id for item in items]
    some_ids = st.lists(st.sampled_from([*ids, "never"]), unique=True).map(tuple)
    words = queries(items).map(words_asked).map(lambda asked: asked or None)
    return st.builds(
        Filter,
        price_min=st.none() | st.integers(0, 4),
        price_max=st.none() | st.integers(0, 4),
        currency=st.none() | st.sampled_from(["EUR", "CHF", "USD"]),
        updated_since=st.none() | st.integers(AT, AT + 4),
        ids=st.one_of(st.none(), st.none(), some_ids),
        include_deleted=st.booleans(),
        words=st.none() | words,
    )


SORTS = st.builds(Sort, st.sampled_from(get_args(SortField)), st.booleans())


@pytest.mark.usefixtures("bounds")
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), items=catalogues())
def test_every_list_is_what_python_makes_of_the_same_items(
    writer: Engine, data: st.DataObject, items: list[Item]
) -> None:
    asked = [(data.draw(filters(items)), data.draw(SORTS)) for _ in range(4)]
    limit = data.draw(st.integers(1, 5))
    with passing(writer) as connection:
        put(connection, items)
        for chosen, sort in asked:
            right = sorted(
                (item for item in items if has(item, chosen)),
                key=lambda item: key(item, sort),
                reverse=sort.descending,
            )
            found = listed(connection, chosen, sort, limit)
            assert [each for page in found for each in page] == [item.id for item in right]
            assert all(len(page) == limit for page in found[:-1])
            assert pages.count(connection, SLOTS, chosen) == len(right)


@pytest.mark.usefixtures("bounds")
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), items=catalogues(), sort=SORTS, price_min=st.sampled_from([None, 1]))
def test_what_does_not_change_is_met_exactly_once_whatever_changes_meanwhile(
    writer: Engine, data: st.DataObject, items: list[Item], sort: Sort, price_min: int | None
) -> None:
    chosen = Filter(price_min=price_min)
    touched: set[str] = set()
    found: list[str] = []
    after: Key | None = None
    with passing(writer) as connection:
        taking = Taking(connection, 1)
        taking.take([creation(item) for item in items])
        before = [item for item in taking.items.values() if has(item, chosen)]
        more = True
        while more:
            page = pages.page(connection, SLOTS, chosen, sort, 2, after)
            found += [loads(body)["id"] for body in page.bodies]
            after, more = page.last, page.last is not None
            happened = data.draw(happenings(list(taking.items.values()), len(found)))
            touched.add(happened.item_id)
            taking.take([happened])
    unchanged = [item for item in before if item.id not in touched]
    in_order = sorted(unchanged, key=lambda item: key(item, sort), reverse=sort.descending)
    assert [each for each in found if each not in touched] == [item.id for item in in_order]


def happenings(items: Sequence[Item], number: int) -> st.SearchStrategy[Event]:
    """Draw what happens to an item between two pages."""
    created = st.builds(
        ItemCreated,
        st.sampled_from("abc").map(lambda letter: f"{letter}-new-{number}"),
        st.integers(AT, AT + 4),
        st.just(AT),
        st.sampled_from(["a", "lamp", "zebra"]),
        st.none(),
        st.integers(0, 4),
        st.just("EUR"),
    )
    live = [item.id for item in items if item.deleted_at is None]
    if not live:
        return created
    item_id = st.sampled_from(live)
    return st.one_of(
        created,
        item_id.map(lambda each: ItemDeleted(each, AT + 9, AT + 9)),
        st.builds(ItemRepriced, item_id, st.just(AT + 9), st.just(AT), st.integers(5, 9), EUR),
        st.builds(ItemRenamed, item_id, st.just(AT + 9), st.just(AT), st.just("moved")),
    )


def test_all_items_of_a_list_are_counted_when_asked(ledger: Any, client: FlaskClient) -> None:
    ledger.add(
        *(replace(LAMP, item_id=f"lamp-{n}", price=n) for n in range(7)),
        replace(LAMP, item_id="vase", name="Vase"),
        ItemDeleted("lamp-6", AT + 1, AT + 1),
    )

    def total(query: str) -> int | None:
        return client.get(f"/items?limit=2&{query}").json.get("total")

    assert total("total=exact") == 7
    assert total("total=exact&include_deleted=true") == 8
    assert total("total=exact&q=lamp&price_min=2") == 4
    assert total("total=exact&ids=vase,lamp-6,never") == 1
    assert total("total=exact&price_min=101") == 0
    assert total("total=none") is None
    assert total("") is None

    cursor = client.get("/items?limit=2&total=exact").json["next"]
    assert total(f"total=exact&cursor={cursor}") == 7


@pytest.mark.parametrize("field", get_args(SortField))
@pytest.mark.parametrize("descending", [False, True])
def test_a_deep_page_takes_no_more_statements_than_the_first(
    writer: Engine, field: SortField, descending: bool
) -> None:
    """And none that sorts, or looks at anything but the page: the index has the order."""
    sort = Sort(field, descending)
    items = [evolve(None, replace(LAMP, item_id=f"lamp-{n:03}", price=n)) for n in range(400)]
    with passing(writer) as connection:
        put(connection, items)
        after = pages.page(connection, SLOTS, Filter(), sort, 350, None).last
        statements: list[str] = []
        event.listen(writer, "before_cursor_execute", lambda *given: statements.append(given[2]))
        pages.page(connection, SLOTS, Filter(), sort, 5, None)
        first = len(statements)
        pages.page(connection, SLOTS, Filter(), sort, 5, after)
        assert first == 1
        assert len(statements) == 2


def test_lists_that_differ_in_values_alone_share_their_statements(
    writer: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To build one takes longer than to read a page by it."""
    built: list[object] = []
    kept: Any = statements._kept
    monkeypatch.setattr(statements, "_kept", lambda it: built.append(it) or kept(it))
    statements._remembered.cache_clear()
    sort = Sort("price", descending=True)
    with passing(writer) as connection:
        put(
            connection,
            [evolve(None, replace(LAMP, item_id=f"lamp-{n}", price=n)) for n in range(6)],
        )
        for least, words in ((9, ("nothing",)), (1, ("lamp",)), (3, ("read",))):
            chosen = Filter(price_min=least, words=words)
            page = pages.page(connection, SLOTS, chosen, sort, 1, None)
            pages.page(connection, SLOTS, chosen, sort, 1, page.last or [5, "lamp-5"])
            if least == 9:
                first = len(built)
    assert len(built) == first > 0


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("least", [None, 30])
def test_what_was_found_by_a_rare_word_is_tested_for_a_frequent_one(
    writer: Engine, monkeypatch: pytest.MonkeyPatch, least: int | None, descending: bool
) -> None:
    """Found along the order, past many that have neither."""
    for name, value in {"_NEAR": 1, "_AT_ONCE": 0, "_PART": 1}.items():
        monkeypatch.setattr(pages, name, value)
    monkeypatch.setattr(ways.Ways, "walked", 40)
    monkeypatch.setattr(ways, "_LOOKED_UP", 1)
    said = {n: f"{'rare ' * (n % 5 == 0)}{'common ' * (n % 3 > 0)}lamp" for n in range(60)}
    items = [
        evolve(None, replace(LAMP, item_id=f"lamp-{n:02}", name=name, price=n))
        for n, name in said.items()
    ]
    chosen = Filter(words=("common", "rare"), price_min=least)
    right = [n for n, name in said.items() if {"rare", "common"} <= set(name.split())]
    right = sorted((n for n in right if n >= (least or 0)), reverse=descending)
    with passing(writer) as connection:
        put(connection, items)
        for sort in (Sort("price", descending), Sort("id", descending)):
            found = listed(connection, chosen, sort, 2)
            assert [each for page in found for each in page] == [f"lamp-{n:02}" for n in right]


@dataclass
class Walking:
    """Finds as many rows along the order as a list says, and writes down how far it was sent."""

    found: Sequence[int]
    walked: int = 4
    far: list[int] = field(default_factory=list[int])

    def along_found(self, _: ways.Found, stretch: int) -> Sequence[str]:
        self.far.append(stretch)
        return ["row"] * self.found[len(self.far) - 1]

    def sorted_found(self, _: ways.Found) -> Sequence[str]:
        return ["sorted"]


@pytest.mark.parametrize(
    ("found", "far", "rows"),
    [
        ([10], [500], ["row"] * 10),
        # A fourth of the page after an eighth of the way: half as far again as it seems to be.
        ([5, 10], [500, 1_500], ["row"] * 10),
        ([5, 9], [500, 1_500], ["sorted"]),
        # As far as it is worth, and no further.
        ([2, 10], [500, 3_750], ["row"] * 10),
        ([1], [500], ["sorted"]),
        ([0], [500], ["sorted"]),
    ],
)
def test_what_was_found_is_looked_for_along_the_order_where_that_is_less_work_than_to_sort_it(
    found: Sequence[int], far: Sequence[int], rows: Sequence[str]
) -> None:
    walking = Walking(found)
    assert pages._along(walking, ways.Found(1_000, None), 10) == rows
    assert walking.far == far


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("descending", [False, True])
def test_a_walk_goes_no_further_than_its_stretch_whatever_the_bounds_say(
    writer: Engine, monkeypatch: pytest.MonkeyPatch, descending: bool
) -> None:
    """Of two ends SQLite may take the one that is farther away."""
    monkeypatch.setattr(pages, "_NEAR", 10)
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    def walked(bounds: Mapping[str, int]) -> int:
        nonlocal steps
        steps = 0
        chosen, sort = Filter(words=("zebra",), **bounds), Sort("price", descending)
        with passing(writer) as connection:
            driver: Any = connection.connection.driver_connection
            driver.set_progress_handler(step, 1)
            ways.Ways(connection, SLOTS, chosen, sort, None, 5).along(10)
            driver.set_progress_handler(None, 0)
        return steps

    items = [evolve(None, replace(LAMP, item_id=f"lamp-{n:04}", price=n)) for n in range(2_000)]
    with writer.begin() as connection:
        put(connection, items)
    # Ten items take hundreds of steps, and two thousand would take many thousands.
    assert walked({}) < 2_000
    assert walked({"price_min": 100, "price_max": 1_900}) < 2_000
