"""A load generator: a process of its own that sends requests rendered before, over sockets that
are kept, one at a time on each.

    python bench/generator.py '{"ports": [8000], "requests": FILE, "seconds": 4, …}'

Without `rate` it is a closed loop: each of the connections sends its next request when it has its
answer. With `rate` it is an open one: requests are due at random moments, so many per second in the
mean, whether answers have come or not, and an answer's time counts from when its request was due;
a side that stalls pays for all that were due meanwhile. Prints what it came to as JSON.
"""

import json
import random
import re
import select
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_CHUNKED = re.compile(rb"(?i)\r\ntransfer-encoding: *chunked")
_BODILESS = (b"304", b"204")
_PATIENCE = 30.0
FRAME = struct.Struct(">IB")


def frames(path: Path) -> list[tuple[int, bytes]]:
    """Read requests with the number of the port each goes to."""
    data, at, found = path.read_bytes(), 0, list[tuple[int, bytes]]()
    while at < len(data):
        length, port = FRAME.unpack_from(data, at)
        at += FRAME.size + length
        found.append((port, data[at - length : at]))
    return found


class Connection:
    __slots__ = ("due", "port", "received", "socket")

    def __init__(self, address: tuple[str, int], port: int) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.port = port
        self.due = 0.0
        self.received = b""


class Generator:
    def __init__(self, given: dict[str, Any]) -> None:
        self._ports: list[int] = given["ports"]
        self._requests = frames(Path(given["requests"]))
        self._at: int = given["start"]
        self._seconds: float = given["seconds"]
        self._rate: float | None = given["rate"]
        self._limit: int = given["connections"]
        self._kept = re.compile(rb"(?i)\r\n" + given["keep"].encode() + rb": *([^\r]*)")
        self._keeps = bool(given["keep"])
        self._poll = select.epoll()
        self._by_number: dict[int, Connection] = {}
        self._idle: list[list[Connection]] = [[] for _ in self._ports]
        self._flying = 0
        self._dice = random.Random(7)  # noqa: S311  of a bench
        self.times: list[float] = []
        self.kept: list[tuple[float, str]] = []
        self.statuses: dict[str, int] = {}

    def run(self) -> float:
        """Send until the time is over and all answers are there; return the seconds of both."""
        begun = time.monotonic()
        if self._rate is None:
            self._closed(begun + self._seconds)
        else:
            self._open(begun)
        return time.monotonic() - begun

    def _closed(self, until: float) -> None:
        for _ in range(self._limit):
            self._send(time.monotonic())
        while self._flying:
            for finished in self._answers(_PATIENCE):
                now = time.monotonic()
                self._finish(finished, now)
                if now < until:
                    self._send(now)

    def _open(self, begun: float) -> None:
        moments, waiting = self._moments(begun), deque[float]()
        due = next(moments, None)
        while due is not None or waiting or self._flying:
            now = time.monotonic()
            while due is not None and due <= now:
                waiting.append(due)
                due = next(moments, None)
            while waiting and self._flying < self._limit:
                self._send(waiting.popleft())
            patience = _PATIENCE if due is None else max(0.0, due - time.monotonic())
            for finished in self._answers(patience):
                self._finish(finished, time.monotonic())

    def _moments(self, begun: float) -> Iterator[float]:
        moment = begun
        while (moment := moment + self._dice.expovariate(self._rate or 1)) < begun + self._seconds:
            yield moment

    def _send(self, due: float) -> None:
        port, request = self._requests[self._at % len(self._requests)]
        self._at += 1
        idle = self._idle[port]
        connection = idle.pop() if idle else self._connect(port)
        connection.due = due
        connection.socket.sendall(request)
        self._flying += 1

    def _connect(self, port: int) -> Connection:
        made = Connection(("127.0.0.1", self._ports[port]), port)
        self._by_number[made.socket.fileno()] = made
        self._poll.register(made.socket, select.EPOLLIN)
        return made

    def _answers(self, patience: float) -> Iterator[Connection]:
        # epoll waits for whole milliseconds only.
        ready, _, _ = select.select([self._poll], [], [], patience)
        if not ready and patience == _PATIENCE:
            raise SystemExit(f"no answer within {_PATIENCE:g} s")
        for number, _ in self._poll.poll(0) if ready else ():
            connection = self._by_number[number]
            received = connection.socket.recv(262_144)
            if not received:
                raise SystemExit("a connection was closed before its answer")
            connection.received += received
            if is_whole(connection.received):
                yield connection

    def _finish(self, connection: Connection, now: float) -> None:
        answer = connection.received
        status = answer[9:12].decode()
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.times.append(now - connection.due)
        if self._keeps and (found := self._kept.search(answer)):
            self.kept.append((now, found[1].decode()))
        connection.received = b""
        self._flying -= 1
        if b"\r\nconnection: close" in answer[:1000].lower():
            self._poll.unregister(connection.socket)
            connection.socket.close()
        else:
            self._idle[connection.port].append(connection)


def is_whole(answer: bytes) -> bool:
    """Tell whether an answer is there to its end."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = answer[: end + 2]
    if answer[9:12] in _BODILESS:
        return True
    if length := _LENGTH.search(head):
        return len(answer) >= end + 4 + int(length[1])
    if _CHUNKED.search(head):
        return answer.endswith(b"0\r\n\r\n")
    raise SystemExit(f"an answer says not how long it is: {head!r}")


def main() -> None:
    given: dict[str, Any] = json.loads(sys.argv[1])
    generator = Generator(given)
    # What was read before the first request is no part of the load.
    before = time.process_time()
    seconds = generator.run()
    times = sorted(1000 * each for each in generator.times)
    told = {
        "seconds": seconds,
        "count": len(times),
        "statuses": generator.statuses,
        "p50": times[len(times) // 2] if times else None,
        "p99": times[int(len(times) * 0.99)] if times else None,
        "cpu": time.process_time() - before,
        "kept": generator.kept,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
