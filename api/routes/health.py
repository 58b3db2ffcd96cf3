"""Is the process alive, and does it accept."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from fastapi import APIRouter, Response
from redis.exceptions import RedisError

from api.problems import ProblemRaised
from api.watch import Watch
from runtime.auth.guard import Guard
from runtime.problems import Problem


def routes(ping: Callable[[], Awaitable[object]], watch: Watch, guard: Guard) -> APIRouter:
    """Make the routes; `ping` raises what Redis raises where the log is not to be had."""
    router = APIRouter()

    @router.api_route("/health/live", methods=["GET", "HEAD"])
    async def live() -> Response:
        return Response(orjson.dumps({"status": "live"}), media_type="application/json")

    @router.api_route("/health/ready", methods=["GET", "HEAD"])
    async def ready() -> Response:
        log, reason = "ok", watch.why() or guard.why_not()
        try:
            await ping()
        except (RedisError, OSError) as error:
            log, reason = "does not answer", f"the log does not answer: {error}"
        told: dict[str, Any] = {
            "accepting": reason is None,
            "reason": reason,
            "checks": {"log": log, "durability": watch.document() or "unknown"},
        }
        if reason is not None:
            raise ProblemRaised(
                Problem(503, "not-ready", "Not ready", reason, extra=told), {"Retry-After": "1"}
            )
        return Response(orjson.dumps({"status": "ready", **told}), media_type="application/json")

    return router
