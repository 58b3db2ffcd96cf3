"""Is the process alive, and can it accept."""

from collections.abc import Awaitable, Callable

import orjson
from fastapi import APIRouter, Response
from redis.exceptions import RedisError

from api.problems import ProblemRaised
from runtime.problems import Problem


def routes(ping: Callable[[], Awaitable[object]]) -> APIRouter:
    """Make the routes; `ping` raises what Redis raises where the log is not to be had."""
    router = APIRouter(tags=["health"])

    @router.head("/health/live", include_in_schema=False)
    @router.get("/health/live", summary="The process is alive")
    async def live() -> Response:
        return Response(orjson.dumps({"status": "live"}), media_type="application/json")

    @router.head("/health/ready", include_in_schema=False)
    @router.get("/health/ready", summary="The service can accept commands")
    async def ready() -> Response:
        try:
            await ping()
        except (RedisError, OSError) as error:
            raise ProblemRaised(
                Problem(503, "not-ready", "Not ready", f"the log does not answer: {error}"),
                {"Retry-After": "1"},
            ) from error
        return Response(
            orjson.dumps({"status": "ready", "checks": {"log": "ok"}}),
            media_type="application/json",
        )

    return router
