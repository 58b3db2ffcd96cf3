"""A burst is worked at in turns, and who is slow holds nobody up."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from api.turnstile import Turnstile, only_waits_now
from eventlog import keys
from tests.api.conftest import Service
from tests.api.test_items import LAMP
from tests.waiting import until as waits

WHOLE: Message = {"type": "http.request", "body": b"{}", "more_body": False}


class Inside:
    """An application that counts who is inside, and lets them out when it is told to."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.out = asyncio.Event()
        self.waits = False

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        await receive()
        self.inside += 1
        self.most = max(self.most, self.inside)
        if self.waits:
            only_waits_now()
        await self.out.wait()
        self.inside -= 1
        await send({"type": "http.response.start", "status": 200, "headers": []})


async def nowhere(_: Message) -> None:
    pass


async def at_once() -> Message:
    return WHOLE


async def never() -> Message:
    await asyncio.Event().wait()
    return WHOLE


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not done():  # noqa: ASYNC110  an event there is none of
            await asyncio.sleep(0)  # others have their turn


def run(turnstile: Turnstile, receive: Receive, path: str = "/items") -> asyncio.Task[None]:
    scope: dict[str, Any] = {"type": "http", "path": path}
    return asyncio.create_task(turnstile(scope, receive, nowhere))  # type: ignore[arg-type]


def test_no_more_than_the_width_are_inside_and_all_have_their_turn() -> None:
    async def scenario() -> None:
        inside = Inside()
        turnstile = Turnstile(inside, "/imports", asyncio.Semaphore(3))
        tasks = [run(turnstile, at_once) for _ in range(10)]
        await until(lambda: inside.inside == 3)
        inside.out.set()
        await asyncio.gather(*tasks)
        assert inside.most == 3

    asyncio.run(scenario())


def test_who_only_waits_is_not_counted() -> None:
    async def scenario() -> None:
        inside = Inside()
        inside.waits = True
        tasks = [
            run(Turnstile(inside, "/imports", asyncio.Semaphore(1)), at_once) for _ in range(2)
        ]
        turnstile = Turnstile(inside, "/imports", asyncio.Semaphore(1))
        tasks += [run(turnstile, at_once) for _ in range(50)]
        await until(lambda: inside.inside == 52)
        inside.out.set()
        await asyncio.gather(*tasks)

    asyncio.run(scenario())


@pytest.mark.parametrize("path", ["/items", "/imports"])
def test_who_is_slow_to_send_or_streams_holds_nobody_up(path: str) -> None:
    async def scenario() -> None:
        inside = Inside()
        turnstile = Turnstile(inside, "/imports", asyncio.Semaphore(1))
        slow = [run(turnstile, never, path) for _ in range(5)]
        quick = run(turnstile, at_once)
        await until(lambda: inside.inside == 1)
        inside.out.set()
        await quick
        for each in slow:
            each.cancel()
        await asyncio.gather(*slow, return_exceptions=True)

    asyncio.run(scenario())


def test_a_request_that_fails_gives_its_turn_back() -> None:
    async def broken(_: Scope, receive: Receive, __: Send) -> None:
        await receive()
        raise ZeroDivisionError

    async def scenario() -> None:
        turnstile = Turnstile(broken, "/imports", asyncio.Semaphore(1))
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await run(turnstile, at_once)

    asyncio.run(scenario())


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only one request has its turn."""
    monkeypatch.setattr("api.turnstile.WIDTH", 1)


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("atomic", [None, False, True], ids=["one", "batch", "atomic"])
def test_commands_that_wait_for_their_outcome_let_the_next_ones_in(
    service: Service, atomic: Any
) -> None:
    rows = {"atomic": atomic, "commands": [{"op": "put", "id": "a", **LAMP}]}
    method, path, body = ("PUT", "/items/a", LAMP)
    if atomic is not None:
        method, path, body = "POST", "/items/batch", rows
    ask = service.client.request
    with ThreadPoolExecutor() as threads:
        with service.resting_worker():
            first = threads.submit(ask, method, path, json=body, headers={"Prefer": "wait=30"})
            waits(lambda: service.world.redis.exists(keys.log(0)) == 1, 30, "it is on the log")
            assert service.client.put("/items/b", json=LAMP).status_code == 202
            assert not first.done()
        assert first.result().is_success
