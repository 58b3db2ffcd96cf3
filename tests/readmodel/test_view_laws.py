"""Whatever happened, and however it came in batches: views tell what a naive reader would."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine

from domain.item import Item
from ledger import tables
from ledger.bulk import insert_rows
from ledger.engines import writing_engine
from ledger.recorded import Recorded
from readmodel.views import search, stats, timeline, wordings
from readmodel.views.chosen import Filter, Sort
from readmodel.views.compare import compare
from readmodel.views.items import render
from readmodel.views.listing import all_views
from readmodel.views.view import View
from readmodel.views.words import words_asked, words_of
from tests.readmodel.histories import BEGIN, HISTORIES, batches, counted, in_force, recorded, rows

History = Sequence[tuple[Any, bool, bool]]

FIELDS = ("id", "name", "price", "updated_at")
SORTS = st.builds(Sort, st.sampled_from(FIELDS), st.booleans())

thoroughly = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = writing_engine(database_url)
    yield engine
    engine.dispose()


@contextmanager
def built(
    engine: Engine, view: View, given: History, order: Callable[[Recorded], Any] | None = None
) -> Iterator[tuple[Connection, list[Recorded]]]:
    """Build both slots of a view of one history, in different batches, and the second in an order
    of its own where one is given; nothing of it stays.
    """
    history = recorded([step for step, _, _ in given])
    other = history if order is None else sorted(history, key=order)
    with engine.connect() as connection, connection.begin() as transaction:
        insert_rows(connection, tables.events, rows(history))
        for changes in batches(history, [end for _, end, _ in given]):
            view.into(1)(connection, changes)
        for changes in batches(other, [end for _, _, end in given]):
            view.into(2)(connection, changes)
        yield connection, history
        transaction.rollback()


@thoroughly
@given(history=HISTORIES)
def test_stats_are_what_one_counts_one_by_one(engine: Engine, history: History) -> None:
    with built(engine, stats.VIEW, history) as (connection, happened):
        told = stats.VIEW.query.answer(connection, 1, {"from": "2025-11-01"})
    expected = counted(happened)
    assert {name: told[name] for name in expected} == expected


@thoroughly
@given(history=HISTORIES, at=st.integers(-1_001, 1_100), sort=SORTS, limit=st.integers(1, 3))
def test_a_list_as_of_a_moment_has_each_item_as_it_was_then(
    engine: Engine, history: History, at: int, sort: Sort, limit: int
) -> None:
    with built(engine, timeline.VIEW, history) as (connection, happened):
        past = timeline.Past(connection, {timeline.NAME: 1}, BEGIN + at, Filter())
        found = walk(past, sort, limit)
    there = [item for item in in_force(happened, BEGIN + at) if not item.is_deleted]
    there.sort(key=lambda item: key(item, sort.field), reverse=sort.descending)
    assert found == [render(item) for item in there]


@pytest.mark.parametrize("few", [0, 1, 30_000])
@thoroughly
@given(
    history=HISTORIES,
    at=st.integers(-1_001, 1_100),
    sort=SORTS,
    limit=st.integers(1, 3),
    asked=st.sampled_from(
        ["APFEL", "äpf", "z", "straSSe", "日", "本", "🎈", "s z", "apfel straße"]
    ),
    ids=st.none() | st.just(("item-0", "item-3", "nobody")),
)
def test_a_search_as_of_a_moment_finds_what_had_the_words_then(
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    few: int,
    history: History,
    at: int,
    sort: Sort,
    limit: int,
    asked: str,
    ids: tuple[str, ...] | None,
) -> None:
    monkeypatch.setattr(timeline, "_FEW", few)
    chosen = Filter(words=words_asked(asked), ids=ids)
    views = timeline.VIEW, search.VIEW, wordings.VIEW
    with built(engine, views[0], history) as (connection, happened):
        for view in views[1:]:
            for changes in batches(happened, [end for _, end, _ in history]):
                view.into(1)(connection, changes)
        past = timeline.Past(connection, {each.name: 1 for each in views}, BEGIN + at, chosen)
        found, counted = walk(past, sort, limit), past.count()
    there = [
        item
        for item in in_force(happened, BEGIN + at)
        if not item.is_deleted and (ids is None or item.id in ids) and says(item, asked)
    ]
    there.sort(key=lambda item: key(item, sort.field), reverse=sort.descending)
    assert found == [render(item) for item in there]
    assert counted == len(there)


def says(item: Item, asked: str) -> bool:
    """Say whether an item has all the words, each at the beginning of one of its own."""
    words = words_of(f"{item.name}\n{item.description or ''}")
    return all(any(word.startswith(each) for word in words) for each in words_asked(asked))


def walk(past: timeline.Past, sort: Sort, limit: int) -> list[str]:
    bodies: list[str] = []
    after = None
    while True:
        page = past.page(sort, limit, after)
        bodies += page.bodies
        after = page.last
        if after is None:
            return bodies


def key(item: Item, field: str) -> tuple[Any, ...]:
    own: Mapping[str, Any] = {
        "id": (),
        "name": (item.name.casefold(),),
        "price": (item.price,),
        "updated_at": (item.updated_at,),
    }
    return (*own[field], item.id)


@pytest.mark.parametrize("view", all_views(), ids=lambda view: view.name)
@thoroughly
@given(history=HISTORIES)
def test_what_a_view_comes_to_does_not_depend_on_how_events_come_in_batches(
    engine: Engine, view: View, history: History
) -> None:
    with built(engine, view, history) as (connection, _):
        compared = compare(connection, view, 1, 2, lambda: True)
    assert compared is not None
    assert compared.difference is None


@pytest.mark.parametrize(
    "view", [each for each in all_views() if each.by_item], ids=lambda view: view.name
)
@settings(parent=thoroughly, max_examples=20)
@given(history=HISTORIES)
def test_what_a_view_that_is_built_by_item_comes_to_does_not_depend_on_the_order_of_items(
    engine: Engine, view: View, history: History
) -> None:
    def by_item(each: Recorded) -> tuple[str, int]:
        return each.event.item_id, each.version

    with built(engine, view, history, by_item) as (connection, _):
        compared = compare(connection, view, 1, 2, lambda: True)
    assert compared is not None
    assert compared.difference is None
