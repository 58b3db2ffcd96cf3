"""Have a log and a database before a process is started that needs them."""

import asyncio
from dataclasses import replace

from cli.children import STOP_ORDER
from cli.pause import pause
from cli.refusals import UNREACHABLE, Refusal, first_line, without_password
from runtime.lock import FolderLock
from runtime.settings import PREFIX, Settings
from runtime.supervisor import Supervisor
from runtime.valkey import ValkeyUnavailable, answer, valkey_child, why_it_ended

_PING_TIMEOUT = 5.0
# A Valkey that ended this often before it answered will not answer.
_ENOUGH_ENDINGS = 3


async def start_engines(
    settings: Settings, supervisor: Supervisor, lock: FolderLock, asked: asyncio.Event
) -> None:
    """Have a log and a database with this release's schema, or stop when asked to."""
    if settings.redis_url is None:
        await _start_valkey(settings, supervisor, lock, asked)
    else:
        await asyncio.to_thread(_ping, settings.redis_url)
    if not asked.is_set():
        await asyncio.to_thread(_migrate, settings.sql_url)


async def _start_valkey(
    settings: Settings, supervisor: Supervisor, lock: FolderLock, asked: asyncio.Event
) -> None:
    try:
        child = valkey_child(settings, lock)
    except ValkeyUnavailable as error:
        raise Refusal(str(error)) from None
    keeper = supervisor.start(replace(child, stop_order=STOP_ORDER.index("valkey")))
    # No deadline: a long log takes as long to read back as it takes.
    while answer(settings.valkey_socket) != "ready" and not asked.is_set():
        if keeper.endings >= _ENOUGH_ENDINGS:
            raise Refusal(why_it_ended(settings))
        await pause(asked)


def _migrate(url: str) -> None:
    # Imported here, where Valkey is running already: a refusal needs none of it.
    from cli.migrate import migrate_database  # noqa: PLC0415

    migrate_database(url)


def _ping(url: str) -> None:
    # The same: most often there is no Redis to ask.
    import redis  # noqa: PLC0415
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.retry import Retry  # noqa: PLC0415

    try:
        # One try: whoever starts a service wants to know at once.
        # redis-py leaves its keyword arguments without types.
        with redis.Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
            url,
            socket_timeout=_PING_TIMEOUT,
            socket_connect_timeout=_PING_TIMEOUT,
            retry=Retry(NoBackoff(), 0),
        ) as client:
            client.ping()  # pyright: ignore[reportUnknownMemberType]
    except (redis.RedisError, ValueError, OSError) as error:
        raise Refusal(
            f"cannot use the Redis {without_password(url)}: {first_line(error)}; start it, mend "
            f"--redis-url ({PREFIX}REDIS_URL), or leave that out to use the embedded Valkey",
            UNREACHABLE,
        ) from None
