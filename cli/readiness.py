"""Wait until both services say that they are ready."""

import asyncio
import contextlib
from collections.abc import Awaitable

import httpx

from cli.pause import pause
from cli.refusals import FAILED, Refusal
from runtime.settings import Settings

_DEADLINE = 30.0
_REQUEST_TIMEOUT = 5.0


async def await_ready(settings: Settings, asked: asyncio.Event) -> None:
    """Return when both answer, or when it is to stop; Refusal where one does not become ready."""
    services = {
        "command API": settings.local_command_url,
        "query API": settings.local_query_url,
    }
    # No proxy of the environment stands between us and this machine.
    async with httpx.AsyncClient(trust_env=False, timeout=_REQUEST_TIMEOUT) as client:
        for name, url in services.items():
            ready = _unless(asked, _is_ready(client, f"{url}/health/ready", asked))
            try:
                await asyncio.wait_for(ready, _DEADLINE)
            except TimeoutError:
                raise Refusal(
                    f"the {name} did not become ready within {_DEADLINE:g} s: "
                    f"its lines above say why, or ask {url}/health/ready while it runs",
                    FAILED,
                ) from None


async def _is_ready(client: httpx.AsyncClient, url: str, asked: asyncio.Event) -> None:
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if (await client.get(url)).is_success:
                return
        await pause(asked)


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
        # Awaited, so that a request on its way is over before its client is closed.
        await asyncio.gather(waiting, working, return_exceptions=True)
