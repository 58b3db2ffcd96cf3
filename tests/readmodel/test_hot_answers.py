"""What the layer in front of Flask answers is what Flask would have answered, to the byte."""

import itertools
from typing import Any

import pytest
from sqlalchemy import Engine

from domain.events import ItemCreated, ItemDeleted, ItemRepriced
from readmodel.app import create_app
from readmodel.hot.cache import ItemCache
from runtime.settings import Settings
from tests.readmodel.hot import Hot
from tests.readmodel.operated import AT, EPOCH, Monotonic
from tests.tokens import bearer, guard

LAMP = ItemCreated("lamp", AT, AT, "Läßt-leuchten ☀", "dünn\n", 1299, "EUR")
CUP = ItemCreated("c.u~p_-1", AT, AT, "Cup", None, 5, "EUR")
OLD = ItemCreated("old", AT, AT, "Old", None, 5, "EUR")

PATHS = [
    *("/items/lamp", "/items/c.u~p_-1", "/items/old", "/items/nobody", "/items/l%61mp"),
    *("/items/", "/items/lamp/", "/items//lamp", "/items/-x", "/items/a%20b", "/items/" + "a" * 65),
    *("/items/lamp?", "/items/lamp?version=1", "/items/lamp?nonsense=1", "/items/lamp?x=%FF"),
    *("/items/lamp/history", "/nothing/lamp"),
]
METHODS = ["GET", "HEAD", "POST", "DELETE", "OPTIONS"]
CONDITIONS = [
    *(None, '"2"', 'W/"2"', '"1"', '"0", "2"', "*", "2", '"', "", '"2", W/"7"', ' "2" '),
]
ACCEPTS = [None, "text/html", "application/json;q=0", "*/*"]
PREFERS = [None, "wait=3", "wait=3, handling=strict", "handling=strict", "wait=x", "return=minimal"]
DATES = [None, "Sat, 22 Nov 2025 08:00:00 GMT", "no date"]
TOKENS = [
    None,
    f"0.{EPOCH}.3",
    f"0.{EPOCH}.2",
    f"0.{EPOCH}.9",
    f"0.{EPOCH - 1}.1",
    f"7.{EPOCH}.1",
    "nonsense",
    "",
]


@pytest.fixture
def hot(ledger: Any, engine: Engine, log: Any, settings: Settings) -> Hot:
    return made(ledger, engine, log, settings)


def made(ledger: Any, engine: Engine, log: Any, settings: Settings, **options: Any) -> Hot:
    ledger.n = 3
    ledger.add(LAMP, ItemRepriced("lamp", AT + 1, AT + 1, 999, "EUR"), CUP, OLD)
    ledger.add(ItemDeleted("old", AT + 1, AT + 1))
    clock = Monotonic()
    cache = ItemCache(1 << 20, clock)
    app = create_app(settings, engine, log.inspector, clock=lambda: AT, cache=cache, **options)
    return Hot(app, cache, clock)


def headers_of(**given: str | None) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in given.items() if value is not None}


def compare(hot: Hot, path: str, headers: dict[str, str], method: str) -> None:
    assert hot.ask(path, headers, method) == hot.ask_flask(path, headers, method), (
        path,
        headers,
        method,
    )


@pytest.mark.parametrize("cached", [False, True], ids=["looked up", "from memory"])
def test_every_answer_is_the_one_of_flask(hot: Hot, ledger: Any, *, cached: bool) -> None:
    if cached:
        hot.listen(ledger)
    for path, method in itertools.product(PATHS, METHODS):
        compare(hot, path, {}, method)
    combined = itertools.product(CONDITIONS[:4], PREFERS, TOKENS, ["GET", "HEAD"])
    for condition, prefer, token, method in combined:
        headers = headers_of(If_None_Match=condition, Prefer=prefer, Consistency_Token=token)
        # Flask waits for what never comes; that has nothing to do with what is compared.
        if token == TOKENS[3] and prefer is not None and "wait=3" in prefer:
            continue
        compare(hot, "/items/lamp", headers, method)
    for condition, accept, date in itertools.product(CONDITIONS, ACCEPTS, DATES):
        headers = headers_of(If_None_Match=condition, Accept=accept, Accept_Datetime=date)
        compare(hot, "/items/lamp", headers, "GET")
    assert (hot.cache.figures().hits > 0) == cached


@pytest.mark.parametrize("cached", [False, True], ids=["looked up", "from memory"])
def test_flask_is_not_asked_for_what_the_layer_understands(
    hot: Hot, ledger: Any, *, cached: bool
) -> None:
    if cached:
        hot.listen(ledger)
    for condition, accept, prefer, token in itertools.product(
        CONDITIONS[:4], ACCEPTS[:2], PREFERS, TOKENS[:3]
    ):
        headers = headers_of(
            If_None_Match=condition, Accept=accept, Prefer=prefer, Consistency_Token=token
        )
        hot.ask("/items/lamp", headers)
    assert hot.asked_flask == 0
    # The first one is looked up, and only that.
    assert hot.cache.figures().misses == (1 if cached else hot.cache.figures().misses)


@pytest.mark.parametrize("cached", [False, True], ids=["looked up", "from memory"])
def test_who_may_not_read_is_told_what_flask_tells_them(
    ledger: Any, engine: Engine, log: Any, settings: Settings, *, cached: bool
) -> None:
    hot = made(ledger, engine, log, settings, guard=guard(settings))
    good = bearer("items:read")
    if cached:
        hot.listen(ledger)
        hot.ask("/items/lamp", good)
    for headers in (
        good,
        {},
        bearer("items:write"),
        bearer("ops", "items:read"),
        {"Authorization": "Bearer forged.token.here"},
        {"Authorization": "Basic cm9zYTpyb3Nh"},
        {**good, "X-Long": "x" * 33_000},
        {**good, "Content-Length": "70000"},
        {**good, "Content-Length": "x"},
    ):
        for path, method in itertools.product(("/items/lamp", "/items/nobody"), ("GET", "HEAD")):
            compare(hot, path, headers, method)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "read.example"},
        {"Host": "["},
        {"Origin": "https://evil.example"},
        {"Origin": "https://read.example"},
    ],
)
def test_a_page_of_somebody_else_is_refused_with_the_words_of_flask(
    hot: Hot, ledger: Any, headers: dict[str, str]
) -> None:
    hot.listen(ledger)
    hot.ask("/items/lamp")
    compare(hot, "/items/lamp", headers, "GET")


def test_a_request_counts_once_against_the_limit_of_its_caller(
    ledger: Any, engine: Engine, log: Any, settings: Settings
) -> None:
    limited = settings.model_copy(update={"rate_limit": "4 per hour"})
    hot = made(ledger, engine, log, limited)
    # The last two pass the layer by: it does not know the item, and a date is not for it.
    asked = ["/items/lamp", "/items/lamp", "/items/nobody", "/items/lamp?version=1"]
    assert [hot.ask(each).status[:3] for each in asked] == ["200", "200", "404", "200"]
    assert hot.ask("/items/lamp").status[:3] == "429"


def test_an_error_of_the_database_is_told_by_flask(hot: Hot, engine: Engine, ledger: Any) -> None:
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE projections RENAME TO gone")
    named = {"X-Request-ID": "7"}
    answer = hot.ask("/items/lamp", named)
    assert (answer.status[:1], hot.asked_flask) == ("5", 1)
    assert answer == hot.ask_flask("/items/lamp", named)
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE gone RENAME TO projections")
    assert hot.ask("/items/lamp").status[:3] == "200"
