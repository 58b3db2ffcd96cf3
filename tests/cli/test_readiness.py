import asyncio

import httpx
import pytest

from cli.readiness import await_ready
from runtime.settings import Settings


class Slow(httpx.AsyncBaseTransport):
    """Never answers, and notes that a request was over before it was closed itself."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.notes: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            # As a connection that is given back: over only some turns later.
            for _ in range(20):
                await asyncio.sleep(0)
            self.notes.append("over")
        raise AssertionError

    async def aclose(self) -> None:
        self.notes.append("closed")


def test_a_request_on_its_way_is_over_before_its_client_is_closed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interrupted() -> list[str]:
        slow, asked = Slow(), asyncio.Event()
        client = httpx.AsyncClient(transport=slow)
        monkeypatch.setattr("httpx.AsyncClient", lambda **_: client)
        waiting = asyncio.create_task(await_ready(settings, asked))
        await slow.asked.wait()
        asked.set()
        await waiting
        return slow.notes

    *before, last = asyncio.run(interrupted())
    assert set(before) == {"over"}
    assert last == "closed"
