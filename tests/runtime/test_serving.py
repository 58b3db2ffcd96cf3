"""What a client gets for the bytes that it sends, whatever packets they come in."""

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from runtime.problem_pages import ProblemCode
from runtime.serving import Server, Words, make_server
from tests.runtime.lines import Line

LONG = 30.0
WORDS = Words("http://x.test", ProblemCode("bad-request", 400, "No", "No.", "Do."))
# As java.net.http.HttpClient writes it unless it is told to speak HTTP/1.1 only.
JAVA = (
    b"PUT /items/lamp HTTP/1.1\r\n"
    b"Connection: Upgrade, HTTP2-Settings\r\n"
    b"Content-Length: %d\r\n"
    b"Host: command.test\r\n"
    b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
    b"Upgrade: h2c\r\n"
    b"User-Agent: Java-http-client/21\r\n"
    b"Content-Type: application/json\r\n\r\n"
)
BODIES = [
    b'{"name":"Lamp","price":100}',
    b"DELETE /items/lamp HTTP/1.1\r\nHost: command.test\r\n\r\n",
    JAVA % 0,
    b"",
]
NEXT = b"GET /next HTTP/1.1\r\nHost: command.test\r\n\r\n"


@dataclass(slots=True)
class Application:
    """Answers a request when all of it has come, and keeps what came."""

    asked: list[tuple[str, str, bytes]] = field(default_factory=list[tuple[str, str, bytes]])
    headers: list[dict[bytes, bytes]] = field(default_factory=list[dict[bytes, bytes]])
    # How many clients left before all of their request had come.
    left: int = 0
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may_answer.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left += 1
                return
            body += message["body"]
            more = message["more_body"]
        self.asked.append((scope["method"], scope["path"], body))
        self.headers.append(dict(scope["headers"]))
        await self.may_answer.wait()
        said = scope["path"].encode()
        length = (b"content-length", b"%d" % len(said))
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": said})


async def stalling(_: Any, receive: Any, send: Any) -> None:
    """Begin an answer that comes to no end."""
    length = (b"content-length", b"5")
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    while (await receive())["type"] != "http.disconnect":
        pass


def serving(app: Any) -> Server:
    server = make_server(app, "", 0, WORDS, lifespan=False)
    server.config.load()
    return server


def run(doing: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(doing, LONG))


def answers(line: Line) -> list[bytes]:
    """Tell the bodies of what was answered, in order."""
    return [each.split(b"\r\n\r\n")[1] for each in line.written.split(b"HTTP/1.1 ")[1:]]


def problem(answer: bytes) -> tuple[int, str]:
    document = json.loads(answer)
    return document["status"], document["code"]


def split(sent: bytes, size: int) -> list[bytes]:
    return [sent[at : at + size] for at in range(0, len(sent), size)]


@pytest.mark.parametrize("body", BODIES, ids=["json", "a request", "one more wish", "none"])
def test_who_wishes_for_another_protocol_is_answered_in_this_one(body: bytes) -> None:
    head = JAVA % len(body)
    chunked = head.replace(b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked")
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in split(body, 20))
    shouting = head.replace(b"Upgrade", b"UPGRADE").replace(b"Connection", b"cOnnection")
    turned = head.replace(b"Upgrade: h2c\r\n", b"")
    turned = turned.replace(b"Connection", b"Upgrade: websocket\r\nupgrade: h2c\r\nConnection")
    packets = [
        [head, body],
        *(split(head + body, size) for size in (1, 2, 3, 7, 50, len(head) - 1, 10_000)),
        [shouting + body],
        [turned + body],
        split(turned + body, 1),
        [chunked + chunks + b"0\r\n\r\n"],
        split(chunked + chunks + b"0\r\n\r\n", 1),
    ]

    async def ask() -> None:
        for sent in packets:
            app = Application()
            line = Line(serving(app))
            for each in sent:
                line.connection.data_received(each)
            await line.has(1)
            line.connection.data_received(NEXT)
            await line.has(2)
            assert app.asked == [("PUT", "/items/lamp", body), ("GET", "/next", b"")]
            assert answers(line) == [b"/items/lamp", b"/next"]
            assert b"upgrade" not in app.headers[0]
            assert app.headers[0][b"content-type"] == b"application/json"

    run(ask())


def test_such_requests_may_be_sent_ahead() -> None:
    async def ask() -> None:
        app = Application()
        line = Line(serving(app))
        line.connection.data_received((JAVA % 3 + b"abc" + NEXT) * 3)
        await line.has(6)
        assert app.asked == [("PUT", "/items/lamp", b"abc"), ("GET", "/next", b"")] * 3

    run(ask())


def test_a_proxy_is_not_what_this_is() -> None:
    async def ask() -> None:
        for target in (b"a.test:80", b"/items"):
            app = Application()
            line = Line(serving(app))
            line.connection.data_received(b"CONNECT %b HTTP/1.1\r\n\r\n" % target + NEXT)
            await line.has(1)
            assert (line.ended, app.asked) == (True, [])
            assert [problem(each) for each in answers(line)] == [(400, "bad-request")]

    run(ask())


CHUNKED = b"PUT /items/lamp HTTP/1.1\r\nHost: a\r\nX: head\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_what_is_told_behind_a_body_is_for_nobody() -> None:
    trailers = b"Authorization: Bearer x\r\nX: trailer\r\nConsistency-Token: 0.1.1\r\n\r\n"
    sent = CHUNKED + b"3\r\nabc\r\n0\r\n" + trailers

    async def ask() -> None:
        for size in (1, 60, len(sent)):
            app = Application()
            line = Line(serving(app))
            for each in split(sent, size):
                line.connection.data_received(each)
            line.connection.data_received(NEXT)
            await line.has(2)
            assert app.asked == [("PUT", "/items/lamp", b"abc"), ("GET", "/next", b"")]
            assert app.headers == [
                {b"host": b"a", b"x": b"head", b"transfer-encoding": b"chunked"},
                {b"host": b"command.test"},
            ]

    run(ask())


@pytest.mark.parametrize(
    ("begun", "going_on"),
    [
        (b"GET / HTTP/1.1\r\n", b"X: %b\r\n" % (b"a" * 1000)),
        (b"GET / HTTP/1.1\r\nX: ", b"a" * 1000),
        (b"", b"\r\n" * 500),
        (CHUNKED + b"0\r\n", b"X: %b\r\n" % (b"a" * 1000)),
        (CHUNKED + b"0\r\nX: ", b"a" * 1000),
        (CHUNKED + b"3;", b"a" * 1000),
    ],
    ids=["headers", "a header", "empty lines", "trailers", "a trailer", "words about a chunk"],
)
def test_what_does_not_come_to_an_end_is_refused(begun: bytes, going_on: bytes) -> None:
    async def ask() -> None:
        app = Application()
        line = Line(serving(app))
        line.connection.data_received(begun)
        sent = 0
        while not line.ended and sent < 200_000:
            line.connection.data_received(going_on)
            sent += len(going_on)
        assert 80_000 < sent < 90_000
        assert [problem(each) for each in answers(line)] == [(431, "headers-too-large")]
        await asyncio.sleep(0)
        assert app.asked == []

    run(ask())


def test_a_long_body_is_no_head() -> None:
    async def ask() -> None:
        piece = b"1f4\r\n" + b"a" * 500 + b"\r\n"
        for head, body in (
            (CHUNKED, [*[piece] * 300, b"0\r\n\r\n"]),
            (JAVA % 150_000, [b"a" * 500] * 300),
        ):
            app = Application()
            line = Line(serving(app))
            for each in (head, *body):
                line.connection.data_received(each)
            await line.has(1)
            assert app.asked == [("PUT", "/items/lamp", b"a" * 150_000)]

    run(ask())


HOSTS_TAKEN = [
    *(b"a", b"A.example:8001", b"127.0.0.1:", b"[::1]:8001", b"[v1.a:b]", b"my_host"),
    *(b"a,b", b"%c3%a9", b"", b" a:1 "),
]
HOSTS_REFUSED = [
    *(b"a b", b"a/b", b"a@b", b"http://a", b"a:b", b"::1", b"[::1", b"[x]", b"\xc3\xa9"),
    *(b"%zz", b"<a>", b"a?b"),
]
FAULTY = {
    **{f"{each!r}": (b"Host: %b" % each, "no host") for each in HOSTS_REFUSED},
    "none": (b"X: y", "no header Host"),
    "two": (b"Host: a\r\nHost: b", "two headers Host"),
    "the same twice": (b"Host: a\r\nX: y\r\nhost: a", "two headers Host"),
    "one, and a wish": (b"Connection: upgrade\r\nUpgrade: h2c", "no header Host"),
    "another coding": (b"Host: a\r\nTransfer-Encoding: gzip, chunked", "than chunked"),
    "a folded line": (b"Host: a\r\nX: y\r\n z", ""),
    "a folded host": (b"Host: a\r\n b", ""),
    "a folded first line": (b" Host: a", ""),
    "a space before the colon": (b"Host : a", ""),
    "chunks and a length": (b"Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3", ""),
    "a length and chunks": (b"Host: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked", ""),
    "two lengths": (b"Host: a\r\nContent-Length: 3\r\nContent-Length: 3", ""),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_head_that_does_not_say_one_thing_is_refused(name: str) -> None:
    lines, says = FAULTY[name]
    sent = NEXT + b"PUT /items/lamp HTTP/1.1\r\n%b\r\n\r\n3\r\nabc\r\n0\r\n\r\n" % lines

    async def ask() -> None:
        for size in (1, len(sent)):
            app = Application()
            line = Line(serving(app))
            for each in split(sent, size):
                line.connection.data_received(each)
            await line.has(2)
            given, refused = answers(line)
            assert (given, problem(refused)) == (b"/next", (400, "bad-request"))
            assert says in json.loads(refused)["detail"]
            assert (line.ended, app.asked) == (True, [("GET", "/next", b"")])

    run(ask())


def test_a_host_is_taken_however_it_may_be_written_and_not_wanted_of_the_old_version() -> None:
    async def ask() -> None:
        heads = [b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % each for each in HOSTS_TAKEN]
        for head in (*heads, b"GET / HTTP/1.0\r\n\r\n"):
            line = Line(serving(Application()))
            line.connection.data_received(head)
            await line.has(1)
            assert answers(line) == [b"/"]

    run(ask())


GARBAGE = b"GARBAGE NO HTTP\r\n\r\n"
BROKEN = CHUNKED + b"no size\r\n"


@pytest.mark.parametrize("garbage", [GARBAGE, BROKEN], ids=["no head", "a broken body"])
@pytest.mark.parametrize("due", [0, 1, 3])
def test_a_refusal_comes_after_the_answers_that_are_due(garbage: bytes, due: int) -> None:
    async def ask() -> None:
        app = Application()
        app.may_answer.clear()
        line = Line(serving(app))
        line.connection.data_received(NEXT * due + garbage + NEXT)
        line.connection.data_received(NEXT)
        await asyncio.sleep(0)
        assert line.ended == (due == 0)
        app.may_answer.set()
        await line.has(due + 1)
        *given, refused = answers(line)
        assert given == [b"/next"] * due
        assert problem(refused) == (400, "bad-request")
        assert line.ended
        assert app.asked == [("GET", "/next", b"")] * due

    run(ask())


def test_who_sends_a_broken_body_is_not_waited_for() -> None:
    async def ask() -> None:
        app = Application()
        line = Line(serving(app))
        line.connection.data_received(CHUNKED)
        await asyncio.sleep(0)
        line.connection.data_received(b"no size\r\n")
        while not app.left:  # noqa: ASYNC110  the outer deadline ends it
            await asyncio.sleep(0.001)
        assert [problem(each) for each in answers(line)] == [(400, "bad-request")]

    run(ask())


def test_no_refusal_is_written_into_an_answer() -> None:
    async def ask() -> None:
        line = Line(serving(stalling))
        line.connection.data_received(CHUNKED)
        while not line.written:  # noqa: ASYNC110  the outer deadline ends it
            await asyncio.sleep(0.001)
        line.connection.data_received(b"no size\r\n")
        assert line.closed
        assert answers(line) == [b""]

    run(ask())


async def hears(app: Any, sent: bytes, *, is_half_closed: bool = False) -> bytes:
    """Send bytes over a real connection, and read until the server closes it."""
    server: Any = serving(app)
    config, state = server.config, server.server_state

    def connection() -> Any:
        return config.http_protocol_class(config=config, server_state=state, app_state={})

    async with await asyncio.get_running_loop().create_server(connection, "127.0.0.1") as listening:
        reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
        try:
            writer.write(sent)
            if is_half_closed:
                writer.write_eof()
            return await reader.read()
        finally:
            writer.close()


async def in_pieces(_: Any, __: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for piece in (b"a,", b"b,", b"c"):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def breaking_off(_: Any, __: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"a,", "more_body": True})


def test_a_client_of_the_old_version_gets_no_chunks() -> None:
    async def ask() -> None:
        for headers in (b"", b"Connection: keep-alive\r\n"):
            asked = b"GET /export HTTP/1.0\r\n%b\r\n" % headers
            head, body = (await hears(in_pieces, asked)).split(b"\r\n\r\n")
            assert (b"transfer-encoding" in head, b"connection: close" in head) == (False, True)
            assert body == b"a,b,c"
            head, body = (await hears(Application(), asked)).split(b"\r\n\r\n")
            assert (b"content-length: 7" in head, body) == (True, b"/export")
        answer = await hears(in_pieces, b"HEAD /export HTTP/1.0\r\n\r\n")
        assert answer.endswith(b"connection: close\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await hears(breaking_off, b"GET /export HTTP/1.0\r\n\r\n")

    run(ask())


def test_who_closes_only_their_half_is_answered() -> None:
    async def ask() -> None:
        for sent, due in ((NEXT, 1), (NEXT * 3, 3), (JAVA % 3 + b"abc", 1), (NEXT + BROKEN, 1)):
            app = Application()
            app.may_answer.clear()
            line = Line(serving(app))
            line.connection.data_received(sent)
            assert line.connection.eof_received()
            await asyncio.sleep(0)
            assert not line.closed
            app.may_answer.set()
            while not line.is_over:  # noqa: ASYNC110  the outer deadline ends it
                await asyncio.sleep(0.001)
            assert len(app.asked) == due
        chunked = await hears(in_pieces, NEXT, is_half_closed=True)
        assert chunked.endswith(b"\r\n1\r\nc\r\n0\r\n\r\n")

    run(ask())


def test_who_leaves_in_the_middle_of_something_has_gone() -> None:
    async def ask() -> None:
        for sent in (b"", NEXT[:9], JAVA % 9 + b"abc", CHUNKED):
            app = Application()
            line = Line(serving(app))
            line.connection.data_received(sent)
            await asyncio.sleep(0)
            assert not line.connection.eof_received()
            await asyncio.sleep(0)
            assert (app.asked, line.written) == ([], b"")
        line = Line(serving(stalling))
        line.connection.data_received(NEXT)
        while not line.written:  # noqa: ASYNC110  the outer deadline ends it
            await asyncio.sleep(0.001)
        assert not line.connection.eof_received()

    run(ask())


def look_twice(line: Line) -> bool:
    """Tell whether two looks at a connection, long after one another, end it."""
    connection: Any = line.connection
    for _ in range(2):
        connection._looking.cancel()
        connection._look()
    return line.closed


@pytest.mark.parametrize(
    "begun",
    [b"", b"\r\n", NEXT[:1], NEXT[:-1], CHUNKED + b"3", CHUNKED + b"0\r\nX: "],
    ids=["nothing", "an empty line", "a byte", "a head", "a chunk", "a trailer"],
)
def test_who_never_comes_to_the_end_of_a_head_is_not_waited_for(begun: bytes) -> None:
    async def ask() -> None:
        line = Line(serving(Application()))
        for each in split(begun, 1):
            line.connection.data_received(each)
        assert look_twice(line)
        if begun:
            # The time between two requests is over with the first byte of the next.
            line = Line(serving(Application()))
            line.connection.data_received(NEXT)
            await line.has(1)
            for each in split(begun, 1):
                line.connection.data_received(each)
            assert look_twice(line)

    run(ask())


def test_who_waits_for_us_has_all_the_time() -> None:
    async def ask() -> None:
        app = Application()
        app.may_answer.clear()
        line = Line(serving(app))
        line.connection.data_received(NEXT)
        assert not look_twice(line)
        # The answer that is due is given to one who is late with the next request, too.
        line.connection.data_received(NEXT[:9])
        assert not look_twice(line)
        app.may_answer.set()
        while not line.closed:  # noqa: ASYNC110  the outer deadline ends it
            await asyncio.sleep(0.001)
        assert answers(line) == [b"/next"]
        line = Line(serving(app))
        line.connection.data_received(NEXT)
        await line.has(1)
        assert not look_twice(line)
        # What it sends ahead is read only when there is an answer to what was before.
        app.may_answer.clear()
        line.connection.data_received(NEXT * 2 + NEXT[:9])
        line.connection.data_received(NEXT[9:12])
        look_twice(line)
        app.may_answer.set()
        line.connection.data_received(NEXT[12:])
        await line.has(4)

    run(ask())


def test_who_sends_slowly_but_sends_is_waited_for() -> None:
    async def ask() -> None:
        line = Line(serving(Application()))
        connection: Any = line.connection
        for sent in (NEXT[:9], NEXT[9:] + NEXT[:9], NEXT[9:] + CHUNKED + b"3", b"\r\nabc\r\n3"):
            connection.data_received(sent)
            connection._looking.cancel()
            connection._look()
        assert not line.is_over

    run(ask())


def test_a_connection_is_looked_at_until_it_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.serving._HEAD_SECONDS", 0.001)

    async def ask() -> None:
        line = Line(serving(Application()))
        while not line.closed:  # noqa: ASYNC110  the outer deadline ends it
            await asyncio.sleep(0.001)
        lost = Line(serving(Application()))
        lost.connection.connection_lost(None)
        connection: Any = lost.connection
        assert connection._looking.cancelled()

    run(ask())
