"""Is the process alive, does it accept, and does what it accepts get any further."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from redis.exceptions import RedisError

from api.problems import ProblemRaised, bad_parameter
from api.watch import Watch
from runtime.auth.guard import Guard
from runtime.problems import Problem

_OK = "ok"


def routes(ping: Callable[[], Awaitable[object]], watch: Watch, guard: Guard) -> APIRouter:
    """Make the routes; `ping` raises what Redis raises where the log is not to be had."""
    router = APIRouter()

    @router.api_route("/health/live", methods=["GET", "HEAD"])
    async def live() -> Response:
        return Response(orjson.dumps({"status": "live"}), media_type="application/json")

    @router.api_route("/health/ready", methods=["GET", "HEAD"])
    async def ready(request: Request) -> Response:
        """Say whether all is in order; asked `for=writes`, whether this process accepts."""
        for_writes = _is_for_writes(request)
        log, refused = _OK, watch.why() or guard.why_not()
        try:
            await ping()
        except (RedisError, OSError) as error:
            log, refused = "does not answer", f"the log does not answer: {error}"
        checks: dict[str, Any] = {"log": log, "durability": watch.document() or "unknown"}
        reason = refused
        if not for_writes:
            # Commands are accepted without it, and wait.
            stands = watch.pump()
            checks["pump"] = (stands or _OK) if log == _OK else "unknown"
            reason = refused or (stands if log == _OK else None)
        told: dict[str, Any] = {"accepting": refused is None, "reason": reason, "checks": checks}
        if reason is not None:
            raise ProblemRaised(
                Problem(503, "not-ready", "Not ready", reason, extra=told), {"Retry-After": "1"}
            )
        return Response(orjson.dumps({"status": "ready", **told}), media_type="application/json")

    return router


def _is_for_writes(request: Request) -> bool:
    match request.query_params.getlist("for"):
        case []:
            return False
        case ["writes"]:
            return True
        case _:
            raise bad_parameter("for", "unknown-choice", "writes, or left out")
