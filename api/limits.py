"""How large a body may be. The framework's own limiter answers in plain text whatever the handler
says, and every error of this service is a problem document.
"""

import asyncio

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import ProblemAnswer, ProblemRaised, too_large

MAX_BODY = 1024 * 1024
MAX_BATCH = 8 * 1024 * 1024
# What is still on its way after the answer is read and forgotten, up to this much and this long: a
# connection that is closed on it would be reset, and the answer with it.
_FORGOTTEN_BYTES = 64 * 1024 * 1024
_FORGOTTEN_SECONDS = 5.0


class BodyLimit:
    """ASGI middleware: 413 at once where the length is told, else as soon as it is passed."""

    def __init__(self, app: ASGIApp, service_url: str) -> None:
        self._app = app
        self._service_url = service_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] == "/imports":
            await self._app(scope, *_streaming(receive, send))
            return
        limit = MAX_BATCH if scope["path"] == "/items/batch" else MAX_BODY
        told = Headers(scope=scope).get("content-length", "")
        if told.isdecimal() and int(told) > limit:
            response = ProblemAnswer(too_large(), self._service_url, {"Connection": "close"})
            await response(scope, receive, _reading_on(receive, send))
            return
        received = 0

        async def receive_up_to_the_limit() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise ProblemRaised(too_large(), {"Connection": "close"})
            return message

        async def send_over_the_rest(message: Message) -> None:
            await (_reading_on(receive, send) if received > limit else send)(message)

        await self._app(scope, receive_up_to_the_limit, send_over_the_rest)


def _streaming(receive: Receive, send: Send) -> tuple[Receive, Send]:
    """Let a body of any size through; an answer that comes before its end ends the connection."""
    ended = False

    async def receive_on() -> Message:
        nonlocal ended
        message = await receive()
        ended = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    reading_on = _reading_on(receive, send)
    early = False

    async def send_on(message: Message) -> None:
        nonlocal early
        if message["type"] == "http.response.start" and not ended:
            early = True
            MutableHeaders(scope=message)["Connection"] = "close"
        await (reading_on if early else send)(message)

    return receive_on, send_on


def _reading_on(receive: Receive, send: Send) -> Send:
    """Send an answer that is whole at once, and end it when the client has sent its request."""

    async def send_and_read_on(message: Message) -> None:
        if message["type"] != "http.response.body":
            await send(message)
            return
        await send({**message, "more_body": True})
        try:
            async with asyncio.timeout(_FORGOTTEN_SECONDS):
                await _forget(receive)
        except TimeoutError:
            pass  # It was told; who sends on for so long is not waited for.
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_and_read_on


async def _forget(receive: Receive) -> None:
    left = _FORGOTTEN_BYTES
    while left > 0:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body"):
            return
        left -= len(message.get("body", b""))
