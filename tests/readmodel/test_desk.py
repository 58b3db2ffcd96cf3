"""Items answered by the loop: with the bytes of Flask, and never older than the last commit."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine, text

from domain.events import ItemDeleted, ItemRepriced
from ledger.single import NotRead
from readmodel.app import create_app
from readmodel.front.bridge import Bridge
from readmodel.front.hands import Hands
from readmodel.guard import Doorkeeper
from readmodel.hot.cache import ItemCache
from readmodel.hot.connection import Desk, HotConnection
from readmodel.hot.desk import ItemDesk
from readmodel.hot.heads import Heads
from readmodel.hot.row import ItemMoments, ItemRows
from readmodel.problem_codes import BAD_REQUEST
from readmodel.turns import Turns
from runtime.auth.guard import Guard, guard_of
from runtime.measures import Requests
from runtime.serving import Connection, Server, Words, make_server
from runtime.settings import Settings
from tests.readmodel.hot import ITEMS, here
from tests.readmodel.operated import AT, EPOCH, Monotonic
from tests.readmodel.test_bridge import no_feed
from tests.readmodel.test_hot_answers import CUP, LAMP, OLD
from tests.runtime.lines import Line
from tests.tokens import bearer, guard

LONG = 60.0
ONLY_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PATHS = ["lamp", "c.u~p_-1", "old", "nobody", "l%61mp", "", "lamp/", "-x", "a" * 65, "lamp?x=1"]
CONDITIONS = [None, '"2"', 'W/"2"', '"1"', '"0", "2"', "*", '"', ""]
TOKENS = [None, f"0.{EPOCH}.3", f"0.{EPOCH}.9", f"0.{EPOCH - 1}.1", f"7.{EPOCH}.1", "nonsense", ""]
OTHERS: list[dict[str, str]] = [
    {},
    {"Accept": "text/html", "User-Agent": "x", "Cookie": "a=b"},
    {"Accept-Datetime": "Sat, 22 Nov 2025 08:00:00 GMT"},
    {"Prefer": "wait=3"},
    {"Host": "evil.example"},
    {"Origin": "https://evil.example"},
    {"Content-Length": "0"},
    {"Connection": "close"},
    {"If_None_Match": '"2"'},
    {"X-Long": "x" * 33_000},
    {"X-Request-ID": "r-1"},
    {"X-Request-ID": "r-2", "If-None-Match": '"2"'},
    {"X-Request-ID": "no id"},
]


class HotLine(Line):
    def is_answered(self) -> bool:
        connection: Any = self.connection
        return connection._meanwhile is None and super().is_answered()


def with_and_without(desk: Desk, bridge: Bridge, settings: Settings) -> tuple[Server, Server]:
    """Make the server of an application that asks a desk first, and the one that asks none."""
    words = Words(settings.public_query_url, BAD_REQUEST)

    def server(connection: Callable[..., Connection]) -> Server:
        made = make_server(bridge, "", 0, words, lifespan=False, connection=connection)
        made.config.load()
        return made

    return server(partial(HotConnection, [desk])), server(Connection)


class Served:
    """The query API as its process serves it, by the desk and without it."""

    def __init__(
        self, settings: Settings, engine: Engine, log: Any, ledger: Any, used: Guard | None = None
    ) -> None:
        ledger.n = 3
        ledger.add(LAMP, ItemRepriced("lamp", AT + 1, AT + 1, 999, "EUR"), CUP, OLD)
        ledger.add(ItemDeleted("old", AT + 1, AT + 1))
        self.ledger = ledger
        self.requests = Requests()
        self.clock = Monotonic()
        self.cache = ItemCache(1 << 20, self.clock)
        used = used or guard_of(settings)
        app = create_app(
            settings, engine, log.inspector, clock=lambda: AT, guard=used, remembers=False
        )
        store = ItemMoments(engine) if engine.dialect.name == "sqlite" else ItemRows(engine)
        hands, turns = Hands(2), Turns(2, 0)
        self.store: Any = store
        self.desk = ItemDesk(Heads(Doorkeeper(used)), self.requests, self.cache, store, hands)
        bridge = Bridge(app.wsgi_app, hands, turns, no_feed)
        self.hot, self.plain = with_and_without(self.desk, bridge, settings)

    def listen(self) -> None:
        """Let workers have been heard for a while."""
        for _ in range(2):
            self.cache.beat("w", 0, here(self.ledger), ITEMS)

    async def same(self, *sent: bytes) -> bytes:
        """Ask both, and see that they say the same."""
        hot, plain = HotLine(self.hot), Line(self.plain)
        answer = await hot.ask(*sent)
        assert (answer, hot.closed) == (await plain.ask(*sent), plain.closed), sent
        return answer

    def answered(self) -> int:
        """Count what the desk has answered."""
        return sum(self.requests.seen().counts.values())


def request(item: str = "lamp", method: str = "GET", **headers: str | None) -> bytes:
    told = {"Host": "read.example"} | {
        name.replace("_", "-"): value for name, value in headers.items() if value is not None
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return f"{method} /items/{item} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")


def run(doing: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(doing, LONG))


@pytest.fixture
def served(settings: Settings, engine: Engine, log: Any, ledger: Any) -> Served:
    return Served(settings, engine, log, ledger)


@pytest.mark.parametrize("cached", [False, True], ids=["looked up", "from memory"])
def test_every_answer_is_the_one_of_flask_to_the_byte(served: Served, *, cached: bool) -> None:
    async def ask() -> None:
        if cached:
            served.listen()
        for item, method in itertools.product(PATHS, ("GET", "HEAD", "POST", "DELETE")):
            await served.same(request(item, method))
        for condition, token, method in itertools.product(CONDITIONS, TOKENS, ("GET", "HEAD")):
            await served.same(
                request(method=method, If_None_Match=condition, Consistency_Token=token)
            )
        for headers in OTHERS:
            await served.same(request(**headers))
        assert served.answered() >= 40
        assert (served.cache.figures().hits > 0) == cached

    run(ask())


@pytest.mark.parametrize(
    "lines",
    [b"", b"Host: a b\r\n", b"Host: a\r\nHost: a\r\n", b"Host: a\r\n b\r\n", b"Host : a\r\n"],
    ids=["no host", "none that is one", "two", "a folded one", "a space before the colon"],
)
def test_a_head_that_does_not_say_one_thing_is_refused_also_where_it_is_remembered(
    served: Served, lines: bytes
) -> None:
    async def ask() -> None:
        for _ in range(2):
            for path in (b"/items/lamp", b"/items"):
                answer = await served.same(b"GET %b HTTP/1.1\r\n%b\r\n" % (path, lines))
                assert answer.startswith(b"HTTP/1.1 400 ")
                assert b'"bad-request"' in answer
        assert served.answered() == 0

    run(ask())


def test_what_comes_in_pieces_or_together_is_answered_all_the_same(served: Served) -> None:
    async def ask() -> None:
        one, other = request(), request("c.u~p_-1", Connection="keep-alive")
        lost = request("nobody")
        for cut in (1, 12, 20, len(one) - 1):
            await served.same(one[:cut], one[cut:])
        for sent, answers in ((one + other, 2), (one + lost + one, 3), (lost + one, 2)):
            hot, plain = HotLine(served.hot), Line(served.plain)
            for line in (hot, plain):
                line.connection.data_received(sent)
                await line.has(answers)
            assert hot.written == plain.written
        # The second begins while the first is at the desk.
        for cut in (1, 12, 30, len(one) - 1):
            line = HotLine(served.hot)
            line.connection.data_received(one)
            line.connection.data_received(lost[:cut])
            line.connection.data_received(lost[cut:])
            await line.has(2)
            told = [each[:3] for each in line.written.split(b"HTTP/1.1 ")[1:]]
            assert told == [b"200", b"404"]

    run(ask())


def test_one_after_the_other_is_answered_in_order_also_where_it_is_sent_ahead(
    served: Served,
) -> None:
    async def ask() -> None:
        line = HotLine(served.hot)
        items = ["lamp", "nobody", "c.u~p_-1", "lamp"]
        for item in items:
            line.connection.data_received(request(item))
        await line.has(len(items))
        found = [each.split(b" ")[0] for each in line.written.split(b"HTTP/1.1 ")[1:]]
        assert found == [b"200", b"404", b"200", b"200"]

    run(ask())


def test_all_that_is_asked_in_one_turn_is_read_by_one_look(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, read = list[list[str]](), served.store.read_several

    def counting(item_ids: list[str]) -> Any:
        looks.append(list(item_ids))
        return read(item_ids)

    monkeypatch.setattr(served.store, "read_several", counting)

    async def ask() -> None:
        lines = [HotLine(served.hot) for _ in range(20)]
        asked = [request("lamp" if n % 2 else "c.u~p_-1") for n in range(20)]
        answers = await asyncio.gather(
            *(line.ask(sent) for line, sent in zip(lines, asked, strict=True))
        )
        assert all(each.startswith(b"HTTP/1.1 200 ") for each in answers)
        assert [sorted(each) for each in looks] == [["c.u~p_-1", "lamp"]]

    run(ask())


def test_who_closes_only_their_half_is_answered_by_the_desk_too(served: Served) -> None:
    async def ask() -> None:
        one, lost = request(), request("nobody")
        for sent in ([one], [one, one], [lost], [one, lost, one]):
            line = HotLine(served.hot)
            for each in sent:
                line.connection.data_received(each)
            assert line.connection.eof_received()
            while not line.closed:  # noqa: ASYNC110  the outer deadline ends it
                await asyncio.sleep(0.001)
            assert line.written.count(b"HTTP/1.1 ") == len(sent)

    run(ask())


@ONLY_SQLITE
def test_nothing_is_answered_from_memory_that_is_older_than_the_last_commit(
    served: Served,
) -> None:
    """No worker has told of it yet; that comes late, or never."""

    async def ask() -> None:
        served.listen()
        for _ in range(3):
            assert b'"price":999' in await served.same(request())
        hits = served.cache.figures().hits
        assert hits > 0
        before = here(served.ledger)
        served.ledger.add(ItemRepriced("lamp", AT + 2, AT + 2, 5, "EUR"))
        for _ in range(3):
            assert b'"price":5' in await served.same(request())
        assert served.cache.figures().hits == hits
        # Once it was told, memory is used again.
        served.cache.moved(0, before, here(served.ledger), ITEMS, ("lamp",), gap=False)
        for _ in range(3):
            assert b'"price":5' in await served.same(request())
        assert served.cache.figures().hits > hits

    run(ask())


@ONLY_SQLITE
def test_a_store_that_can_not_be_read_leaves_the_answer_to_flask(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> Any:
        raise NotRead("locked")

    def defective(*_: Any) -> Any:
        raise ZeroDivisionError

    async def ask() -> None:
        for broken in (fails, defective):
            monkeypatch.setattr(served.store, "read_several", broken)
            assert (await served.same(request())).startswith(b"HTTP/1.1 200 ")
        assert served.answered() == 0

    run(ask())


def test_one_who_goes_takes_no_answer_of_others_along(served: Served) -> None:
    """Whatever was sent behind the request that is at the desk."""

    async def ask() -> None:
        gone, others = HotLine(served.hot), [HotLine(served.hot) for _ in range(3)]
        gone.connection.data_received(request())
        gone.connection.data_received(b"GET /items?limit=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        asked = [asyncio.ensure_future(each.ask(request())) for each in others]
        await asyncio.sleep(0)
        gone.closed = True
        gone.connection.connection_lost(None)
        for each in await asyncio.gather(*asked):
            assert each.startswith(b"HTTP/1.1 200 ")

    run(ask())


def test_a_defect_in_one_answer_leaves_the_others_theirs(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = served.desk._rendered

    def defective(asked: Any, *given: Any) -> Any:
        if asked.item_id == "old":
            raise ZeroDivisionError
        return rendered(asked, *given)

    monkeypatch.setattr(served.desk, "_rendered", defective)

    async def ask() -> None:
        bad, line = HotLine(served.hot), HotLine(served.hot)
        bad.connection.data_received(request("old"))
        assert (await line.ask(request())).startswith(b"HTTP/1.1 200 ")
        # And who comes later.
        assert (await line.ask(request())).startswith(b"HTTP/1.1 200 ")

    run(ask())


@ONLY_SQLITE
def test_memory_is_not_used_while_the_view_is_read_from_another_slot(served: Served) -> None:
    async def ask() -> None:
        served.listen()
        for _ in range(2):
            await served.same(request())
        hits = served.cache.figures().hits
        assert hits > 0
        with served.ledger.engine.begin() as connection:
            connection.execute(text("UPDATE partitions SET in_step = 'items_2'"))
        await served.same(request())
        assert served.cache.figures().hits == hits

    run(ask())


@ONLY_SQLITE
def test_who_may_not_read_is_told_what_flask_tells_them(
    settings: Settings, engine: Engine, log: Any, ledger: Any
) -> None:
    served = Served(settings, engine, log, ledger, guard(settings))
    good = bearer("items:read")

    async def ask() -> None:
        served.listen()
        for headers in (
            good,
            good,
            {},
            bearer("items:write"),
            bearer("ops", "items:read"),
            {"Authorization": "Bearer forged.token.here"},
            {"Authorization": "Basic cm9zYTpyb3Nh"},
        ):
            await served.same(request(**headers))
        assert served.answered() == 3

    run(ask())


@ONLY_SQLITE
def test_the_end_waits_for_what_is_at_the_desk(served: Served) -> None:
    async def ask() -> None:
        line, idle = HotLine(served.hot), HotLine(served.hot)
        line.connection.data_received(request())
        for each in (line, idle):
            each.connection.shutdown()
        assert (line.closed, idle.closed) == (False, True)
        while not line.closed:  # noqa: ASYNC110  the outer deadline ends it
            await asyncio.sleep(0)
        assert line.written.startswith(b"HTTP/1.1 200 ")

    run(ask())


@ONLY_SQLITE
def test_a_connection_that_is_used_is_not_closed_for_being_idle(served: Served) -> None:
    async def ask() -> None:
        line = HotLine(served.hot)
        await line.ask(request())
        connection: Any = line.connection
        assert connection.timeout_keep_alive_task is not None
        await line.ask(request())
        connection.timeout_keep_alive_handler()
        assert not line.closed
        connection.timeout_keep_alive_handler()
        assert line.closed

    run(ask())
