"""How large a body may be. The framework's own limiter answers in plain text whatever the handler
says, and every error of this service is a problem document.
"""

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import ProblemRaised, too_large
from runtime.problems import PROBLEM_JSON

MAX_BODY = 1024 * 1024
MAX_BATCH = 8 * 1024 * 1024


class BodyLimit:
    """ASGI middleware: 413 at once where the length is told, else as soon as it is passed."""

    def __init__(self, app: ASGIApp, service_url: str) -> None:
        self._app = app
        self._service_url = service_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = MAX_BATCH if scope["path"] == "/items/batch" else MAX_BODY
        told = Headers(scope=scope).get("content-length", "")
        if told.isdecimal() and int(told) > limit:
            problem = too_large()
            body = problem.body(self._service_url)
            # The body that is on its way is not read, so the connection can not be used again.
            headers = {"Connection": "close"}
            response = Response(body, problem.status, headers, media_type=PROBLEM_JSON)
            await response(scope, receive, send)
            return
        received = 0

        async def receive_up_to_the_limit() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise ProblemRaised(too_large(), {"Connection": "close"})
            return message

        await self._app(scope, receive_up_to_the_limit, send)
