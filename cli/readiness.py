"""Wait until both services serve. A command API that answers and accepts nothing for the time being
serves: it goes on by itself, and the reads and the workers are not to be taken down with it. Nor
does it matter here whether what waits gets any further: the workers have only just begun.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import orjson

from cli.pause import pause
from cli.refusals import FAILED, Refusal
from runtime.settings import Settings

_DEADLINE = 30.0
_REQUEST_TIMEOUT = 5.0
_GOOD = range(200, 300)


async def await_ready(
    settings: Settings, asked: asyncio.Event, warn: Callable[[str], None]
) -> None:
    """Return when both serve, or when it is to stop; Refusal where one does not come to it. `warn`
    is told why nothing is accepted, where that is so.
    """
    services = {
        "command API": f"{settings.local_command_url}/health/ready?for=writes",
        "query API": f"{settings.local_query_url}/health/ready?for=reads",
    }
    for name, url in services.items():
        ready = _unless(asked, _is_ready(url, asked, warn))
        try:
            await asyncio.wait_for(ready, _DEADLINE)
        except TimeoutError:
            raise Refusal(
                f"the {name} did not become ready within {_DEADLINE:g} s: "
                f"its lines above say why, or ask {url} while it runs",
                FAILED,
            ) from None


async def _is_ready(url: str, asked: asyncio.Event, warn: Callable[[str], None]) -> None:
    # Looked at here too: a cancellation that meets the end of the pause can be swallowed by it.
    while not asked.is_set():
        with contextlib.suppress(OSError, TimeoutError, ValueError):
            async with asyncio.timeout(_REQUEST_TIMEOUT):
                status, body = await _get(url)
            if status in _GOOD:
                return
            reason = _why_it_does_not_accept(body)
            if reason is not None:
                warn(f"no commands are accepted for now: {reason}")
                return
        await pause(asked)


async def _get(url: str) -> tuple[int, bytes]:
    """Ask a service on this machine; return status and body. Raises OSError, ValueError where that
    is no answer. An HTTP client of its own would take longer to load than all the rest of `up`.
    """
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        head = f"GET {parts.path}?{parts.query} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n"
        writer.write(head.encode())
        answer = await reader.read(-1)
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    _, status, *_ = head.split(b" ", 2)
    return int(status), body


def _why_it_does_not_accept(body: bytes) -> str | None:
    """Read the reason of a service that has its log and does not accept; `None` of any other."""
    try:
        told: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        # Somebody else's answer, such as a proxy's.
        return None
    match told:
        case {"accepting": False, "reason": str(reason), "checks": {"log": "ok"}}:
            return reason
        case _:
            return None


async def _unless(asked: asyncio.Event, work: Awaitable[None]) -> None:
    """Await the work, or drop it when it is to stop."""
    working = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future(asked.wait())
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        waiting.cancel()
        working.cancel()
        # Awaited, so that a request on its way is over before the loop is.
        await asyncio.gather(waiting, working, return_exceptions=True)
