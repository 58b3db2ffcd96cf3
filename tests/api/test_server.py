"""What only the real server shows: bytes that are no HTTP, clients that leave, endings."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from api.server import make_server
from runtime.settings import Settings
from tests.ports import free_port
from tests.runtime.waiting import clean_environment
from tests.waiting import until


@dataclass(frozen=True, slots=True)
class Running:
    process: subprocess.Popen[bytes]
    port: int

    def exchange(self, sent: bytes) -> bytes:
        """Send bytes and read until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection:
            connection.settimeout(20)
            connection.sendall(sent)
            received = b""
            while data := connection.recv(1 << 16):
                received += data
        return received


def answers(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def api(valkey_url: str) -> Iterator[Running]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "api"],
        env=clean_environment(
            ITEMLEDGER_REDIS_URL=valkey_url,
            ITEMLEDGER_PARTITIONS="1",
            ITEMLEDGER_COMMAND_PORT=str(port),
            ITEMLEDGER_COMMAND_URL="http://command.test",
        ),
        stderr=subprocess.PIPE,
    )
    try:
        until(lambda: answers(port), 30, "the api answers")
        yield Running(process, port)
    finally:
        process.kill()
        process.communicate()


def problem_of(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head.lower()
    document = json.loads(body)
    assert int(head.split()[1]) == document["status"]
    return document["status"], document["code"]


def test_what_the_server_itself_refuses_is_a_problem_too(api: Running) -> None:
    for garbage in (
        b"\x16\x03\x01\x02\x00\r\n\r\n",
        b"BREW /items HTTP/1.1\r\nHost: command.test\r\n\r\n",
        b"POST /items HTTP/1.1\r\nHost: command.test\r\nContent-Length: -1\r\n\r\n",
    ):
        assert problem_of(api.exchange(garbage)) == (400, "bad-request")

    long = b"POST /items HTTP/1.1\r\nHost: command.test\r\nContent-Length: %d\r\n\r\n" % (9 << 20)
    assert problem_of(api.exchange(long + b" " * (9 << 20))) == (413, "body-too-large")


def test_a_client_that_leaves_in_the_middle_is_no_error(api: Running) -> None:
    with socket.create_connection(("127.0.0.1", api.port), 10) as leaving:
        leaving.sendall(
            b"POST /items HTTP/1.1\r\nHost: command.test\r\nContent-Type: application/json\r\n"
            b'Content-Length: 99\r\n\r\n{"name":'
        )
    # Answered after the other one has left, in the same loop.
    api.exchange(b"GET /health/live HTTP/1.1\r\nHost: command.test\r\nConnection: close\r\n\r\n")
    api.process.send_signal(signal.SIGTERM)
    _, log = api.process.communicate(timeout=30)

    assert b"Traceback" not in log
    assert b'"error"' not in log


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_an_exit_code_of_its_own(api: Running, signum: signal.Signals) -> None:
    os.kill(api.process.pid, signum)

    assert api.process.wait(30) == 0


def test_nobody_says_in_a_header_to_come_from_elsewhere(settings: Settings) -> None:
    async def application(_: Any, __: Any, ___: Any) -> None: ...

    config = make_server(application, settings).config
    config.load()

    assert config.loaded_app is application


def test_an_idle_connection_is_kept_longer_than_clients_and_proxies_keep_theirs(
    settings: Settings,
) -> None:
    async def application(_: Any, __: Any, ___: Any) -> None: ...

    assert make_server(application, settings).config.timeout_keep_alive > 60
