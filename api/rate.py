"""How often one caller may ask, counted in Redis for all processes of the command API together."""

import hashlib
import math
import time
from collections.abc import Awaitable, Callable

import structlog
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from runtime.auth.denied import too_often
from runtime.errors import first_line

# Seconds that a Redis which did not count is left alone: requests must not wait for it one by one.
_LEFT_ALONE = 1.0

log = structlog.get_logger()

# Counts a request of this caller; raises Denied where it is one too many.
Limit = Callable[[str], Awaitable[None]]


async def unlimited(_: str) -> None:
    """Let everybody ask as often as they like."""


def limit_in(
    pool: ConnectionPool, rate: str, monotonic: Callable[[], float] = time.monotonic
) -> Limit:
    """Make the limit: a window begins with a caller's first request, and is one number in Redis.

    Where that can not be counted, nobody is refused.
    """
    # Here, as it takes a tenth of the time to start, and most have no limit.
    from limits import parse  # noqa: PLC0415
    from limits.aio.storage import RedisStorage  # noqa: PLC0415
    from limits.aio.strategies import FixedWindowRateLimiter  # noqa: PLC0415

    item = parse(rate)
    storage = RedisStorage(
        "async+redis://",
        implementation="redispy",
        key_prefix="itemledger:rate",
        connection_pool=pool,  # pyright: ignore[reportArgumentType]  as its documentation says
    )
    counting = FixedWindowRateLimiter(storage)
    again, silent = 0.0, False

    async def limit(caller: str) -> None:
        nonlocal again, silent
        if monotonic() < again:
            return
        # A subject is a person's name: Redis need not know it.
        name = hashlib.sha256(caller.encode()).hexdigest()[:32]
        try:
            allowed = await counting.hit(item, name)
            reset = 0.0 if allowed else (await counting.get_window_stats(item, name)).reset_time
        except (RedisError, OSError) as error:
            again = monotonic() + _LEFT_ALONE
            if not silent:
                log.warning("requests can not be counted; none is refused", error=first_line(error))
            silent = True
            return
        silent = False
        if not allowed:
            raise too_often(max(1, math.ceil(reset - time.time())))

    return limit
