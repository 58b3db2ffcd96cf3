"""Plain lists answered by the loop: with the bytes of Flask, for who may read them."""

from typing import Any

import pytest
from orjson import loads
from sqlalchemy import Engine

from readmodel.cursors import Cursors
from readmodel.guard import Doorkeeper
from readmodel.hot import lists
from readmodel.views.chosen import Filter, Sort
from runtime.settings import Settings
from tests.readmodel.hot_lists import Served, fill, request, run
from tests.readmodel.operated import EPOCH
from tests.readmodel.test_desk import HotLine
from tests.runtime.lines import Line
from tests.runtime.test_serving import look_twice
from tests.tokens import bearer, guard

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
QUERIES = [
    "",
    "limit=1",
    "limit=2&sort=-price",
    "sort=name",
    "sort=-updated_at&limit=200",
    "sort=-id&limit=3",
    # Of these, Flask says what is to be said.
    "limit=0",
    "limit=1&limit=2",
    "limit=",
    "limit",
    "cursor=nonsense",
    "sort=colour",
    "what=ever",
    "limit=%31",
    "q=lamp",
    "total=exact",
    "price_min=1",
    "&&limit=1&",
]
HEADERS: list[tuple[tuple[str, str], ...]] = [
    (),
    (("x-request-id", "r-1"),),
    (("x-request-id", "no id"),),
    (("if-none-match", '"x", W/"y"'),),
    (("if-none-match", "*"),),
    # WSGI would take it for the other.
    (("if_none_match", "*"),),
    (("accept", "text/html"),),
    (("prefer", "wait=1"),),
    (("consistency-token", "nonsense"),),
    (("origin", "https://evil.example"),),
    (("x-long", "x" * 33_000),),
    (("content-length", "0"),),
]


@pytest.fixture
def filled(ledger: Any) -> Any:
    fill(ledger)
    return ledger


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("memory", [0, 1 << 20], ids=["read", "from memory"])
def test_every_answer_is_the_one_of_flask_to_the_byte(
    settings: Settings, engine: Engine, log: Any, memory: int
) -> None:
    served = Served(settings, engine, log, memory=memory)

    async def compare() -> None:
        for query in QUERIES:
            for headers in HEADERS:
                await served.same(request(query, *headers))
            await served.same(request(query, method="HEAD"))
            await served.same(request(query, method="POST"))
            await served.same(request(query, path="/items/lamp-1"))
            await served.same(request(query, path="/itemsx"))
        for query in QUERIES[:6]:
            tag = (await served.same(request(query))).headers["etag"]
            for condition in (tag, tag.removeprefix("W/"), '"a", ' + tag):
                found = await served.same(request(query, ("If-None-Match", condition)))
                assert found.status == 304

    run(compare())
    # Of seven queries that are plain lists, with seven of the headers; and of six once for their
    # tag, and with three conditions.
    assert served.answered == 7 * 7 + 6 * (1 + 3)
    assert (served.memory.figures().hits > 0) == (memory > 0)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("sort", ["id", "-id", "name", "-price", "updated_at"])
def test_a_walk_from_page_to_page_is_the_one_of_flask(
    settings: Settings, engine: Engine, log: Any, sort: str
) -> None:
    served = Served(settings, engine, log)
    found: list[str] = []

    async def walk() -> None:
        cursor: str | None = ""
        while cursor is not None:
            query = f"limit=1&sort={sort}" + (f"&cursor={cursor}" if cursor else "")
            page = await served.same(request(query))
            found.extend(page.ids)
            cursor = loads(page.body)["next"]

    run(walk())
    assert sorted(found) == ["lamp-0", "lamp-1", "lamp-3", "lamp-4"]
    assert served.answered == 4


@pytest.mark.usefixtures("filled")
def test_who_may_not_read_is_answered_by_flask(
    settings: Settings, engine: Engine, log: Any
) -> None:
    served = Served(settings, engine, log, guard(settings), memory=1 << 20)
    reader = ("Authorization", bearer("items:read")["Authorization"])
    writer = ("Authorization", bearer("items:write")["Authorization"])

    async def compare() -> None:
        for told, status in (
            ([reader], 200),
            ([reader], 200),
            ([], 401),
            ([writer], 403),
            ([("Authorization", "Bearer forged.token.here")], 401),
        ):
            assert (await served.same(request("", *told))).status == status

    run(compare())
    assert served.answered == 2


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("place", [[], [5], ["a", "b"], ["a" * 1_001], ["\0"], 5, "a", [["a"]]])
def test_a_cursor_that_was_never_written_is_no_cursor(
    settings: Settings, engine: Engine, log: Any, place: Any
) -> None:
    """Who has not set a key of their own has one that everybody knows."""
    served = Served(settings, engine, log)
    cursor = Cursors(settings.cursor_secret).write(place, "items", Sort(), Filter(), None)

    async def compare() -> None:
        assert (await served.same(request(f"cursor={cursor}"))).status == 400

    run(compare())
    assert served.answered == 0


@pytest.mark.usefixtures("filled")
def test_who_waits_for_their_write_is_answered_by_flask(
    settings: Settings, engine: Engine, log: Any
) -> None:
    served = Served(settings, engine, log, memory=1 << 20)

    async def compare() -> None:
        await served.same(request())
        await served.same(request("", ("Consistency-Token", f"0.{EPOCH}.9")))
        await served.same(request("", ("Prefer", "wait=1")))

    run(compare())
    assert served.answered == 1


@pytest.mark.usefixtures("filled")
def test_what_is_said_twice_is_read_by_flask(settings: Settings, engine: Engine, log: Any) -> None:
    served = Served(settings, engine, log)

    async def compare() -> None:
        tag = (await served.same(request())).headers["etag"]
        two = f'If-None-Match: {tag}\r\nIf-None-Match: "other"\r\n\r\n'
        sent = request().removesuffix(b"\r\n") + two.encode()
        assert (await served.same(sent)).status == 304

    run(compare())
    assert served.requests.seen().counts == {("GET", "/items", "200"): 1}


@pytest.mark.usefixtures("filled")
def test_whose_keys_have_to_be_fetched_first_is_not_let_in_by_the_loop(
    settings: Settings, engine: Engine, log: Any
) -> None:
    served = Served(settings, engine, log, guard(settings), memory=1 << 20)
    reader = request("", ("Authorization", bearer("items:read")["Authorization"]))

    async def compare() -> None:
        await served.same(reader)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Doorkeeper, "may_stay_at_once", lambda *_: None)
            await served.same(reader)

    run(compare())
    assert served.answered == 1


@pytest.mark.usefixtures("filled")
def test_answers_are_counted_as_what_they_are(settings: Settings, engine: Engine, log: Any) -> None:
    served = Served(settings, engine, log)

    async def ask() -> None:
        tag = (await served.same(request())).headers["etag"]
        await served.same(request("", ("If-None-Match", tag)))

    run(ask())
    counts = {("GET", "/items", "200"): 1, ("GET", "/items", "304"): 1}
    assert served.requests.seen().counts == counts


@pytest.mark.usefixtures("filled")
def test_an_empty_line_before_a_request_ends_no_connection(
    settings: Settings, engine: Engine, log: Any
) -> None:
    served = Served(settings, engine, log)

    async def ask() -> None:
        line = HotLine(served.hot)
        line.connection.data_received(b"\r\n")
        for _ in range(2):
            await line.ask(request())
            assert not look_twice(line)

    run(ask())
    assert served.answered == 2


@pytest.mark.usefixtures("filled")
def test_what_comes_in_pieces_or_together_is_answered_in_order(
    settings: Settings, engine: Engine, log: Any
) -> None:
    served = Served(settings, engine, log)
    one, other, flasks = request("limit=1"), request("limit=2"), request("q=lamp")

    async def compare() -> None:
        for cut in (1, 8, 12, len(one) - 1):
            hot, plain = HotLine(served.hot), Line(served.plain)
            assert await hot.ask(one[:cut], one[cut:]) == await plain.ask(one[:cut], one[cut:])
        for sent in ([one + other], [one, flasks, other], [flasks, one], [flasks + one, other]):
            count = b"".join(sent).count(b"GET ")
            hot, plain = HotLine(served.hot), Line(served.plain)
            for line in (hot, plain):
                for each in sent:
                    line.connection.data_received(each)
                await line.has(count)
            assert hot.written == plain.written

    run(compare())


@pytest.mark.usefixtures("filled")
def test_what_was_asked_for_is_remembered_only_so_often(
    settings: Settings, engine: Engine, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a client could fill the memory with query strings."""
    monkeypatch.setattr(lists, "_PLANS", 5)
    served = Served(settings, engine, log)

    async def ask() -> None:
        for number in range(20):
            await HotLine(served.hot).ask(request(f"what={number}"))
        await HotLine(served.hot).ask(request("x=" + "y" * 2_000))

    run(ask())
    assert len(served.desk._plans) <= 5
