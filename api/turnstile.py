"""Only so many requests are read and put on the log at a time; the others wait for their turn.

Without it a burst of thousands is worked at all at once, and for so long that nothing else of the
process has its turn: answers of the log would come too late that are there already. Who still sends
its body, or only waits for an outcome, is not counted: a slow client holds nobody up.
"""

import asyncio
from contextvars import ContextVar
from typing import Literal

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# As many as one append takes comfortably.
WIDTH = 128


class _Turn:
    """The turn of one request: taken once its body is there, and over once."""

    def __init__(self, turns: asyncio.Semaphore) -> None:
        self._turns = turns
        self._state: Literal["to come", "taken", "over"] = "to come"

    async def take(self) -> None:
        if self._state == "to come":
            await self._turns.acquire()
            self._state = "taken"

    def over(self) -> None:
        if self._state == "taken":
            self._turns.release()
        self._state = "over"


_turn: ContextVar[_Turn | None] = ContextVar("turn", default=None)


def only_waits_now() -> None:
    """Say that the request at hand only waits from now on: the next one may have its turn."""
    turn = _turn.get()
    if turn is not None:
        turn.over()


class Turnstile:
    """ASGI middleware. What is taken in as a stream passes beside it."""

    def __init__(self, app: ASGIApp, streams: str, turns: asyncio.Semaphore) -> None:
        """`turns` are shared with whoever else works at requests."""
        self._app = app
        self._streams = streams
        self._turns = turns

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == self._streams:
            await self._app(scope, receive, send)
            return
        turn = _Turn(self._turns)

        async def receive_in_turn() -> Message:
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                await turn.take()
            return message

        token = _turn.set(turn)
        try:
            await self._app(scope, receive_in_turn, send)
        finally:
            _turn.reset(token)
            turn.over()
