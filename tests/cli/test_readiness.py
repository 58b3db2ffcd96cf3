import asyncio
from typing import Any

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
        waiting = asyncio.create_task(await_ready(settings, asked, print))
        await slow.asked.wait()
        asked.set()
        await waiting
        return slow.notes

    *before, last = asyncio.run(interrupted())
    assert set(before) == {"over"}
    assert last == "closed"


REASON = "1 replicas of the log's Redis are online and 2 have to have a command"


def not_accepting(log: str) -> dict[str, Any]:
    return {"accepting": False, "reason": REASON, "checks": {"log": log}}


def warnings_until_served(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, *answers: httpx.Response
) -> list[str]:
    """Answer the looks in this order, and every later one with 200."""
    left = list(answers)
    transport = httpx.MockTransport(lambda _: left.pop(0) if left else httpx.Response(200))
    client = httpx.AsyncClient(transport=transport)
    monkeypatch.setattr("httpx.AsyncClient", lambda **_: client)
    said: list[str] = []
    asyncio.run(await_ready(settings, asyncio.Event(), said.append))
    assert left == []
    return said


def test_a_service_that_merely_does_not_accept_serves_and_its_reason_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = httpx.Response(503, json=not_accepting("ok"))

    assert warnings_until_served(settings, monkeypatch, refusing) == [
        f"no commands are accepted for now: {REASON}"
    ]


def test_it_is_not_asked_whether_what_waits_gets_any_further(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.url.path}?{request.url.query.decode()}")
        return httpx.Response(200)

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    monkeypatch.setattr("httpx.AsyncClient", lambda **_: client)
    asyncio.run(await_ready(settings, asyncio.Event(), print))

    assert asked == ["/health/ready?for=writes", "/health/ready?for=reads"]


def test_a_service_without_its_log_or_with_an_answer_of_another_is_waited_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = httpx.Response(503, json=not_accepting("does not answer"))
    of_a_proxy = httpx.Response(502, text="<p>Bad Gateway")
    not_ready = httpx.Response(503, json=["not", "ready"])

    assert warnings_until_served(settings, monkeypatch, away, of_a_proxy, not_ready) == []
