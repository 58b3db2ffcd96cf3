import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.generator import is_whole
from bench.load import Traffic, closed, kept, opened, render
from bench.sides import Side


@dataclass(slots=True)
class Asked:
    """A server that answers 404 to some, and whom it was asked for."""

    side: Side
    paths: list[str] = field(default_factory=list[str])


@pytest.fixture
def asked() -> Iterator[Asked]:
    paths: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(404 if self.path == "/missing" else 200)
            self.send_header("X-Path", self.path)
            self.send_header("Content-Length", "3")
            self.end_headers()
            self.wfile.write(b"yes")

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Asked(Side("answers", [server.server_address[1]], []), paths)
        server.shutdown()
        thread.join()


@pytest.fixture
def traffic(tmp_path: Path) -> Traffic:
    requests = [render("GET", path) for path in ("/a", "/missing", "/b")]
    return Traffic.of(tmp_path / "requests", requests)


def test_every_answer_is_counted_and_errors_are_not_good(asked: Asked, traffic: Traffic) -> None:
    sample = closed(asked.side, traffic, 0.05, connections=2)
    assert sample.count + sample.errors == len(asked.paths) == traffic.sent
    assert sample.errors == asked.paths.count("/missing") > 0


def test_the_next_run_goes_on_where_the_last_ended(asked: Asked, tmp_path: Path) -> None:
    # All good: a run in which nothing is, ends the measurement, and it may be one request long.
    pages = ["/a", "/b", "/c"]
    traffic = Traffic.of(tmp_path / "good", [render("GET", page) for page in pages])
    for _ in range(3):
        closed(asked.side, traffic, 0.02, connections=1)
    assert asked.paths == (pages * len(asked.paths))[: len(asked.paths)]


def test_a_batch_counts_as_many_as_it_holds(asked: Asked, tmp_path: Path) -> None:
    batches = Traffic.of(tmp_path / "batches", [render("GET", "/a")], weight=100)
    assert closed(asked.side, batches, 0.05, connections=1).count == 100 * len(asked.paths)


def test_an_open_loop_sends_what_is_due_and_not_what_was_answered(
    asked: Asked, traffic: Traffic
) -> None:
    sample = opened(asked.side, traffic, 0.5, rate=200)
    # Drawn from the same dice every time.
    assert sample.count + sample.errors == len(asked.paths)
    assert 60 < len(asked.paths) < 140


def test_a_header_of_each_answer_is_kept(asked: Asked, tmp_path: Path) -> None:
    alone = Traffic.of(tmp_path / "requests", [render("GET", "/a"), render("GET", "/b")])
    told = kept(asked.side, alone, 0.1, 100, "x-path")
    assert sorted(path for _, path in told) == sorted(asked.paths)


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not on PATH")
def test_wrk_sends_the_same_requests_from_where_they_go_on(asked: Asked, traffic: Traffic) -> None:
    traffic.sent = 1
    sample = closed(asked.side, traffic, 1, connections=1)
    assert asked.paths[:4] == ["/missing", "/b", "/a", "/missing"]
    assert 0 <= len(asked.paths) - (sample.count + sample.errors) <= 1
    assert sample.errors > 0


@pytest.mark.parametrize(
    ("answer", "whole"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", False),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\ncontent-le", False),
        (b"HTTP/1.1 304 NOT MODIFIED\r\netag: x\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", True),
    ],
)
def test_an_answer_is_known_to_be_whole(answer: bytes, whole: bool) -> None:
    assert is_whole(answer) is whole
