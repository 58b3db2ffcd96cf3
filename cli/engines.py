"""Have a log and a database before a process is started that needs them."""

import asyncio
from dataclasses import replace

from cli.children import STOP_ORDER
from cli.pause import pause
from cli.refusals import Refusal
from runtime.lock import FolderLock
from runtime.settings import PREFIX, Settings
from runtime.supervisor import Supervisor
from runtime.valkey import ValkeyUnavailable, answer, valkey_child, why_it_ended

# A Valkey that ended this often before it answered will not answer.
_ENOUGH_ENDINGS = 3


async def start_engines(
    settings: Settings, supervisor: Supervisor, lock: FolderLock, asked: asyncio.Event
) -> None:
    """Have a log and a database with this release's schema, laid out alike and as set, or stop
    when asked to.
    """
    if settings.redis_url is not None or settings.ring_url is not None:
        await asyncio.to_thread(_ping, settings)
    if settings.redis_url is None and not asked.is_set():
        await _start_valkey(settings, supervisor, lock, asked)
    if not asked.is_set():
        await asyncio.to_thread(_migrate, settings.sql_url)
    if not asked.is_set():
        await asyncio.to_thread(_check_layout, settings)
    if settings.has_keys and not asked.is_set():
        await asyncio.to_thread(_mirror_revocations, settings)


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


def _ping(settings: Settings) -> None:
    # The same: most often there is no Redis to ask.
    from cli.ping import ping  # noqa: PLC0415

    if settings.redis_url is not None:
        ping(
            settings.redis_url,
            f"mend --redis-url ({PREFIX}REDIS_URL), or leave that out to use the embedded Valkey",
        )
    if settings.ring_url is not None:
        ping(
            settings.ring_url,
            f"mend {PREFIX}RING_URL, or leave that out to use the log's Redis",
        )


def _check_layout(settings: Settings) -> None:
    from cli.layout import check_layout  # noqa: PLC0415

    check_layout(settings)


def _mirror_revocations(settings: Settings) -> None:
    from cli.tokens import mirror_revocations  # noqa: PLC0415

    mirror_revocations(settings)
