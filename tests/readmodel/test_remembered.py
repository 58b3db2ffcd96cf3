"""Lists from memory: what Flask would say, and never older than the last commit."""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest
from orjson import loads
from sqlalchemy import Engine

from domain.events import ItemRepriced
from ledger.single import NotRead
from readmodel.app import create_app
from readmodel.front.bridge import Bridge, Message
from readmodel.front.hands import Hands
from readmodel.front.list_memory import ListMemory
from readmodel.front.remembered import Remembered
from readmodel.guard import Doorkeeper
from readmodel.hot.row import ItemMoments
from readmodel.turns import Turns
from runtime.auth.cookie import NAME as COOKIE
from runtime.auth.guard import Guard, guard_of
from runtime.auth.issue import issue
from runtime.auth.revoked import Revocations, Revoked
from runtime.auth.tokens import OwnKey
from runtime.measures import Requests
from runtime.settings import Settings
from tests.readmodel.operated import AT
from tests.readmodel.test_bridge import Client, no_feed, scope
from tests.readmodel.test_hot_answers import CUP, LAMP
from tests.tokens import SECRET

LONG = 30.0
HOST = (b"host", b"read.example")
ONLY_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Asked:
    """An application that says how often it was asked, in pieces, and with a status as it is told;
    over a store whose version is as it is told, too.
    """

    def __init__(self, limit: int = 1 << 20, used: Guard | None = None) -> None:
        self.times = 0
        self.status = 200
        self.pieces = 1
        self.now: object = 1
        self.requests = Requests()
        door = Doorkeeper(used or guard_of(Settings()))
        self.memory = ListMemory(limit)
        self.served = Remembered(self, self.version, door, self.requests, self.memory)

    def version(self) -> object:
        if isinstance(self.now, Exception):
            raise self.now
        return self.now

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        self.times += 1
        headers = [(b"etag", b"x"), (b"X-Request-ID", b"of another")]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        for left in range(self.pieces - 1, -1, -1):
            body = f"answer {self.times}".encode()
            await send({"type": "http.response.body", "body": body, "more_body": left > 0})

    def ask(self, *headers: tuple[bytes, bytes], path: bytes = b"/items", **told: Any) -> str:
        return one(self.served, *headers, path=path, **told).body.decode()


def one(served: Any, *headers: tuple[bytes, bytes], path: bytes = b"/items", **told: Any) -> Client:
    client = Client()
    run(served(scope(path, HOST, *headers, **told), client.receive, client.send))
    return client


def run(doing: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(doing, LONG))


def test_a_list_is_answered_again_for_as_long_as_nothing_was_committed() -> None:
    app = Asked()
    assert [app.ask(), app.ask(), app.ask(query_string=b"limit=2")] == [
        "answer 1",
        "answer 1",
        "answer 2",
    ]
    app.now = 2
    assert [app.ask(), app.ask()] == ["answer 3", "answer 3"]
    assert app.requests.seen().counts == {("GET", "/items", "200"): 2}
    figures = app.memory.figures()
    assert (figures.hits, figures.misses, figures.lists) == (2, 3, 2)


def test_who_names_themselves_or_the_request_otherwise_asks_the_same() -> None:
    app = Asked()
    app.ask()
    for header in (
        (b"user-agent", b"x"),
        (b"traceparent", b"00-1-1-01"),
        (b"tracestate", b"a=b"),
        (b"x-request-id", b"r"),
    ):
        assert app.ask(header) == "answer 1"


def test_what_was_committed_while_it_was_read_makes_it_old() -> None:
    app = Asked()

    async def commit(_scope: Any, _receive: Any, send: Any) -> None:
        app.now = 2
        await app(_scope, _receive, send)

    served = Remembered(
        commit,
        app.version,
        Doorkeeper(guard_of(Settings())),
        app.requests,
        app.memory,
    )
    assert one(served).body == b"answer 1"
    assert one(served).body == b"answer 2"


@pytest.mark.parametrize(
    "header",
    [
        (b"if-none-match", b'W/"a"'),
        (b"accept", b"text/html"),
        (b"origin", b"https://other.example"),
        (b"authorization", b"Bearer x"),
        (b"cookie", b"a=b"),
        (b"host", b"other.example"),
    ],
)
def test_who_says_something_else_gets_an_answer_of_their_own(header: tuple[bytes, bytes]) -> None:
    app = Asked()
    assert [app.ask(), app.ask(header), app.ask(header)] == ["answer 1", "answer 2", "answer 2"]


@pytest.mark.parametrize(
    "header",
    [
        (b"prefer", b"wait=3"),
        (b"consistency-token", b"0.1.1"),
        (b"content-length", b"0"),
        (b"transfer-encoding", b"chunked"),
        (b"expect", b"100-continue"),
        (b"x-long", b"x" * 20_000),
        (b"user-agent", b"x" * 20_000),
    ],
)
def test_what_may_wait_or_has_a_body_or_is_long_is_asked_each_time(
    header: tuple[bytes, bytes],
) -> None:
    app = Asked()
    assert [app.ask(header), app.ask(header)] == ["answer 1", "answer 2"]


@pytest.mark.parametrize(
    ("path", "method"), [(b"/items/lamp", "GET"), (b"/items/", "GET"), (b"/items", "HEAD")]
)
def test_only_lists_are_kept(path: bytes, method: str) -> None:
    app = Asked()
    told: dict[str, Any] = {"path": path, "method": method}
    assert [one(app.served, **told).body for _ in range(2)] == [b"answer 1", b"answer 2"]


@pytest.mark.parametrize(("status", "pieces"), [(400, 1), (503, 1), (500, 1), (200, 2)])
def test_problems_and_what_comes_in_pieces_are_not_kept(status: int, pieces: int) -> None:
    app = Asked()
    app.status, app.pieces = status, pieces
    app.ask()
    app.ask()
    assert app.times == 2


def test_the_id_of_each_request_is_its_own() -> None:
    app = Asked()
    ids = [(b"x-request-id", b"a"), (b"x-request-id", b"no id"), (b"x-request-id", b"b")]
    starts = [one(app.served, each).sent[0]["headers"] for each in ids]
    told = [[value for name, value in each if name.lower() == b"x-request-id"] for each in starts]
    assert app.times == 1
    assert told == [[b"of another"], [], [b"b"]]


def test_who_may_read_no_more_is_not_answered_from_memory() -> None:
    revoked = Revoked.nothing()
    app = Asked(used=guard_of(Settings(token_secret=SECRET), revoked))
    own = OwnKey(SECRET, "itemledger")
    issued = issue(own, "itemledger", "rosa", ["items:read"], int(time.time()), 600)
    header = (b"authorization", f"Bearer {issued.token}".encode())
    assert [app.ask(header), app.ask(header)] == ["answer 1", "answer 1"]
    in_cookie = (b"cookie", f"{COOKIE}={issued.token}".encode())
    assert [app.ask(in_cookie), app.ask(in_cookie)] == ["answer 2", "answer 2"]
    with pytest.MonkeyPatch.context() as patch:
        # The keys have to be fetched first.
        patch.setattr(Doorkeeper, "may_stay_at_once", fetches_keys)
        assert app.ask(header) == "answer 3"
    revoked.look(lambda _: Revocations("1", frozenset({issued.id})))
    assert [app.ask(header), app.ask(in_cookie)] == ["answer 4", "answer 5"]


def fetches_keys(*_: object) -> None:
    """Say that it can not be said at once."""


def test_no_more_bytes_are_kept_than_may_be_and_the_last_used_go_last() -> None:
    app = Asked(limit=3_000)
    pages = [b"a", b"b", b"a", b"c", b"a", b"b"]
    said = [app.ask(query_string=each) for each in pages]
    assert said == ["answer 1", "answer 2", "answer 1", "answer 3", "answer 1", "answer 4"]
    assert app.memory.figures().size <= 3_000


def test_what_is_asked_counts_as_what_is_answered() -> None:
    """Else a client could fill the memory with headers."""
    app = Asked(limit=100_000)
    for number in range(100):
        app.ask((b"x-much", b"%d" % number + b"x" * 7_000))
    assert app.memory.figures().lists < 100_000 // 7_000
    app.ask(*((b"x-%d" % number, b"") for number in range(60)))
    before = app.memory.figures()
    app.ask(*((b"x-%d" % number, b"") for number in range(60)))
    assert app.memory.figures() == before


def test_a_list_that_is_read_anew_takes_the_place_of_the_old_one() -> None:
    app = Asked()
    sizes: set[int] = set()
    for version in range(8):
        app.now = version
        app.ask()
        sizes.add(app.memory.figures().size)
    assert len(sizes) == 1


def test_what_is_larger_than_the_memory_leaves_it_as_it_is() -> None:
    app = Asked(limit=3_000)
    app.ask()
    app.ask((b"x-much", b"x" * 5_000))
    assert app.ask() == "answer 1"


def test_without_memory_nothing_is_kept() -> None:
    app = Asked(limit=0)
    assert [app.ask(), app.ask()] == ["answer 1", "answer 2"]


def test_a_store_that_does_not_answer_is_left_to_who_can_say_so() -> None:
    app = Asked()
    app.ask()
    app.now = NotRead("away")
    assert app.ask() == "answer 2"


@ONLY_SQLITE
def test_lists_are_those_of_flask_and_never_older_than_the_last_commit(
    settings: Settings, engine: Engine, log: Any, ledger: Any
) -> None:
    ledger.n = 3
    ledger.add(LAMP, CUP)
    used, requests = guard_of(settings), Requests()
    app = create_app(settings, engine, log.inspector, clock=lambda: AT, guard=used)

    plain = Bridge(app.wsgi_app, Hands(2), Turns(2, 0), no_feed)
    version = ItemMoments(engine).version
    served = Remembered(plain, version, Doorkeeper(used), requests, ListMemory(1 << 20))
    queries = [b"", b"limit=1", b"q=lamp", b"sort=-price&total=exact", b"limit=0"]

    async def ask(asked: Any, query: bytes, *headers: tuple[bytes, bytes]) -> Sequence[Message]:
        client = Client()
        await asked(
            scope(b"/items", HOST, *headers, query_string=query), client.receive, client.send
        )
        return client.sent

    async def compare() -> None:
        for price in range(1, 4):
            ledger.add(ItemRepriced("lamp", AT + price, AT + price, price, "EUR"))
            for query in [*queries, *queries]:
                assert written(await ask(served, query)) == written(await ask(plain, query)), query
            start, body = await ask(served, b"")
            prices = {item["id"]: item["price"] for item in loads(body["body"])["items"]}
            assert prices["lamp"] == price
            condition = (b"if-none-match", dict(start["headers"])[b"ETag"])
            statuses = [(await ask(served, b"", condition))[0]["status"] for _ in range(2)]
            assert statuses == [304, 304]

    run(compare())
    assert sum(requests.seen().counts.values()) == 3 * 6


def written(messages: Sequence[Message]) -> object:
    start, *rest = messages
    body = b"".join(each.get("body", b"") for each in rest)
    return start["status"], sorted(start["headers"]), body
