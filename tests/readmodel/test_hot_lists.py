"""Plain lists answered by the loop: with the bytes of Flask, and only what is quick."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any

import pytest
from orjson import loads
from sqlalchemy import Engine, update

from domain.events import ItemDeleted, ItemRepriced
from ledger.moments import ShortReads
from ledger.tables import projections
from readmodel.app import create_app
from readmodel.cursors import Cursors
from readmodel.front.bridge import Bridge, Message
from readmodel.front.hands import Hands
from readmodel.guard import Doorkeeper
from readmodel.hot.lists import MOST_STEPS, HotLists
from readmodel.list_tags import ListTags
from readmodel.paging import Paging
from readmodel.turns import Turns
from runtime.auth.guard import Guard, guard_of
from runtime.measures import Requests
from runtime.settings import Settings
from tests.readmodel.operated import AT
from tests.readmodel.test_bridge import Client, no_feed, scope
from tests.readmodel.test_hot_answers import LAMP
from tests.tokens import bearer, guard

LONG = 30.0
HOST = (b"host", b"read.example")
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
QUERIES = [
    b"",
    b"limit=1",
    b"limit=2&sort=-price",
    b"sort=name",
    b"sort=-updated_at&limit=200",
    b"sort=-id&limit=3",
    # Of these, Flask says what is to be said.
    b"limit=0",
    b"limit=1&limit=2",
    b"limit=",
    b"limit",
    b"cursor=nonsense",
    b"sort=colour",
    b"what=ever",
    b"limit=%31",
    b"q=lamp",
    b"total=exact",
    b"price_min=1",
    b"&&limit=1&",
]
HEADERS: list[tuple[tuple[bytes, bytes], ...]] = [
    (),
    ((b"x-request-id", b"r-1"),),
    ((b"x-request-id", b"no id"),),
    ((b"if-none-match", b'"x", W/"y"'),),
    ((b"if-none-match", b"*"),),
    # WSGI would take it for the other.
    ((b"if_none_match", b"*"),),
    ((b"accept", b"text/html"),),
    ((b"prefer", b"wait=1"),),
    ((b"consistency-token", b"nonsense"),),
    ((b"origin", b"https://evil.example"),),
    ((b"x-long", b"x" * 33_000),),
    ((b"content-length", b"0"),),
]


class Served:
    """The query API with lists by the loop, and without."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        log: Any,
        used: Guard | None = None,
        steps: int = MOST_STEPS,
    ) -> None:
        used = used or guard_of(settings)
        app = create_app(settings, engine, log.inspector, clock=lambda: AT, guard=used)
        self.requests = Requests()
        self.plain = Bridge(app.wsgi_app, Hands(2), Turns(2, 0), no_feed)
        self.hot = HotLists(
            self.plain,
            ShortReads(engine, steps),
            Paging(Cursors(settings.cursor_secret), settings.public_query_url),
            ListTags(settings.cursor_secret),
            Doorkeeper(used),
            self.requests,
        )

    async def same(self, query: bytes, *headers: tuple[bytes, bytes], **told: Any) -> list[Message]:
        """Ask both, and see that they say the same."""
        hot = await ask(self.hot, query, *headers, **told)
        plain = await ask(self.plain, query, *headers, **told)
        assert _written(hot) == _written(plain), (query, headers, told)
        return hot

    @property
    def answered(self) -> int:
        """Count what the loop has answered."""
        return sum(self.requests.seen().counts.values())


async def ask(
    app: Any, query: bytes, *headers: tuple[bytes, bytes], path: bytes = b"/items", **told: Any
) -> list[Message]:
    client = Client()
    asked = scope(path, HOST, *headers, query_string=query, **told)
    await app(asked, client.receive, client.send)
    return client.sent


def _written(messages: Sequence[Message]) -> object:
    start, *rest = messages
    return start["status"], start["headers"], b"".join(each.get("body", b"") for each in rest)


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
def test_every_answer_is_the_one_of_flask_to_the_byte(
    settings: Settings, engine: Engine, log: Any
) -> None:
    served = Served(settings, engine, log)

    async def compare() -> None:
        for query in QUERIES:
            for headers in HEADERS:
                await served.same(query, *headers)
            await served.same(query, method="HEAD")
            await served.same(query, path=b"/items/lamp-1")
        for query in QUERIES[:6]:
            tag = dict((await served.same(query))[0]["headers"])[b"ETag"]
            for condition in (tag, tag.removeprefix(b"W/"), b'"a", ' + tag):
                found = await served.same(query, (b"if-none-match", condition))
                assert found[0]["status"] == 304

    run(compare())
    # Of seven queries that are plain lists, with seven of the headers; and of six once for their
    # tag, and with three conditions.
    assert served.answered == 7 * 7 + 6 * (1 + 3)


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
            page = loads((await served.same(query.encode()))[1]["body"])
            found.extend(item["id"] for item in page["items"])
            cursor = page["next"]

    run(walk())
    assert sorted(found) == ["lamp-0", "lamp-1", "lamp-3", "lamp-4"]
    assert served.answered == 4


@pytest.mark.usefixtures("filled")
def test_who_may_not_read_is_answered_by_flask(
    settings: Settings, engine: Engine, log: Any
) -> None:
    served = Served(settings, engine, log, guard(settings))
    reader = bearer("items:read")["Authorization"].encode()
    writer = bearer("items:write")["Authorization"].encode()

    async def compare() -> None:
        statuses = [
            (await served.same(b"", *headers))[0]["status"]
            for headers in ((), ((b"authorization", writer),), ((b"authorization", reader),))
        ]
        assert statuses == [401, 403, 200]

    run(compare())
    assert served.answered == 1


def test_what_takes_long_is_left_to_a_thread(
    settings: Settings, engine: Engine, log: Any, ledger: Any
) -> None:
    """As a list does that has thousands of deleted items before it."""
    ledger.add(*(replace(LAMP, item_id=f"lamp-{number:03}") for number in range(300)))
    served = Served(settings, engine, log, steps=1_000)

    async def compare() -> None:
        found = await served.same(b"limit=200&sort=name")
        assert len(loads(found[1]["body"])["items"]) == 200
        assert served.answered == 0
        await served.same(b"limit=2")
        assert served.answered == 1

    run(compare())


@pytest.mark.usefixtures("filled")
def test_a_view_that_is_not_built_yet_is_told_of_by_flask(
    settings: Settings, engine: Engine, log: Any, ledger: Any
) -> None:
    served = Served(settings, engine, log)
    with ledger.engine.begin() as connection:
        connection.execute(update(projections).values(live=0))

    async def compare() -> None:
        assert (await served.same(b""))[0]["status"] == 503

    run(compare())
    assert served.answered == 0
