"""Plain lists answered by the loop: with the bytes of Flask, and only what is quick."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import pytest
from orjson import loads
from sqlalchemy import Engine, update

from domain.events import ItemDeleted, ItemRepriced
from ledger.moments import ShortReads
from ledger.tables import projections
from readmodel.app import create_app
from readmodel.cursors import Cursors
from readmodel.front.bridge import Bridge
from readmodel.front.hands import Hands
from readmodel.front.list_memory import ListMemory
from readmodel.guard import Doorkeeper
from readmodel.hot import lists
from readmodel.hot.connection import HotConnection
from readmodel.hot.heads import Heads
from readmodel.hot.lists import MOST_STEPS, ListDesk
from readmodel.list_tags import ListTags
from readmodel.paging import Paging
from readmodel.problem_codes import BAD_REQUEST
from readmodel.turns import Turns
from runtime.auth.guard import Guard, guard_of
from runtime.measures import Requests
from runtime.serving import Connection, Server, Words, make_server
from runtime.settings import Settings
from tests.readmodel.operated import AT
from tests.readmodel.test_bridge import no_feed
from tests.readmodel.test_desk import HotLine
from tests.readmodel.test_hot_answers import LAMP
from tests.runtime.lines import Line
from tests.tokens import bearer, guard

LONG = 30.0
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


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def of(cls, written: bytes) -> Self:
        head, _, body = written.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(each.split(": ", 1) for each in lines)
        return cls(int(first.split(" ")[1]), headers, body)

    @property
    def ids(self) -> list[str]:
        return [each["id"] for each in loads(self.body)["items"]]


class Served:
    """The query API with lists by the loop, and without."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        log: Any,
        used: Guard | None = None,
        steps: int = MOST_STEPS,
        memory: int = 0,
    ) -> None:
        used = used or guard_of(settings)
        app = create_app(settings, engine, log.inspector, clock=lambda: AT, guard=used)
        self.requests = Requests()
        self.memory = ListMemory(memory)
        self.reads = ShortReads(engine, steps)
        self.desk = ListDesk(
            Heads(Doorkeeper(used)),
            self.requests,
            self.memory,
            self.reads,
            Paging(Cursors(settings.cursor_secret), settings.public_query_url),
            ListTags(settings.cursor_secret),
        )
        bridge = Bridge(app.wsgi_app, Hands(2), Turns(2, 0), no_feed)
        words = Words(settings.public_query_url, BAD_REQUEST)

        def server(connection: Callable[..., Connection]) -> Server:
            made = make_server(bridge, "", 0, words, lifespan=False, connection=connection)
            made.config.load()
            return made

        self.hot, self.plain = server(partial(HotConnection, [self.desk])), server(Connection)

    async def same(self, sent: bytes) -> Answer:
        """Ask both, and see that they say the same."""
        hot, plain = HotLine(self.hot), Line(self.plain)
        answer = await hot.ask(sent)
        assert (answer, hot.closed) == (await plain.ask(sent), plain.closed), sent
        return Answer.of(answer)

    @property
    def answered(self) -> int:
        """Count what the loop has answered."""
        return sum(self.requests.seen().counts.values())


def request(
    query: str = "", *headers: tuple[str, str], path: str = "/items", method: str = "GET"
) -> bytes:
    told = {"Host": "read.example"} | dict(headers)
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    target = f"{path}?{query}" if query else path
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")


def run(doing: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(doing, LONG))


@pytest.fixture
def filled(ledger: Any) -> Any:
    """A ledger of five items, one of them deleted."""
    ledger.n = 9
    for number in range(5):
        ledger.add(replace(LAMP, item_id=f"lamp-{number}", name=f"Lamp {9 - number}"))
        ledger.add(ItemRepriced(f"lamp-{number}", AT + number, AT + number, number % 3, "EUR"))
    ledger.add(ItemDeleted("lamp-2", AT + 9, AT + 9))
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


def test_nothing_is_answered_that_is_older_than_the_last_commit(
    settings: Settings, engine: Engine, log: Any, filled: Any
) -> None:
    served = Served(settings, engine, log, memory=1 << 20)

    async def compare() -> None:
        for price in range(3):
            filled.add(ItemRepriced("lamp-1", AT + 20 + price, AT + 20 + price, 500 + price, "EUR"))
            for query in ("", "limit=2", "", "limit=2"):
                page = await served.same(request(query))
                prices = {each["id"]: each["price"] for each in loads(page.body)["items"]}
                assert prices["lamp-1"] == 500 + price
        tag = page.headers["etag"]
        filled.add(ItemRepriced("lamp-1", AT + 30, AT + 30, 9, "EUR"))
        had = ("If-None-Match", tag)
        assert (await served.same(request("limit=2", had))).status == 200

    run(compare())
    figures = served.memory.figures()
    assert (figures.hits, figures.misses) == (3 * 2, 3 * 2 + 1)


@pytest.mark.usefixtures("filled")
def test_what_was_committed_while_a_page_was_read_makes_it_old(
    settings: Settings, engine: Engine, log: Any, ledger: Any
) -> None:
    served = Served(settings, engine, log, memory=1 << 20)
    snapshot = served.reads.snapshot

    @contextmanager
    def slow() -> Generator[Any]:
        with snapshot() as taken:
            yield taken
            ledger.add(ItemRepriced("lamp-1", AT + 20, AT + 20, 777, "EUR"))

    async def compare() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(served.reads, "snapshot", slow)
            await HotLine(served.hot).ask(request())
        assert b'"price":777' in (await served.same(request())).body

    run(compare())
    assert served.answered == 2


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


def test_what_takes_long_is_left_to_a_thread(
    settings: Settings, engine: Engine, log: Any, ledger: Any
) -> None:
    """As a list does that has thousands of deleted items before it."""
    ledger.add(*(replace(LAMP, item_id=f"lamp-{number:03}") for number in range(300)))
    served = Served(settings, engine, log, steps=1_000)

    async def compare() -> None:
        assert len((await served.same(request("limit=200&sort=name"))).ids) == 200
        assert served.answered == 0
        await served.same(request("limit=2"))
        assert served.answered == 1

    run(compare())


@pytest.mark.usefixtures("filled")
def test_a_view_that_is_not_built_yet_is_told_of_by_flask(
    settings: Settings, engine: Engine, log: Any, ledger: Any
) -> None:
    served = Served(settings, engine, log, memory=1 << 20)

    async def compare() -> None:
        await served.same(request())
        with ledger.engine.begin() as connection:
            connection.execute(update(projections).values(live=0))
        assert (await served.same(request())).status == 503

    run(compare())
    assert served.answered == 1


@pytest.mark.usefixtures("filled")
def test_a_view_that_was_built_anew_is_read_where_it_is_now(
    settings: Settings, engine: Engine, log: Any, ledger: Any
) -> None:
    served = Served(settings, engine, log, memory=1 << 20)

    async def compare() -> None:
        assert (await served.same(request())).ids
        with ledger.engine.begin() as connection:
            connection.execute(
                update(projections).where(projections.c.view == "items").values(live=2)
            )
        assert (await served.same(request())).ids == []

    run(compare())
    assert served.answered == 2


@pytest.mark.usefixtures("filled")
def test_a_defect_leaves_the_answer_to_flask(
    settings: Settings, engine: Engine, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = Served(settings, engine, log)

    def defective() -> Any:
        raise ZeroDivisionError

    async def compare() -> None:
        monkeypatch.setattr(served.reads, "version", defective)
        assert (await served.same(request())).status == 200

    run(compare())
    assert served.answered == 0


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
