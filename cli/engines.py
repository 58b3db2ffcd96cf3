"""Have a log and a database before a process is started that needs them."""

import asyncio
import os
from dataclasses import replace

from cli.children import STOP_ORDER, preparation
from cli.pause import pause
from cli.refusals import FAILED, Refusal
from runtime.lock import FolderLock
from runtime.nursery import Nursery
from runtime.settings import PREFIX, Settings
from runtime.supervisor import Supervisor
from runtime.valkey import ValkeyUnavailable, answer, valkey_child, why_it_ended

# A Valkey that ended this often before it answered will not answer.
_ENOUGH_ENDINGS = 3


async def start_engines(
    settings: Settings,
    supervisor: Supervisor,
    nursery: Nursery,
    lock: FolderLock,
    asked: asyncio.Event,
) -> str:
    """Have a log and a database with this release's schema, laid out alike and as set, or stop
    when asked to. Return how safely the log is kept.
    """
    if settings.redis_url is not None or settings.ring_url is not None:
        await asyncio.to_thread(_ping, settings)
    if settings.redis_url is None and not asked.is_set():
        await _start_valkey(settings, supervisor, lock, asked)
    if not asked.is_set():
        return await _prepare(settings, nursery)
    return ""


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


async def _prepare(settings: Settings, nursery: Nursery) -> str:
    """Run the preparation to its end and return what it says. It has a session of its own, so that
    a Ctrl-C does not tear it; where it refuses, it says why.
    """
    reading, writing = os.pipe()
    with os.fdopen(reading) as told:
        try:
            process = await nursery.start(preparation(settings, os.environ), writing)
        finally:
            os.close(writing)
        code = await process.wait()
        line = told.read().strip()
    if code:
        raise Refusal(line or f"the preparation ended with {code}", code if code > 0 else FAILED)
    return line
