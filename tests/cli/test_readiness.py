import asyncio
import json
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager

import pytest

from cli.readiness import await_ready
from runtime.settings import Settings

REASON = "1 replicas of the log's Redis are online and 2 have to have a command"
READY = (200, "")


def not_accepting(log: str) -> str:
    return json.dumps({"accepting": False, "reason": REASON, "checks": {"log": log}})


@contextmanager
def listening() -> Generator[tuple[socket.socket, Settings]]:
    """Both services at one address that somebody listens at."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
        yield place, Settings(command_port=port, query_port=port)


def told(*answers: tuple[int, str]) -> tuple[list[str], list[str]]:
    """Answer the looks in this order, and every later one with 200; return what was asked for and
    what was warned of.
    """
    left, asked, said = list(answers), list[str](), list[str]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.split()[1].decode())
        status, body = left.pop(0) if left else READY
        writer.write(f"HTTP/1.1 {status} Told\r\nX: y\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()

    async def scenario() -> None:
        with listening() as (place, settings):
            async with await asyncio.start_server(answer, sock=place):
                await await_ready(settings, asyncio.Event(), said.append)

    asyncio.run(scenario())
    assert left == []
    return asked, said


def test_a_look_that_is_not_answered_does_not_hold_up_who_is_to_stop() -> None:
    async def scenario() -> None:
        asked, looked = asyncio.Event(), asyncio.Event()

        async def mute(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            looked.set()
            await asked.wait()
            writer.close()

        with listening() as (place, settings):
            async with await asyncio.start_server(mute, sock=place):
                waiting = asyncio.create_task(await_ready(settings, asked, print))
                await looked.wait()
                asked.set()
                await waiting

    asyncio.run(scenario())


def test_a_service_that_merely_does_not_accept_serves_and_its_reason_is_told() -> None:
    _, said = told((503, not_accepting("ok")))

    assert said == [f"no commands are accepted for now: {REASON}"]


def test_it_is_not_asked_whether_what_waits_gets_any_further() -> None:
    asked, _ = told()

    assert asked == ["/health/ready?for=writes", "/health/ready?for=reads"]


@pytest.mark.parametrize(
    "answer",
    [
        (503, not_accepting("does not answer")),
        (502, "<p>Bad Gateway"),
        (503, '["not", "ready"]'),
        (503, ""),
    ],
)
def test_a_service_without_its_log_or_with_an_answer_of_another_is_waited_for(
    answer: tuple[int, str],
) -> None:
    asked, said = told(answer)

    assert len(asked) == 3
    assert said == []


@pytest.mark.parametrize("said", [b"", b"SSH-2.0\r\n", b"HTTP/1.1 soon\r\n\r\n"])
def test_what_is_no_answer_at_all_is_waited_for(said: bytes) -> None:
    looks: list[int] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        looks.append(1)
        writer.write(said if len(looks) == 1 else b"HTTP/1.1 204 Fine\r\n\r\n")
        writer.close()

    async def scenario(warn: Callable[[str], None]) -> None:
        with listening() as (place, settings):
            async with await asyncio.start_server(answer, sock=place):
                await await_ready(settings, asyncio.Event(), warn)

    warnings: list[str] = []
    asyncio.run(scenario(warnings.append))
    assert (len(looks), warnings) == (3, [])
