"""What followers of the stream cost those who read items.

    python bench/streams.py [--followers 500] [--seconds 20] [--pairs 3] [--per-second 20]
        [--database-url URL]

A service of its own. Items are read at a steady rate, first with nobody following, then beside so
many followers of `/changes/stream`; all the while commands arrive at a steady rate, and each change
is sent to every follower. It is told how long reads took, from the moment at which each was due,
and how late changes came to followers after the answer to their command.
"""

import argparse
import asyncio
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.journey import Deployment

_ITEMS = 200
_READ_EVERY = 0.002
_SETTLING = 2.0
_PATIENCE = 60.0
# How the data of an event begins.
_BEGIN = b"\ndata: {"


@dataclass(slots=True)
class Measured:
    """Seconds that reads took, and from an answered command to its change at a follower."""

    reads: list[float] = field(default_factory=list[float])
    delays: list[float] = field(default_factory=list[float])
    received: int = 0

    def line(self, name: str) -> str:
        told = f"{name:16}{len(self.reads):8} reads, {_ms(self.reads)}"
        if self.delays:
            told += f"; {self.received} changes received, late by {_ms(self.delays)}"
        return told


def _ms(seconds: Sequence[float]) -> str:
    p50, p99 = (1000 * sorted(seconds)[int(len(seconds) * share)] for share in (0.5, 0.99))
    return f"p50 {p50:.2f} ms, p99 {p99:.2f} ms"


def _read(port: int, pipe: Connection) -> None:
    """Read items at a steady rate until told to end, in a process of its own and with a bare
    socket: what the client costs would be measured along. A read that is due while the one before
    is not answered yet has waited since then.
    """
    request = "GET /items/s-{} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    seconds: list[float] = []
    with socket.create_connection(("127.0.0.1", port), _PATIENCE) as server:
        due = time.perf_counter()
        while not pipe.poll():
            server.sendall(request.format(len(seconds) % _ITEMS).encode())
            answer = server.recv(65536)
            if not answer.startswith(b"HTTP/1.1 200 "):
                raise SystemExit(f"a read is answered {answer[:40]!r}")
            seconds.append(time.perf_counter() - due)
            due += _READ_EVERY
            # As others do, who have something else to do between two reads.
            time.sleep(max(0.0, due - time.perf_counter()))
    # The first ones met processes and connections that were just being made.
    pipe.send(seconds[int(_SETTLING / _READ_EVERY) :])


async def _write(
    command_url: str, per_second: int, answered: dict[int, float], seconds: float
) -> int:
    """Give items prices that were never there: by its price a change is known. Return how many."""
    async with httpx.AsyncClient(base_url=command_url, timeout=_PATIENCE, trust_env=False) as http:
        begun = time.perf_counter()
        written = 0
        while (passed := time.perf_counter() - begun) < seconds:
            if written < passed * per_second:
                price = 1_000_000 + len(answered)
                answer = await http.patch(f"/items/s-{price % _ITEMS}", json={"price": price})
                answer.raise_for_status()
                answered[price] = time.perf_counter()
                written += 1
            else:
                await asyncio.sleep(0.002)
    return written


@dataclass(slots=True)
class _Counted:
    received: int = 0
    # What the first follower received: the price, and when.
    met: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])


class _Follower(asyncio.Protocol):
    """Counts changes, and reads them only where asked to: it must not cost what it measures."""

    def __init__(self, counted: _Counted, ready: asyncio.Future[None], *, reads: bool) -> None:
        self._counted = counted
        self._ready = ready
        self._reads = reads
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        if not self._ready.done():
            if b" 200 " in data[:20]:
                self._ready.set_result(None)
            else:
                self._ready.set_exception(SystemExit(f"a follower is answered {data[:20]!r}"))
        seen, self._rest = self._rest + data, b""
        if not self._reads:
            self._counted.received += seen.count(_BEGIN)
            # What is cut within the mark is counted with the rest of it.
            self._rest = seen[1 - len(_BEGIN) :]
            return
        *lines, self._rest = seen.split(b"\n")
        for line in lines:
            if line.startswith(_BEGIN[1:]):
                self._counted.received += 1
                price = json.loads(line[6:])["data"]["price"]
                self._counted.met.append((price, time.perf_counter()))


def _follow(port: int, followers: int, pipe: Connection) -> None:
    """Follow in a process of its own until told how many changes have to come."""
    # Clients are elsewhere as a rule: here they come last.
    os.nice(19)

    async def run() -> _Counted:
        counted = _Counted()
        loop = asyncio.get_running_loop()
        for number in range(followers):
            ready: asyncio.Future[None] = loop.create_future()
            made = _Follower(counted, ready, reads=number == 0)
            transport, _ = await loop.create_connection(lambda it=made: it, "127.0.0.1", port)
            transport.write(b"GET /changes/stream?after=head HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            await asyncio.wait_for(ready, _PATIENCE)
        pipe.send("ready")
        expected = await asyncio.to_thread(pipe.recv)
        until = time.monotonic() + _PATIENCE
        while counted.received < expected and time.monotonic() < until:  # noqa: ASYNC110  no cost
            await asyncio.sleep(0.05)
        return counted

    pipe.send(asyncio.run(run()))


async def _measure(
    deployment: Deployment,
    followers: int,
    seconds: float,
    per_second: int,
    answered: dict[int, float],
) -> Measured:
    measured = Measured()
    port = int(deployment.query_url.rpartition(":")[2])
    ours, theirs = get_context("spawn").Pipe()
    following = get_context("spawn").Process(target=_follow, args=(port, followers, theirs))
    following.start()
    await asyncio.to_thread(ours.recv)
    reader, reads = get_context("spawn").Pipe()
    reading = get_context("spawn").Process(target=_read, args=(port, reads))
    reading.start()
    written = await _write(deployment.command_url, per_second, answered, seconds)
    reader.send("over")
    measured.reads = await asyncio.to_thread(reader.recv)
    reading.join()
    ours.send(written * followers)
    counted: _Counted = await asyncio.to_thread(ours.recv)
    following.join()
    if counted.received != written * followers:
        raise SystemExit(f"{counted.received} changes came, not {written} to {followers} each")
    measured.received = counted.received
    measured.delays = [max(0.0, at - answered[price]) for price, at in counted.met]
    return measured


async def _run(deployment: Deployment, given: argparse.Namespace) -> None:
    async with httpx.AsyncClient(
        base_url=deployment.command_url, timeout=_PATIENCE, trust_env=False
    ) as http:
        for number in range(_ITEMS):
            item = {"name": f"Thing {number}", "price": number}
            waited = {"Prefer": "wait=30"} if number == _ITEMS - 1 else {}
            answer = await http.put(f"/items/s-{number}", json=item, headers=waited)
            answer.raise_for_status()
    answered: dict[int, float] = {}
    alone: list[float] = []
    beside: list[float] = []
    for number in range(2 * given.pairs):
        followers, p99 = ((0, alone), (given.followers, beside))[number % 2]
        measured = await _measure(deployment, followers, given.seconds, given.per_second, answered)
        p99.append(sorted(measured.reads)[int(len(measured.reads) * 0.99)])
        print(measured.line(f"{followers} followers"), flush=True)
    ratios = [after / before for before, after in zip(alone, beside, strict=True)]
    told = ", ".join(f"{each:.2f}" for each in ratios)
    print(f"p99 of reads beside followers: {told} times, median {median(ratios):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--followers", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--per-second", type=int, default=20)
    parser.add_argument("--database-url", default="")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        deployment = Deployment(Path(folder), given.database_url)
        with deployment.up() as process:
            asyncio.run(_run(deployment, given))
            for each in psutil.Process(process.pid).children(recursive=True):
                if "readmodel" in " ".join(each.cmdline()):
                    memory = each.memory_info().rss / 2**20
                    print(f"query process: {memory:.0f} MiB, {each.num_threads()} threads")


if __name__ == "__main__":
    main()
