"""How this service talks to Redis, chosen per use: redis-py repeats commands by itself unless told
otherwise, and how often depends on how the client was built.
"""

from typing import Any

from redis import Redis
from redis.asyncio import ConnectionPool as AsyncConnectionPool
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry

# Seconds. A command API must know soon that a server does not answer.
_API_TIMEOUT = 2.0
_WORKER_TIMEOUT = 10.0
_COUNTING_TIMEOUT = 0.5


def appending_pool(url: str) -> AsyncConnectionPool:
    """For appends: never repeated by the client, because we repeat them under the same ids."""
    return AsyncConnectionPool.from_url(
        url,
        retry=AsyncRetry(NoBackoff(), 0),
        socket_timeout=_API_TIMEOUT,
        socket_connect_timeout=_API_TIMEOUT,
        protocol=2,
    )


def counting_pool(url: str) -> AsyncConnectionPool:
    """For counting the requests of a caller: better not counted than held up."""
    return AsyncConnectionPool.from_url(
        url,
        retry=AsyncRetry(NoBackoff(), 0),
        socket_timeout=_COUNTING_TIMEOUT,
        socket_connect_timeout=_COUNTING_TIMEOUT,
    )


def listening_client(url: str) -> AsyncRedis:
    """For pub/sub: silence is normal, so only connecting has a time-out."""
    return AsyncRedis.from_url(
        url,
        retry=AsyncRetry(NoBackoff(), 0),
        socket_timeout=None,
        socket_connect_timeout=_API_TIMEOUT,
    )


def asking_client(url: str) -> AsyncRedis:
    """For small questions of the API, which may be asked twice."""
    return AsyncRedis.from_url(
        url,
        retry=AsyncRetry(NoBackoff(), 1),
        socket_timeout=_API_TIMEOUT,
        socket_connect_timeout=_API_TIMEOUT,
    )


def asking_client_of_threads(url: str) -> "Redis":
    """For small questions of the query API, which may be asked twice."""
    return _client(url, Retry(NoBackoff(), 1), _API_TIMEOUT)


def hearing_client(url: str) -> "Redis":
    """For pub/sub of threads: one that ends has missed something, so it is never taken up again by
    the client itself.
    """
    return _client(url, Retry(NoBackoff(), 0), _WORKER_TIMEOUT)


def ringing_client(url: str) -> "Redis":
    """For doorbells from the API: a bell rung twice only wakes a worker for nothing."""
    return _client(url, Retry(NoBackoff(), 1), _API_TIMEOUT)


def working_client(url: str) -> "Redis":
    """For the worker's own reads and marks, all of which may be repeated."""
    return _client(url, Retry(ExponentialBackoff(cap=0.5, base=0.05), 3), _WORKER_TIMEOUT)


def rq_client(url: str) -> "Redis":
    """For RQ, which blocks in its pop and has a reconnect loop of its own."""
    return _client(url, Retry(NoBackoff(), 0), None)


def _client(url: str, retry: Retry, timeout: float | None) -> "Redis":
    options: dict[str, Any] = {"socket_connect_timeout": _API_TIMEOUT}
    if timeout is not None:
        options["socket_timeout"] = timeout
    return Redis.from_url(url, retry=retry, **options)
