"""Exports and waiting under the real server: what vanishes, breaks off or waits holds nobody up."""

import csv
import io
import json
import os
import signal
import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import psutil
import psycopg
import pytest
from sqlalchemy import make_url

from domain.events import ItemCreated
from ledger.bulk import insert_rows
from readmodel.app import POLLING
from readmodel.exports.routes import AT_ONCE
from readmodel.views.items import TABLES
from tests.readmodel.partitioned import AT, Partitioned
from tests.readmodel.test_process import serving
from tests.waiting import until

COUNT = 3000
# Requests beyond those that may wait.
MORE = 3
MEMBERS = ("name", "description", "price", "currency", "version", "created_at", "updated_at")
BODY = json.dumps({"id": "x" * 20_000, **dict.fromkeys((*MEMBERS, "deleted_at"))})


@pytest.fixture
def served(database_url: str) -> Iterator[httpx.Client]:
    """A catalogue of 60 MB: more than any buffer between server and client takes."""
    row = {
        "partition": 0,
        "version": 1,
        "name_key": "n",
        "price": 1,
        "currency": "EUR",
        "updated_at": AT,
        "deleted_at": None,
        "body": BODY,
    }
    with Partitioned.of(database_url, 1) as shop:
        with shop.engine.begin() as connection:
            rows = [{"item_id": f"n{n:05}", **row} for n in range(COUNT)]
            insert_rows(connection, TABLES[1], rows)
        with serving(database_url) as (_, client):
            yield client


def begun(client: httpx.Client, query: str = "") -> socket.socket:
    """Begin an export and take nothing of it but its first bytes."""
    port = client.base_url.port
    assert port is not None
    made = socket.create_connection(("127.0.0.1", port))
    made.sendall(f"GET /exports/items{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    assert made.recv(12) == b"HTTP/1.1 200"
    # It is closed with a reset, as by a client that was killed.
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return made


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_many_follow_and_take_no_thread_from_who_reads(database_url: str) -> None:
    with (
        Partitioned.of(database_url, 1),
        serving(database_url) as (process, client),
        ExitStack() as following,
    ):
        port = client.base_url.port
        assert port is not None
        for _ in range(150):
            made = following.enter_context(socket.create_connection(("127.0.0.1", port), 30))
            made.sendall(b"GET /changes/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert made.recv(12) == b"HTTP/1.1 200"
        assert client.get("/items?limit=1").status_code == 200
        assert psutil.Process(process.pid).num_threads() < 30


def test_clients_that_vanish_make_room_for_others(served: httpx.Client) -> None:
    with ExitStack() as running:
        for _ in range(AT_ONCE):
            running.enter_context(begun(served))
        assert served.get("/exports/items").json()["code"] == "too-many-exports"
        # Items are read all the same.
        assert served.get("/items?limit=1").status_code == 200
    answers: list[httpx.Response] = []

    def is_free() -> bool:
        answers.append(served.get("/exports/items"))
        return answers[-1].status_code == 200

    until(is_free, 30, "there is room again")
    whole = answers[-1]
    assert len(whole.content.splitlines()) == COUNT == int(whole.headers["Export-Items"])


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_an_export_whose_database_connection_dies_can_not_be_taken_for_whole(
    served: httpx.Client, postgresql_server: Any, database_url: str
) -> None:
    with (
        served.stream("GET", "/exports/items") as lines,
        served.stream("GET", "/exports/items?format=csv") as records,
    ):
        rest_of_lines, rest_of_records = lines.iter_raw(), records.iter_raw()
        next(rest_of_lines)
        beginning = next(rest_of_records)
        with psycopg.connect(postgresql_server.get_uri(), autocommit=True) as connection:
            # They stay so when nobody takes what they have read. Other tests have databases there.
            own = make_url(database_url).database
            idle = (
                f"FROM pg_stat_activity WHERE state LIKE 'idle in%' AND datname = '{own}'"
                " AND state_change < clock_timestamp() - interval '0.5 seconds'"
            )
            until(
                lambda: connection.execute(f"SELECT count(*) {idle}").fetchone() == (2,),
                30,
                "both exports wait for their clients",
            )
            connection.execute(f"SELECT pg_terminate_backend(pid) {idle}")
        with pytest.raises(httpx.RemoteProtocolError):
            for _ in rest_of_lines:
                pass
        text = (beginning + b"".join(rest_of_records)).decode()
    with pytest.raises(csv.Error, match="unexpected end"):
        list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert served.get("/items?limit=1").status_code == 200


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_as_many_wait_as_may_and_reads_go_on_beside_them(database_url: str) -> None:
    with (
        Partitioned.of(database_url, 1) as shop,
        serving(database_url) as (_, client),
        ThreadPoolExecutor(POLLING + MORE) as pool,
    ):
        url = f"{client.base_url}/changes"

        def wait() -> httpx.Response:
            return httpx.get(url, headers={"Prefer": "wait=30"}, timeout=60, trust_env=False)

        sent = [pool.submit(wait) for _ in range(POLLING + MORE)]
        until(lambda: sum(each.done() for each in sent) == MORE, 60, "all places are taken")
        assert client.get("/items").status_code == 200
        assert client.get("/health/live").status_code == 200
        at_once = [each.result() for each in sent if each.done()]
        shop.add(0, ItemCreated("lamp", AT, AT, "Lamp", None, 100, "EUR"))
        answers = [each.result() for each in sent]
    assert [each.headers.get("Preference-Applied") for each in at_once] == [None] * MORE
    waited = [each for each in answers if each not in at_once]
    assert {each.headers.get("Preference-Applied") for each in waited} == {"wait=30"}
    assert [len(each.json()["changes"]) for each in waited] == [1] * POLLING


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_those_who_wait_are_answered_when_the_server_is_to_stop(
    database_url: str, number: signal.Signals
) -> None:
    with (
        Partitioned.of(database_url, 1),
        serving(database_url) as (process, client),
        ThreadPoolExecutor(POLLING + MORE) as pool,
    ):
        url, asks = f"{client.base_url}/changes", {"Prefer": "wait=30"}
        sent = [
            pool.submit(httpx.get, url, headers=asks, timeout=60, trust_env=False)
            for _ in range(POLLING + MORE)
        ]
        until(lambda: sum(each.done() for each in sent) == MORE, 60, "all places are taken")
        # As Ctrl-C does, to all of them.
        os.killpg(process.pid, number)
        assert [each.result().json()["changes"] for each in sent] == [[]] * len(sent)
        assert process.wait(30) == 0
        assert process.stderr is not None
        assert "Killing" not in process.stderr.read()
