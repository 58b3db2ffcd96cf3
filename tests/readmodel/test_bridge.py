"""WSGI under a server that speaks ASGI: what comes is what Flask gets, and what it says is sent."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from readmodel.feed.stream import Follower
from readmodel.front.bridge import Abort, Bridge, Message, Piece
from readmodel.front.hands import Hands
from readmodel.guard import MAX_BODY
from readmodel.presence import presence_of
from readmodel.turns import Turns
from runtime.serving import ABORT

LONG = 30.0


@dataclass(slots=True)
class Client:
    """One request, and what came of it. `leaves` is set when the client has gone."""

    messages: list[Message] = field(default_factory=list[Message])
    sent: list[Message] = field(default_factory=list[Message])
    leaves: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self) -> Message:
        if self.messages:
            return self.messages.pop(0)
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(each.get("body", b"") for each in self.sent[1:])

    @property
    def is_whole(self) -> bool:
        last = self.sent[-1]
        return last["type"] == "http.response.body" and not last.get("more_body", False)


def scope(path: bytes = b"/", *headers: tuple[bytes, bytes], **told: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "GET",
        "http_version": "1.1",
        "scheme": "http",
        "raw_path": path,
        "query_string": b"",
        "server": ("127.0.0.1", 8001),
        "client": ("127.0.0.1", 5),
        "headers": list(headers),
        **told,
    }


async def no_feed(*_: Any) -> None:
    raise AssertionError("nobody follows")


def bridge(app: Any, turns: Turns | None = None) -> Bridge:
    return Bridge(app, Hands(4), turns or Turns(2, 0), no_feed)


def ask(app: Any, asked: dict[str, Any], *messages: Message) -> Client:
    async def run() -> Client:
        client = Client(list(messages))
        await asyncio.wait_for(bridge(app)(asked, client.receive, client.send), LONG)
        return client

    return asyncio.run(run())


def seen(asked: dict[str, Any], *messages: Message) -> dict[str, Any]:
    """Tell the environment that the application gets, with its body read."""
    environs: list[dict[str, Any]] = []

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        environs.append(environ | {"read": environ["wsgi.input"].read()})
        start_response("204 NO CONTENT", [])
        return []

    client = ask(app, asked, *messages)
    assert [each.get("status") for each in client.sent] == [204, None]
    return environs[0]


def test_a_request_is_handed_over_as_wsgi_has_it() -> None:
    environ = seen(
        scope(
            b"/items/l%C3%A4mp%ff",
            (b"host", b"read.example"),
            (b"if-none-match", b'"1"'),
            (b"prefer", b"wait=1"),
            (b"prefer", b"handling=strict"),
            (b"x-odd", b"\xe4"),
            method="HEAD",
            query_string=b"a=%20&b=\xff",
        )
    )
    assert environ["REQUEST_METHOD"] == "HEAD"
    assert environ["PATH_INFO"].encode("latin-1") == "/items/lämp".encode() + b"\xff"
    assert environ["QUERY_STRING"].encode("latin-1") == b"a=%20&b=\xff"
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("127.0.0.1", "8001")
    assert (environ["REMOTE_ADDR"], environ["SERVER_PROTOCOL"]) == ("127.0.0.1", "HTTP/1.1")
    assert environ["HTTP_HOST"] == "read.example"
    assert environ["HTTP_IF_NONE_MATCH"] == '"1"'
    assert environ["HTTP_PREFER"] == "wait=1,handling=strict"
    assert environ["HTTP_X_ODD"] == "ä"
    assert environ["read"] == b""


def test_no_header_passes_for_another_by_an_underscore() -> None:
    environ = seen(scope(b"/", (b"consistency_token", b"x"), (b"host", b"h")))
    assert {name for name in environ if name.startswith("HTTP_")} == {"HTTP_HOST"}


def test_a_body_is_read_to_its_end_and_no_further_than_it_may_be_long() -> None:
    def piece(data: bytes, *, more: bool = False) -> Message:
        return {"type": "http.request", "body": data, "more_body": more}

    chunked = scope(b"/", (b"transfer-encoding", b"chunked"))
    long = (piece(b"x" * 1024, more=True) for _ in range(1000))
    assert seen(chunked, piece(b"ab", more=True), piece(b"c"))["read"] == b"abc"
    told = seen(scope(b"/", (b"content-length", b"3"), (b"content-type", b"a/b")), piece(b"abc"))
    assert (told["read"], told["CONTENT_LENGTH"], told["CONTENT_TYPE"]) == (b"abc", "3", "a/b")
    assert MAX_BODY < len(seen(chunked, *long)["read"]) <= MAX_BODY + 1024
    # Nothing of it: it is refused for its length alone, and the client may still hold it back.
    assert seen(scope(b"/", (b"content-length", b"70000")))["read"] == b""


def test_an_error_of_the_application_is_raised_to_the_server_and_gives_the_turn_back() -> None:
    turns = Turns(1, 0)

    def fails(environ: Any, start_response: Any) -> Iterable[bytes]:
        raise LookupError("nothing")

    async def run() -> None:
        failing = bridge(fails, turns)
        for _ in range(3):
            client = Client()
            with pytest.raises(LookupError):
                await asyncio.wait_for(failing(scope(), client.receive, client.send), LONG)

    asyncio.run(run())
    assert turns._free == 1


def test_where_nobody_begins_the_turn_is_given_back() -> None:
    turns, nobody = Turns(1, 0), Hands(1)

    def fails(_: Any) -> Any:
        raise RuntimeError("can't start new thread")

    nobody.do = fails

    async def run() -> None:
        client = Client()
        with pytest.raises(RuntimeError):
            await Bridge(fails, nobody, turns, no_feed)(scope(), client.receive, client.send)

    asyncio.run(run())
    assert turns._free == 1


class Pieces:
    """A body that comes piece by piece; `length` is what its headers say."""

    def __init__(
        self, pieces: Iterable[bytes], length: int | None = None, status: str = "200 OK"
    ) -> None:
        self.pieces = iter(pieces)
        self.length = length
        self.status = status
        self.closed = threading.Event()

    def __call__(self, environ: Any, start_response: Any) -> "Pieces":
        headers = [] if self.length is None else [("Content-Length", str(self.length))]
        start_response(self.status, headers)
        return self

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces

    def close(self) -> None:
        self.closed.set()


def test_a_body_that_comes_piece_by_piece_is_sent_so_and_closed() -> None:
    body = Pieces([b"a", b"", b"b"])
    client = ask(body, scope())
    assert [each.get("body") for each in client.sent[1:]] == [b"a", b"", b"b", b""]
    assert client.is_whole
    assert body.closed.is_set()


def test_a_follower_is_fed_to_its_end_and_may_be_cut_off() -> None:
    nothing: Any = None
    follower = Follower(nothing, nothing, nothing, nothing, nothing, nothing)
    left, cut_off = list[bool](), list[bool]()
    follower.close = lambda: left.append(True)

    def app(_environ: Any, start_response: Any) -> Follower:
        start_response("200 OK", [])
        return follower

    async def feed(fed: Follower, piece: Piece, abort: Abort) -> None:
        assert fed is follower
        await piece(b"x")
        abort()

    async def run() -> Client:
        client = Client()
        asked = scope(state={ABORT: lambda: cut_off.append(True)})
        await Bridge(app, Hands(4), Turns(2, 0), feed)(asked, client.receive, client.send)
        return client

    client = asyncio.run(asyncio.wait_for(run(), LONG))
    assert (client.body, client.is_whole) == (b"x", True)
    assert (left, cut_off) == ([True], [True])


def test_what_falls_short_of_its_length_is_never_said_to_be_whole() -> None:
    assert not ask(Pieces([b"abc"], 4), scope()).is_whole
    assert ask(Pieces([b"abc"], 3), scope()).is_whole


def test_what_has_no_body_is_whole_without_the_length_that_its_headers_tell() -> None:
    assert ask(Pieces([], 4), scope(method="HEAD")).is_whole
    assert ask(Pieces([], 4, "304 NOT MODIFIED"), scope()).is_whole


def test_a_client_that_leaves_is_sent_nothing_more() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x"

    body = Pieces(endless())

    async def run() -> Client:
        client = Client()
        sent = client.send

        async def send(message: Message) -> None:
            await sent(message)
            if len(client.sent) == 5:
                client.leaves.set()
            await asyncio.sleep(0)

        await asyncio.wait_for(bridge(body)(scope(), client.receive, send), LONG)
        return client

    client = asyncio.run(run())
    assert not client.is_whole
    assert body.closed.is_set()


def test_who_leaves_while_a_request_waits_is_not_waited_for() -> None:
    waits, told = threading.Event(), threading.Event()

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        client = presence_of(environ)
        assert client is not None
        with client.telling(told.set):
            waits.set()
            assert told.wait(LONG)
        start_response("204 NO CONTENT", [])
        return []

    async def run() -> None:
        client = Client()
        asked = scope(b"/", (b"prefer", b"handling=strict"), (b"prefer", b"Wait=30"))
        asking = asyncio.create_task(bridge(app)(asked, client.receive, client.send))
        await asyncio.to_thread(waits.wait, LONG)
        assert not told.is_set()
        client.leaves.set()
        await asking

    asyncio.run(asyncio.wait_for(run(), LONG))


def test_nobody_is_watched_who_does_not_wait() -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        assert presence_of(environ) is None
        start_response("204 NO CONTENT", [])
        return []

    assert ask(app, scope()).is_whole
    assert ask(app, scope(b"/", (b"prefer", b"handling=strict"))).is_whole


def test_a_body_is_not_closed_while_a_piece_of_it_is_being_made() -> None:
    """A generator that runs in one thread can not be closed by another: it would hold what it has
    for good.
    """
    begun, goes_on = threading.Event(), threading.Event()
    told: list[str] = []

    def pieces() -> Iterator[bytes]:
        try:
            yield b"1"
            begun.set()
            assert goes_on.wait(LONG)
            yield b"2"
        finally:
            told.append("closed")

    def app(_environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return pieces()

    async def run() -> None:
        client, hands = Client(), Hands(4)
        answers = Bridge(app, hands, Turns(2, 0), no_feed)
        asking = asyncio.create_task(answers(scope(), client.receive, client.send))
        await asyncio.to_thread(begun.wait, LONG)
        client.leaves.set()
        # What the hands are given because the client has gone is done before these.
        for _ in range(20):
            await hands.do(lambda: None)
        goes_on.set()
        await asyncio.wait_for(asking, LONG)

    asyncio.run(run())
    assert told == ["closed"]


def test_a_client_that_takes_nothing_keeps_no_thread() -> None:
    """Twenty of them, with four hands; and somebody else is answered."""

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/stream":
            return Pieces(b"x" for _ in range(10))(environ, start_response)
        start_response("200 OK", [])
        return [b"y"]

    async def run() -> None:
        serving, takes = bridge(app), asyncio.Event()
        clients = [Client() for _ in range(20)]

        def taking(client: Client) -> Callable[[Message], Awaitable[None]]:
            async def send(message: Message) -> None:
                await client.send(message)
                await takes.wait()

            return send

        streams = [
            asyncio.create_task(serving(scope(b"/stream"), each.receive, taking(each)))
            for each in clients
        ]
        while not all(each.sent for each in clients):  # noqa: ASYNC110  of tasks of this loop
            await asyncio.sleep(0)
        other = Client()
        await serving(scope(), other.receive, other.send)
        assert other.body == b"y"
        takes.set()
        await asyncio.gather(*streams)
        assert {each.body for each in clients} == {b"x" * 10}

    asyncio.run(asyncio.wait_for(run(), LONG))


def test_requests_take_their_turns_in_the_order_in_which_they_came() -> None:
    order, go = list[str](), threading.Semaphore(0)

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        order.append(environ["PATH_INFO"])
        assert go.acquire(timeout=LONG)
        start_response("204 NO CONTENT", [])
        return []

    async def run() -> None:
        serving = bridge(app, Turns(1, 0))
        tasks = list[asyncio.Task[None]]()
        for number in range(5):
            client = Client()
            asked = serving(scope(b"/%d" % number), client.receive, client.send)
            tasks.append(asyncio.create_task(asked))
        await asyncio.sleep(0)
        # One that is given up in the line leaves its place to the others.
        tasks.pop(2).cancel()
        for _ in tasks:
            go.release()
        await asyncio.gather(*tasks)

    asyncio.run(asyncio.wait_for(run(), LONG))
    assert order == ["/0", "/1", "/3", "/4"]
