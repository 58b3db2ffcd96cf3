"""WSGI for a server that speaks ASGI: Flask works in a thread, what it answers is sent by the loop.

No request that waits for its turn, no stream, and no client that reads slowly keeps a thread.
"""

import asyncio
import contextvars
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from time import perf_counter
from typing import Any
from urllib.parse import unquote_to_bytes

from readmodel.feed.stream import Follower
from readmodel.front.hands import Hands
from readmodel.guard import MAX_BODY
from readmodel.meter import BEGUN
from readmodel.presence import PRESENCE, Presence
from readmodel.turns import HAS_TURN, Turns, WsgiApp
from runtime.serving import ABORT

Scope = Mapping[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
# Sends a piece of an answer; comes back when the client has taken most of what was before.
Piece = Callable[[bytes], Awaitable[None]]
# Closes the connection of a request, with whatever waits to be sent.
Abort = Callable[[], object]
# Sends a follower what it follows, until it ends.
Feed = Callable[[Follower, Piece, Abort], Coroutine[Any, Any, None]]

_ALWAYS: Mapping[str, Any] = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
    # What is read comes to an end, also where nobody has said how long it is.
    "wsgi.input_terminated": True,
    HAS_TURN: True,
}
_OF_BODIES = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}
_WITHOUT_BODY = (204, 304)
# Names of headers that are remembered as WSGI writes them.
_NAMES = 256


@dataclass(frozen=True, slots=True)
class _Answer:
    """What Flask answers: a body in one piece, or one that comes as it is made."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes | Iterable[bytes]

    @property
    def length(self) -> int | None:
        """How long the body is that is sent, where the headers say so; there is none in some
        answers, whatever they say (RFC 9110, 8.6).
        """
        if self.status in _WITHOUT_BODY:
            return None
        told = [value for name, value in self.headers if name.lower() == b"content-length"]
        return int(told[0]) if told else None


class Bridge:
    """An ASGI application around a WSGI one: each call of that takes a turn, and a hand."""

    def __init__(self, app: WsgiApp, hands: Hands, turns: Turns, feed: Feed) -> None:
        self._app = app
        self._hands = hands
        self._turns = turns
        self._feed = feed
        self._names: dict[bytes, str | None] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        environ = self._environ(scope)
        environ["wsgi.input"] = BytesIO(await _body(environ, receive))
        await self._turns.taken()
        # What Flask knows of a request goes along from thread to thread.
        context = contextvars.copy_context()
        answer = await self._answer(environ, context, receive)
        body = answer.body
        length = None if environ["REQUEST_METHOD"] == "HEAD" else answer.length
        start = {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
        if isinstance(body, bytes):
            await send(start)
            await send({"type": "http.response.body", "body": body})
            return
        try:
            await send(start)
            if isinstance(body, Follower):
                sending = self._follow(body, scope["state"][ABORT], send)
            else:
                sending = self._stream(body, length, context, send)
            await _while_there(receive, sending)
        finally:
            close: Callable[[], None] | None = getattr(body, "close", None)
            if close is not None:
                await self._hands.do(lambda: context.run(close))

    async def _answer(
        self, environ: dict[str, Any], context: contextvars.Context, receive: Receive
    ) -> _Answer:
        """Have Flask answer. Where a request may wait its client is watched: who leaves keeps
        neither a thread nor a place. Others are answered before that would be worth its cost.
        """
        may_wait = "wait" in environ.get("HTTP_PREFER", "").lower()
        client = Presence() if may_wait else None
        if client is not None:
            environ[PRESENCE] = client
        try:
            answering = self._hands.do(lambda: context.run(self._ask, environ))
        except BaseException:
            # Nobody has begun, who would give it back.
            self._turns.give()
            raise
        if client is None:
            return await answering
        gone = asyncio.create_task(_gone(receive))
        gone.add_done_callback(lambda ended: None if ended.cancelled() else client.leave())
        try:
            return await answering
        finally:
            gone.cancel()

    def _ask(self, environ: dict[str, Any]) -> _Answer:
        """Let Flask answer, in a thread of the hands. The turn is over with it."""
        told: list[tuple[str, Iterable[tuple[str, str]]]] = []

        def start_response(status: str, headers: Iterable[tuple[str, str]], *_: Any) -> None:
            told[:] = [(status, headers)]

        try:
            body = self._app(environ, start_response)
        finally:
            self._turns.give()
        status, headers = told[0]
        return _Answer(
            int(status[:3]),
            [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
            b"".join(body) if isinstance(body, list) else body,
        )

    async def _follow(self, follower: Follower, abort: Abort, send: Send) -> None:
        async def piece(data: bytes) -> None:
            await send({"type": "http.response.body", "body": data, "more_body": True})

        await self._feed(follower, piece, abort)
        await send({"type": "http.response.body", "body": b""})

    async def _stream(
        self, body: Iterable[bytes], length: int | None, context: contextvars.Context, send: Send
    ) -> None:
        sent = 0
        pieces = iter(body)

        def following() -> bytes | None:
            return context.run(next, pieces, None)

        while (data := await self._to_its_end(following)) is not None:
            sent += len(data)
            await send({"type": "http.response.body", "body": data, "more_body": True})
        # What fell short of its length has no end: the server closes the connection on it.
        if length is None or sent == length:
            await send({"type": "http.response.body", "body": b""})

    async def _to_its_end(self, work: Callable[[], bytes | None]) -> bytes | None:
        """Have a piece made. Who is ended meanwhile stays until it is made: nobody may close a body
        that another thread is just making a piece of.
        """
        made = self._hands.do(work)
        try:
            return await asyncio.shield(made)
        except asyncio.CancelledError:
            await asyncio.wait([made])
            raise

    def _environ(self, scope: Scope) -> dict[str, Any]:
        path: bytes = scope["raw_path"]
        address, port = scope["server"]
        client = scope["client"]
        environ: dict[str, Any] = {
            **_ALWAYS,
            BEGUN: perf_counter(),
            "REQUEST_METHOD": scope["method"],
            "PATH_INFO": (unquote_to_bytes(path) if b"%" in path else path).decode("latin-1"),
            "QUERY_STRING": scope["query_string"].decode("latin-1"),
            "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
            "SERVER_NAME": address,
            "SERVER_PORT": str(port),
            "REMOTE_ADDR": client[0] if client else "",
            "wsgi.url_scheme": scope["scheme"],
        }
        names = self._names
        for name, value in scope["headers"]:
            known = names[name] if name in names else self._name(name)
            if known is None:
                continue
            text = value.decode("latin-1")
            environ[known] = f"{environ[known]},{text}" if known in environ else text
        return environ

    def _name(self, header: bytes) -> str | None:
        """Name a header as WSGI does; `None` for one that would be taken for another then."""
        name = None
        if b"_" not in header:
            text = header.decode("latin-1").upper().replace("-", "_")
            name = _OF_BODIES.get(header) or f"HTTP_{text}"
        if len(self._names) < _NAMES:
            self._names[header] = name
        return name


async def _body(environ: Mapping[str, Any], receive: Receive) -> bytes:
    """Read the body of a request, up to where Flask refuses it. What is announced to be longer is
    not read at all.
    """
    length: str = environ.get("CONTENT_LENGTH", "")
    if length.isdecimal():
        if int(length) == 0 or int(length) > MAX_BODY:
            return b""
    elif "HTTP_TRANSFER_ENCODING" not in environ:
        return b""
    read = bytearray()
    while len(read) <= MAX_BODY:
        message = await receive()
        read += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return bytes(read)


async def _while_there(receive: Receive, sending: Coroutine[Any, Any, None]) -> None:
    """Send as long as the client is there to take it."""
    sends = asyncio.create_task(sending)
    gone = asyncio.create_task(_gone(receive))
    gone.add_done_callback(lambda _: sends.cancel())
    try:
        await sends
    except asyncio.CancelledError:
        # By us, unless the process ends.
        if not gone.done():
            raise
    finally:
        sends.cancel()
        gone.cancel()


async def _gone(receive: Receive) -> None:
    """Come back when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
