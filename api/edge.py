"""What holds for every request and every answer, whoever made it: the outermost middleware."""

import asyncio
import uuid
from collections.abc import Mapping

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from api.problems import ProblemAnswer, internal_error, told_to_stop
from runtime.auth import codes
from runtime.auth.denied import Denied
from runtime.auth.guard import Guard
from runtime.auth.visitors import origin_of
from runtime.problems import Problem
from runtime.request_ids import HEADER, named, read_request_id, read_trace
from runtime.response_headers import HEADERS_LIMIT, SECURITY_HEADERS, URL_LIMIT
from runtime.settings import Settings

_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_ASKED_WITH = (
    "Authorization, Command-Deadline, Consistency-Token, Content-Disposition, "
    "Content-Encoding, Content-Type, Idempotency-Key, If-Match, If-None-Match, Prefer"
)
_SHOWN = "ETag, Location, Consistency-Token, Preference-Applied, Idempotent-Replayed, Retry-After"
_PREFLIGHT: Mapping[str, str] = {
    "Access-Control-Allow-Methods": _METHODS,
    "Access-Control-Allow-Headers": _ASKED_WITH,
    "Access-Control-Max-Age": "600",
}

log = structlog.get_logger()


class Edge:
    """ASGI middleware: refuses foreign visitors and what is too long, answers preflights of the
    query API's pages (CORS), puts on each answer what browsers have to know, and turns what nobody
    caught into a problem, and a request that is cut off by the end of the process, so that not even
    those answers go without. What is logged meanwhile has the ids that the request came with.
    """

    def __init__(self, app: ASGIApp, guard: Guard, settings: Settings) -> None:
        self._app = app
        self._guard = guard
        self._service_url = settings.public_command_url
        self._page_origin = origin_of(settings.public_query_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        request_id = read_request_id(asked.get(HEADER))
        known = named(request_id, read_trace(asked.get("traceparent")))
        if not known:
            await self._answer(scope, receive, send, asked, None)
            return
        with bound_contextvars(**known):
            await self._answer(scope, receive, send, asked, request_id)

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, asked: Headers, request_id: str | None
    ) -> None:
        of_our_pages = asked.get("origin") == self._page_origin
        begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                self._complete(headers, of_our_pages=of_our_pages)
                if request_id is not None:
                    headers[HEADER] = request_id
            await send(message)

        try:
            self._check(scope, asked)
            if scope["method"] == "OPTIONS" and of_our_pages:
                await Response(status_code=204, headers=_PREFLIGHT)(
                    scope, receive, send_with_headers
                )
                return
            await self._app(scope, receive, send_with_headers)
        except Denied as denied:
            answer = self._problem(denied.problem, denied.headers)
            await answer(scope, receive, send_with_headers)
        except asyncio.CancelledError:
            # Nobody else ends a request: the process stops, and this one took too long.
            if begun:
                raise
            await self._problem(told_to_stop(), {"Retry-After": "1"})(
                scope, receive, send_with_headers
            )
        except Exception:
            # Who asks about it needs something to name it by.
            request_id = request_id or uuid.uuid4().hex
            log.exception("request failed", request_id=request_id)
            if begun:
                raise
            await self._problem(internal_error(), {})(scope, receive, send_with_headers)

    def _check(self, scope: Scope, asked: Headers) -> None:
        self._guard.check_visitor(asked.get("host"), asked.get("origin"))
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > URL_LIMIT:
            raise Denied(codes.URI_TOO_LONG, f"a URL has at most {URL_LIMIT} bytes here")
        if sum(len(name) + len(value) for name, value in asked.raw) > HEADERS_LIMIT:
            raise Denied(codes.HEADERS_TOO_LARGE, f"headers have at most {HEADERS_LIMIT} bytes")

    def _complete(self, headers: MutableHeaders, *, of_our_pages: bool) -> None:
        for name, value in SECURITY_HEADERS.items():
            headers.setdefault(name, value)
        headers.setdefault("Cache-Control", "no-store")
        headers.add_vary_header("Origin")
        if of_our_pages:
            headers["Access-Control-Allow-Origin"] = self._page_origin
            headers["Access-Control-Expose-Headers"] = _SHOWN
            if self._guard.wants_tokens:
                # The cookie of who has signed in there.
                headers["Access-Control-Allow-Credentials"] = "true"

    def _problem(self, problem: Problem, headers: Mapping[str, str]) -> Response:
        return ProblemAnswer(problem, self._service_url, headers)
