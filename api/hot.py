"""The plainest requests, answered in front of the framework: one item created, replaced or patched,
with no more than a key, or a batch without one. Whatever else is asked for, and whatever is not
right about it, is handed on; the answer here is the framework's, byte for byte: a test compares
them.
"""

import asyncio
from collections.abc import Mapping, Sequence
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.counts import Counts
from api.hot_asked import Asked, Reader
from api.hot_commands import Commands, Told
from api.meter import note_route
from runtime.request_ids import HEADER
from runtime.response_headers import SECURITY_HEADERS

_AROUND = (
    (b"content-type", b"application/json"),
    *((name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()),
    (b"cache-control", b"no-store"),
)
_REQUEST_ID = HEADER.lower().encode()
# Under this name of its state a request carries the answer to it.
ANSWER = "answer"


class Hot:
    """ASGI middleware, the first to see a request. `told` is what makes any other answer than the
    usual one known: it is handed the answer in the state of the request, under `ANSWER`.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        told: ASGIApp,
        reader: Reader,
        commands: Commands,
        counts: Counts,
        turns: asyncio.Semaphore,
    ) -> None:
        self._app = app
        self._told = told
        self._reader = reader
        self._commands = commands
        self._counts = counts
        self._turns = turns

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = perf_counter()
        asked = self._reader.read(scope)
        if asked is None:
            await self._app(scope, receive, send)
            return
        messages = await _all(receive)
        body = _body(messages)
        answer: Told | Exception | None = None
        if body is not None:
            async with self._turns:
                try:
                    answer = await self._commands.accept(asked, body)
                except Exception as error:  # noqa: BLE001  it is raised again, where it is answered
                    answer = error
        match answer:
            case None:
                await self._app(scope, _again(messages, receive), send)
            case (headers, content):
                start = {"type": "http.response.start", "status": 202}
                await send({**start, "headers": _raw(headers, content, asked.request_id)})
                await send({"type": "http.response.body", "body": content})
                note_route(scope, asked.template)
                seconds = perf_counter() - begun
                self._counts.requests.count(asked.method, asked.template, "202", seconds)
            case _:
                await self._tell(scope, receive, send, asked, answer)

    async def _tell(
        self, scope: Scope, receive: Receive, send: Send, asked: Asked, answer: ASGIApp | Exception
    ) -> None:
        scope.setdefault("state", {})[ANSWER] = answer
        note_route(scope, asked.template)
        await self._told(scope, receive, send)


async def told(scope: Scope, receive: Receive, send: Send) -> None:
    """Send the answer that stands in the state of the request, or raise what stands there."""
    answer: ASGIApp | Exception = scope["state"][ANSWER]
    if isinstance(answer, Exception):
        raise answer
    await answer(scope, receive, send)


def _raw(
    headers: Mapping[str, str], body: bytes, request_id: str | None
) -> list[tuple[bytes, bytes]]:
    """Write headers as the framework and the layers around it do, in their order."""
    headers = {**headers, "Vary": f"{headers['Vary']}, Origin"}
    return [
        *(
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in headers.items()
        ),
        (b"content-length", b"%d" % len(body)),
        *_AROUND,
        *(() if request_id is None else ((_REQUEST_ID, request_id.encode("latin-1")),)),
    ]


async def _all(receive: Receive) -> list[Message]:
    """Receive a request to its end; no more comes than its headers say."""
    messages = [await receive()]
    while messages[-1]["type"] == "http.request" and messages[-1].get("more_body", False):
        messages.append(await receive())
    return messages


def _body(messages: Sequence[Message]) -> bytes | None:
    """Put a body together; `None` where its sender has gone."""
    if messages[-1]["type"] != "http.request":
        return None
    if len(messages) == 1:
        return messages[0]["body"]
    return b"".join(each.get("body", b"") for each in messages)


def _again(messages: Sequence[Message], receive: Receive) -> Receive:
    """Let messages be received that were received already."""
    left = list(reversed(messages))

    async def receive_again() -> Message:
        return left.pop() if left else await receive()

    return receive_again
