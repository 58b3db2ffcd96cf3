"""The keys of batches and imports, remembered with the log: the same key with another payload is
refused.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from api.problems import ProblemRaised, key_reused, not_accepted, retry_after
from eventlog import keys

_REMEMBER_SECONDS = 24 * 60 * 60

# Remember the fingerprint of a keyed batch; answers the one that was there before, if any.
Remember = Callable[[str, str], Awaitable[str | None]]


def remember_in(redis: Redis) -> Remember:
    """Make the function; it raises what Redis raises where a batch can not be remembered."""

    async def remember(batch_id: str, payload: str) -> str | None:
        key = keys.batch(batch_id)
        try:
            if await redis.set(key, payload, nx=True, ex=_REMEMBER_SECONDS):
                return None
        except ResponseError:
            # A full server takes nothing new. What was accepted before must be found all the same.
            if (before := await _known(redis, key)) is None:
                raise
            return before
        return await _known(redis, key)

    return remember


async def first_or_same(remember: Remember, whole_id: str, payload: str) -> None:
    """Refuse a batch or an import under the key of another one, before anything of it is accepted.

    Raises ProblemRaised.
    """
    try:
        before = await remember(whole_id, payload)
    except (RedisError, OSError) as error:
        raise ProblemRaised(
            not_accepted(f"the log is not to be reached: {error}"), retry_after()
        ) from error
    if before is not None and before != payload:
        raise ProblemRaised(key_reused())


async def _known(redis: Redis, key: str) -> str | None:
    before: Any = await redis.get(key)
    return None if before is None else before.decode()
