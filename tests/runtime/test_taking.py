"""One client's connection: who takes nothing of an answer is not waited for without end."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from runtime import serving
from runtime.problem_pages import ProblemCode
from runtime.serving import ABORT, Connection, Words, make_server

LONG = 30.0
ASKED = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
WORDS = Words("http://a", ProblemCode("bad", 400, "Bad", "", ""))


class Client:
    """A client that takes what it is sent until so many bytes are left; `left` is what there is at
    each look, and the last of it for good.
    """

    def __init__(self, app: Any, left: Sequence[int]) -> None:
        server = make_server(app, "", 0, WORDS, lifespan=False)
        server.config.load()
        config: Any = server.config
        self.connection: Connection = config.http_protocol_class(
            config=config, server_state=server.server_state, app_state={}
        )
        self.left = list(left)
        self.written = b""
        self.aborted = False
        self.connection.connection_made(self)  # type: ignore[arg-type]

    # As asyncio.Transport has them.
    def write(self, data: bytes) -> None:
        self.written += data
        if b"piece" in data:
            self.connection.pause_writing()

    def get_write_buffer_size(self) -> int:
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]

    def abort(self) -> None:
        self.aborted = True
        self.connection.connection_lost(None)

    def close(self) -> None: ...

    def is_closing(self) -> bool:
        return self.aborted

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def get_extra_info(self, name: str) -> Any:
        return {"peername": ("127.0.0.1", 5), "sockname": ("127.0.0.1", 8001)}.get(name)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time pass between two looks at a client."""
    monkeypatch.setattr(serving, "_TAKES_NOTHING", 0)


def test_who_takes_nothing_is_left_in_the_middle_of_the_answer_and_whoever_sends_is_told() -> None:
    told = list[str]()

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(2):
            await send({"type": "http.response.body", "body": b"piece", "more_body": True})
        told.append((await receive())["type"])

    async def run() -> None:
        client = Client(app, [5, 4, 3, 3])
        client.connection.data_received(ASKED)
        while not told:  # noqa: ASYNC110  the outer deadline ends it
            await asyncio.sleep(0)
        assert client.aborted
        # As long as something was taken it was waited for.
        assert client.left == [3]
        assert client.written.endswith(b"5\r\npiece\r\n")

    asyncio.run(asyncio.wait_for(run(), LONG))
    assert told == ["http.disconnect"]


def test_an_application_can_close_the_connection_at_once() -> None:
    async def app(scope: Any, receive: Any, _send: Any) -> None:
        await receive()
        scope["state"][ABORT]()
        assert (await receive())["type"] == "http.disconnect"

    async def run() -> None:
        client = Client(app, [3])
        client.connection.data_received(ASKED)
        while not client.aborted:  # noqa: ASYNC110  the outer deadline ends it
            await asyncio.sleep(0)
        assert client.written == b""

    asyncio.run(asyncio.wait_for(run(), LONG))


def test_who_has_taken_enough_or_has_left_is_not_looked_at_any_more() -> None:
    async def run() -> None:
        takes, leaves = Client(None, [3]), Client(None, [3])
        takes.connection.pause_writing()
        takes.connection.resume_writing()
        leaves.connection.pause_writing()
        leaves.connection.connection_lost(OSError())
        for _ in range(10):
            await asyncio.sleep(0)
        assert not takes.aborted
        assert not leaves.aborted

    asyncio.run(asyncio.wait_for(run(), LONG))
