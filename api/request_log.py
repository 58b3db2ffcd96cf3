"""Lines of the log about single requests and commands, where they are asked for
(`ITEMLEDGER_LOG_REQUESTS`): what was asked, how it was answered, and every id it can be found by.
"""

from collections.abc import Sequence
from time import perf_counter

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.accept import Accepted, Answer, Sender, counted_as
from api.meter import route_of
from runtime.request_ids import HEADER, named, read_request_id, read_trace

log = structlog.get_logger()


class RequestLog:
    """ASGI middleware around all others: a line per request, once it is answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = perf_counter()
        asked = Headers(scope=scope)
        status = 500

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        finally:
            log.info(
                "answered",
                method=scope["method"],
                path=scope["path"],
                route=route_of(scope),
                status=status,
                ms=round((perf_counter() - begun) * 1000, 1),
                **named(read_request_id(asked.get(HEADER)), read_trace(asked.get("traceparent"))),
            )


def tell(answers: Sequence[Answer], sender: Sender) -> None:
    """Log how commands were answered, a line for each."""
    ids = named(sender.request_id, sender.trace)
    for each in answers:
        place = {"position": each.position.token} if isinstance(each, Accepted) else {}
        log.info(
            counted_as(each),
            command_id=each.draft.id,
            command=type(each.draft.command).__name__,
            item_id=each.draft.command.item_id,
            actor=sender.actor,
            **place,
            **ids,
        )
