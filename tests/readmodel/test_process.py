"""The process itself, under its real server."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from domain.events import ItemCreated

AT = 1_763_798_400_000
ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from readmodel.main import run
from runtime.settings import Settings
sys.exit(run(Settings()))
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(database_url: str, port: int) -> subprocess.Popen[str]:
    ours = {
        "ITEMLEDGER_DATABASE_URL": database_url,
        "ITEMLEDGER_QUERY_PORT": str(port),
        "ITEMLEDGER_REDIS_URL": "redis://127.0.0.1:1",
        "ITEMLEDGER_LOG_FORMAT": "json",
    }
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=os.environ | ours,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_until_it_answers(process: subprocess.Popen[str], client: httpx.Client) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            assert client.get("/health/live").status_code == 200
        except httpx.ConnectError:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
                pytest.fail(f"it ended instead: {process.communicate()[1]}")
        else:
            return
    pytest.fail("it does not answer")


@contextmanager
def serving(database_url: str) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    port = free_port()
    process = start(database_url, port)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            wait_until_it_answers(process, client)
            yield process, client
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_the_server_answers_as_the_application_does(database_url: str, ledger: Any) -> None:
    ledger.add(ItemCreated("lamp", AT, AT, "Läßt leuchten ☀", None, 1, "EUR"))
    with serving(database_url) as (_, client):
        got, head = client.get("/items/lamp"), client.head("/items/lamp")
        assert got.json()["name"] == "Läßt leuchten ☀"
        assert head.content == b""
        for name in ("ETag", "Content-Length", "Content-Type", "Cache-Control", "Vary"):
            assert head.headers[name] == got.headers[name]
        assert client.get("/items/lamp", headers={"If-None-Match": '"1"'}).status_code == 304
        assert client.get("/items").json()["next"] is None
        assert client.get("/nothing").json()["code"] == "not-found"
        # No Redis is there at all.
        assert client.get("/commands/c-1").json()["code"] == "log-unavailable"
        assert client.get("/health/ready").status_code == 503


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("to", ["parent", "group"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_ends_it_with_exit_code_0_and_leaves_no_process(
    database_url: str, number: signal.Signals, to: str
) -> None:
    with serving(database_url) as (process, _):
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        if to == "parent":
            process.send_signal(number)
        else:
            os.killpg(process.pid, number)
        assert process.wait(10) == 0
        assert psutil.wait_procs(children, 5)[1] == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_killed_parent_takes_its_child_along(database_url: str) -> None:
    with serving(database_url) as (process, _):
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        process.kill()
        assert psutil.wait_procs(children, 5)[1] == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_killed_child_ends_the_parent_with_an_exit_code_that_is_not_0(database_url: str) -> None:
    with serving(database_url) as (process, _):
        psutil.Process(process.pid).children(recursive=True)[-1].kill()
        assert process.wait(10) == 1


def refused(process: subprocess.Popen[str]) -> str:
    """Return the one line it wrote before it ended with exit code 1."""
    said = process.communicate(timeout=30)[1]
    assert process.returncode == 1
    (line,) = said.splitlines()
    return line


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_taken_port_is_told_in_one_line(database_url: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = refused(start(database_url, port))
    assert f"port {port}" in line
    assert "ITEMLEDGER_QUERY_PORT" in line


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_second_query_process_does_not_share_the_port_of_the_first(database_url: str) -> None:
    with serving(database_url) as (_, client):
        assert "cannot listen" in refused(start(database_url, client.base_url.port))


def test_a_missing_database_is_told_in_one_line(tmp_path: Path) -> None:
    line = refused(start(f"sqlite:///{tmp_path / 'none.db'}", free_port()))
    assert "itemledger migrate" in line


def test_a_missing_schema_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    line = refused(start(f"sqlite:///{tmp_path / 'empty.db'}", free_port()))
    assert "itemledger migrate" in line


def test_a_database_server_that_is_down_is_told_in_one_line() -> None:
    line = refused(start("postgresql+psycopg://u:hidden@127.0.0.1:1/x", free_port()))
    assert "ITEMLEDGER_DATABASE_URL" in line
    assert "hidden" not in line
