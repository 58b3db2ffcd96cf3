"""The process itself, under its real server."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from sqlalchemy import Engine

from domain.events import ItemCreated
from ledger import tables
from readmodel.main import partition_count, run
from runtime.settings import Settings
from tests.ports import free_port

AT = 1_763_798_400_000
ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from readmodel.main import run
from runtime.settings import Settings
sys.exit(run(Settings()))
"""


def start(database_url: str, port: int, **more: str) -> subprocess.Popen[str]:
    ours = {
        "ITEMLEDGER_DATABASE_URL": database_url,
        "ITEMLEDGER_QUERY_PORT": str(port),
        "ITEMLEDGER_REDIS_URL": "redis://127.0.0.1:1",
        "ITEMLEDGER_LOG_FORMAT": "json",
        **more,
    }
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=os.environ | ours,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_until_it_answers(process: subprocess.Popen[str], client: httpx.Client) -> None:
    deadline = time.monotonic() + 60
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
def serving(database_url: str, **more: str) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    port = free_port()
    process = start(database_url, port, **more)
    try:
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
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
        ready = client.get("/health/ready")
        assert (ready.status_code, "log" in ready.json()["degraded"]) == (200, True)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("number", "whom"), [(signal.SIGTERM, "parent"), (signal.SIGINT, "whole terminal")]
)
def test_a_stop_signal_ends_it_with_exit_code_0_and_leaves_no_process(
    database_url: str, number: signal.Signals, whom: str
) -> None:
    with serving(database_url) as (process, _):
        # There is no other to outlive it.
        assert psutil.Process(process.pid).children(recursive=True) == []
        if whom == "parent":
            process.send_signal(number)
        else:
            os.killpg(process.pid, number)
        assert process.wait(30) == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_requests_are_logged_and_traced_where_that_is_wanted(
    database_url: str, ledger: Any
) -> None:
    ledger.add(ItemCreated("lamp", AT, AT, "Lamp", None, 1, "EUR"))
    wanted = {"ITEMLEDGER_LOG_REQUESTS": "true", "OTEL_TRACES_EXPORTER": "console"}
    with serving(database_url, **wanted) as (process, client):
        # An item would be answered by the loop itself otherwise.
        for path in ("/items/lamp", "/items"):
            client.get(path, headers={"X-Request-ID": f"of{path.replace('/', '-')}"})
        process.send_signal(signal.SIGTERM)
        spans, lines = process.communicate(timeout=60)
    told = [json.loads(each) for each in lines.splitlines()]
    answered = [(each["path"], each["request_id"]) for each in told if "request_id" in each]
    assert answered == [("/items/lamp", "of-items-lamp"), ("/items", "of-items")]
    assert {f'"name": "GET {each}"' in spans for each in ("/items/{item_id}", "/items")} == {True}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_no_http_is_a_problem_too(database_url: str) -> None:
    with serving(database_url) as (_, client):
        address = "127.0.0.1", client.base_url.port
        with socket.create_connection(address, 10) as connection:
            connection.sendall(b"\x16\x03\x01\x02\x00\r\n\r\n")
            answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["code"] == "bad-request"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_second_query_process_does_not_share_the_port_of_the_first(database_url: str) -> None:
    with serving(database_url) as (_, client):
        second = start(database_url, client.base_url.port)
        said = second.communicate(timeout=60)[1]
    assert second.returncode == 1
    (line,) = said.splitlines()
    assert "cannot listen" in line
    assert "ITEMLEDGER_QUERY_PORT" in line


@pytest.fixture
def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Return the one line that `run` wrote before it returned the exit code."""

    def refused(code: int = 1, **settings: Any) -> str:
        monkeypatch.setattr("readmodel.main.configure_logging", lambda *_: None)
        assert run(Settings(_env_file=None, query_port=free_port(), **settings)) == code
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("itemledger query: ")
        return line

    return refused


def test_a_missing_database_is_told_in_one_line(
    tmp_path: Path, refused: Callable[..., str]
) -> None:
    line = refused(database_url=f"sqlite:///{tmp_path / 'none.db'}")
    assert "itemledger migrate" in line


def test_a_missing_schema_is_told_in_one_line(tmp_path: Path, refused: Callable[..., str]) -> None:
    (tmp_path / "empty.db").touch()
    line = refused(database_url=f"sqlite:///{tmp_path / 'empty.db'}")
    assert "itemledger migrate" in line


def test_a_database_server_that_is_down_is_told_in_one_line(refused: Callable[..., str]) -> None:
    line = refused(3, database_url="postgresql+psycopg://u:hidden@127.0.0.1:1/x")
    assert "ITEMLEDGER_DATABASE_URL" in line
    assert "hidden" not in line


def test_an_address_that_is_none_of_this_machine_is_told_in_one_line(
    sqlite_url: str, refused: Callable[..., str]
) -> None:
    line = refused(database_url=sqlite_url, host="192.0.2.1")
    assert "ITEMLEDGER_HOST" in line


def test_the_partition_count_is_that_of_the_settings_else_of_the_ledger(
    database_url: str, ledger: Any, engine: Engine
) -> None:
    unset = Settings(_env_file=None, database_url=database_url, redis_url="redis://x")
    assert partition_count(unset, engine) == unset.default_partitions
    with ledger.engine.begin() as connection:
        connection.execute(tables.facts.insert().values(name="partitions", value="3"))
    assert partition_count(unset, engine) == 3
    assert partition_count(unset.model_copy(update={"partitions": 5}), engine) == 5
