"""`itemledger up`: everything in one terminal, until one Ctrl-C."""

import asyncio
import os
import re
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cli.banner import banner, tell_banner
from cli.children import children, nursery
from cli.engines import start_engines
from cli.exposure import require_guard
from cli.ports import check_ports
from cli.readiness import await_ready
from cli.refusals import WRONG_USAGE, Refusal, warn
from cli.whereabouts import leave
from runtime.child import Child
from runtime.lock import FolderInUse, FolderLock, lock_folder
from runtime.nursery import Nursery
from runtime.settings import PREFIX, Settings
from runtime.supervisor import Supervisor
from runtime.telemetry import configure_logging

ListChildren = Callable[[Settings, Mapping[str, str]], Sequence[Child]]
MakeNursery = Callable[[Mapping[str, str]], Nursery]

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_up(
    settings: Settings,
    say: Callable[[str], None] = tell_banner,
    list_children: ListChildren = children,
    make_nursery: MakeNursery = nursery,
) -> int:
    """Run everything until a signal asks to stop, and return the exit code.

    Raises Refusal, with nothing left running, where it cannot be started.
    """
    configure_logging(settings, "up")
    require_guard(settings)
    if settings.is_sqlite and settings.workers > 1:
        raise Refusal(
            f"{settings.workers} workers need PostgreSQL (--database-url): "
            "SQLite lets one process write, so there it is --workers 1",
            WRONG_USAGE,
        )
    if settings.database_url is None and re.search("[?#%]", str(settings.data.absolute())):
        raise Refusal(
            f"the path {settings.data.absolute()} has one of ? # %, which mean something else in "
            f"the URL of a database: choose another folder with --data ({PREFIX}DATA)",
            WRONG_USAGE,
        )
    if settings.redis_url is None and settings.wait_replicas:
        raise Refusal(
            f"{PREFIX}WAIT_REPLICAS={settings.wait_replicas} can not be met: the embedded Valkey "
            "has no replicas; leave it out, or name a Redis that has some with --redis-url "
            f"({PREFIX}REDIS_URL)",
            WRONG_USAGE,
        )
    return asyncio.run(_run(settings, say, list_children, make_nursery))


async def _run(
    settings: Settings,
    say: Callable[[str], None],
    list_children: ListChildren,
    make_nursery: MakeNursery,
) -> int:
    asked = asyncio.Event()
    for number in _STOP_SIGNALS:
        # What `nohup` has switched off stays off.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, ask, asked)
    lock, whereabouts = _take_folder(settings)
    try:
        await check_ports(settings)
        async with (
            make_nursery(os.environ) as forking,
            Supervisor(start=forking.start) as supervisor,
        ):
            durability = await start_engines(settings, supervisor, forking, lock, asked)
            if not asked.is_set():
                for child in list_children(settings, os.environ):
                    supervisor.start(child)
                await await_ready(settings, asked, warn)
            if not asked.is_set():
                say(banner(settings, durability))
                await supervisor.run_until(asked)
    finally:
        whereabouts.unlink(missing_ok=True)
        lock.release()
        # From here to the end of the process a second Ctrl-C has nothing left to stop.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    return 0


def ask(asked: asyncio.Event) -> None:
    """Ask to stop; who asks again hears that it was heard."""
    if asked.is_set():
        warn("it is stopping already, in order: what was accepted is being kept")
    asked.set()


def _take_folder(settings: Settings) -> tuple[FolderLock, Path]:
    """Lock the data folder, and leave in it where the services will be."""
    try:
        lock = lock_folder(settings.data)
        try:
            return lock, leave(settings)
        except Refusal:
            lock.release()
            raise
    except FolderInUse as error:
        raise Refusal(str(error)) from None
    except (FileExistsError, NotADirectoryError):
        data = settings.data.absolute()
        file = next((each for each in (data, *data.parents) if each.exists()), data)
        raise Refusal(
            f"{file} is a file, not a folder: choose another with --data ({PREFIX}DATA)",
            WRONG_USAGE,
        ) from None
    except OSError as error:
        raise Refusal(
            f"cannot use the data folder {settings.data.absolute()}: {error.strerror}; "
            f"choose another with --data ({PREFIX}DATA)"
        ) from None
