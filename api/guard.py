"""Nobody commands who may not: a dependency of every route, from the table in `api.scopes`."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from fastapi import Request

from api.meter import note_route
from api.rate import Limit, unlimited
from api.scopes import NEEDED, TIMES
from runtime.auth import cookie
from runtime.auth.caller import Caller
from runtime.auth.denied import Denied, KeysWanted
from runtime.auth.guard import Guard, require

# Threads that may wait for an identity provider at once; others wait for one of them.
_WAITING = 4


def guarding(
    guard: Guard, page_origin: str, limit: Limit = unlimited
) -> Callable[[Request], Awaitable[None]]:
    """Make the dependency. It knows the caller before anything else of the request is read. The
    cookie of who has signed in counts only where a page of `page_origin` sends it: others can
    have a browser send it, too.
    """
    waiting = ThreadPoolExecutor(_WAITING, "keys")

    async def identify(request: Request) -> Caller:
        authorization: Sequence[str] = request.headers.getlist("authorization")
        if not authorization and request.headers.get("origin") == page_origin:
            authorization = cookie.authorization_of(request.headers.get("cookie"))
        try:
            return guard.caller_at_once(authorization)
        except KeysWanted:
            # Not here: the loop would stand still while the provider thinks.
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(waiting, guard.caller, authorization)

    async def check(request: Request) -> None:
        template: str = request.scope["route"].path
        note_route(request.scope, template)
        needed = NEEDED[request.method, template]
        if not needed:
            return
        address = request.client.host if request.client else ""
        try:
            caller = await identify(request)
        except Denied:
            await limit(f"address {address}")
            raise
        await limit(f"subject {caller.subject}" if guard.wants_tokens else f"address {address}")
        require(caller, needed)
        request.state.caller = caller

    return check


def caller_of(request: Request) -> Caller:
    """Tell who asks, behind the guard."""
    return cast("Caller", request.state.caller)


def check_times(request: Request, rows: Sequence[Any]) -> None:
    """Raise Denied where a row says when it took effect, and the caller may not say so."""
    if any(
        isinstance(each, Mapping) and cast("Mapping[str, Any]", each).get("effective_at")
        for each in rows
    ):
        require(caller_of(request), TIMES, "effective_at")
