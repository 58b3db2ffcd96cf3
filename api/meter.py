"""Counts every request that is answered, whoever answers it: the outermost ASGI layer."""

from time import perf_counter
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.counts import Counts
from runtime.measures import NO_ROUTE

# Under these names of its state a request carries the route that was found for it, and the code of
# the problem that it was answered with.
_ROUTE, _PROBLEM = "route", "problem"


class Meter:
    def __init__(self, app: ASGIApp, counts: Counts) -> None:
        self._app = app
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = perf_counter()
        # Layers in between may hand on another scope; the state is the same one.
        state = _state(scope)
        status = "500"

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        finally:
            seconds = perf_counter() - begun
            self._counts.requests.count(scope["method"], route_of(scope), status, seconds)
            if _PROBLEM in state:
                self._counts.problems[state[_PROBLEM]] += 1


def note_route(scope: Scope, template: str) -> None:
    """Let a request be counted under its route."""
    _state(scope)[_ROUTE] = template


def route_of(scope: Scope) -> str:
    """Tell the route that was found for a request, `other` where there was none."""
    route: str = _state(scope).get(_ROUTE, NO_ROUTE)
    return route


def note_problem(scope: Scope, code: str) -> None:
    """Let a request be counted as one that was answered with a problem."""
    _state(scope)[_PROBLEM] = code


def _state(scope: Scope) -> dict[str, Any]:
    state: dict[str, Any] = scope.setdefault("state", {})
    return state
