"""Twice the load that can be sustained: what is answered, and how soon the lag is gone after it.

Batches, because the command API takes those faster than any worker applies them. First the service
is kept busy to find what it sustains, then it is sent twice of that.
"""

import argparse
import asyncio
import itertools
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.journey import Deployment

ROWS = 200
ITEMS = 5_000
# Seconds that the service is kept busy at first, and the lag it may have then.
BUSY, BEHIND = 10.0, 0.5
# Seconds within which the lag has to be gone.
GOAL = 10.0
_PATIENCE = 60.0
# Counted as a status where there is none.
_NO_ANSWER = 0


@dataclass(slots=True)
class Told:
    """Answers by status, rows that were accepted, and seconds per answer."""

    statuses: Counter[int] = field(default_factory=Counter[int])
    accepted: int = 0
    seconds: list[float] = field(default_factory=list[float])


class Load:
    def __init__(self, url: str) -> None:
        limits = httpx.Limits(max_connections=64)
        self._http = httpx.AsyncClient(
            base_url=url, limits=limits, timeout=_PATIENCE, trust_env=False
        )
        self._prices: Iterator[int] = itertools.count(1)

    async def close(self) -> None:
        await self._http.aclose()

    async def send(self, told: Told) -> None:
        """Send one batch; every row of it changes something."""
        commands: list[dict[str, Any]] = []
        for _ in range(ROWS):
            price = next(self._prices)
            item_id = f"item-{price % ITEMS}"
            commands.append({"op": "put", "id": item_id, "name": item_id, "price": price})
        begun = time.perf_counter()
        try:
            answer = await self._http.post("/items/batch", json={"commands": commands})
        except httpx.TransportError:
            told.statuses[_NO_ANSWER] += 1
            return
        told.seconds.append(time.perf_counter() - begun)
        told.statuses[answer.status_code] += 1
        if answer.is_success:
            results = answer.json()["results"]
            told.accepted += sum(each["status"] == "accepted" for each in results)
            told.statuses.update(each["problem"]["status"] for each in results if "problem" in each)

    async def steady(self, told: Told, per_second: float, seconds: float) -> None:
        """Send at a rate, whatever the answers."""
        loop = asyncio.get_running_loop()
        begun, sending = loop.time(), set[asyncio.Task[None]]()
        for number in itertools.count():
            due = begun + number / per_second
            if due - begun > seconds:
                break
            await asyncio.sleep(max(0.0, due - loop.time()))  # the rhythm of the load
            task = asyncio.create_task(self.send(told))
            sending.add(task)
            task.add_done_callback(sending.discard)
        await asyncio.gather(*sending)


async def lag(http: httpx.AsyncClient) -> float:
    """Ask for how many seconds the oldest command waits."""
    status = (await http.get("/status")).raise_for_status().json()
    return max(float(each["lag_seconds"] or 0.0) for each in status["partitions"])


async def measure(deployment: Deployment, seconds: float) -> int:
    load = Load(deployment.command_url)
    async with httpx.AsyncClient(
        base_url=deployment.query_url, timeout=_PATIENCE, trust_env=False
    ) as query:
        warm = Told()
        begun = time.perf_counter()
        while time.perf_counter() - begun < BUSY:
            await load.send(warm)
            while await lag(query) > BEHIND:  # noqa: ASYNC110  it is polled over HTTP
                await asyncio.sleep(0.01)  # between two looks at the lag
        while await lag(query) > 0:  # noqa: ASYNC110  it is polled over HTTP
            await asyncio.sleep(0.01)  # between two looks at the lag
        sustained = warm.accepted / (time.perf_counter() - begun)
        say(f"sustained {sustained:,.0f} rows/s")
        told = Told()
        await load.steady(told, 2 * sustained / ROWS, seconds)
        ended = time.perf_counter()
        while await lag(query) >= 1:  # noqa: ASYNC110  it is polled over HTTP
            await asyncio.sleep(0.05)  # between two looks at the lag
        back = time.perf_counter() - ended
        while await lag(query) > 0:  # noqa: ASYNC110  it is polled over HTTP
            await asyncio.sleep(0.05)  # between two looks at the lag
    await load.close()
    applied = count_applied(deployment)
    expected = warm.accepted + told.accepted
    told.seconds.sort()
    p99 = told.seconds[int(len(told.seconds) * 0.99)]
    say(f"sent {2 * sustained:,.0f} rows/s for {seconds:.0f} s: answers {dict(told.statuses)}")
    say(f"{told.accepted:,} rows accepted; answer p99 {p99 * 1000:,.0f} ms")
    say(f"lag under 1 s {back:.1f} s after the load; {applied:,} of {expected:,} applied")
    strange = set(told.statuses) - {202, 429, 503}
    return int(bool(strange) or applied != expected or back > GOAL)


def count_applied(deployment: Deployment) -> int:
    file = deployment.folder / "data" / "itemledger.db"
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        (count,) = connection.execute("SELECT count(*) FROM events").fetchone()
    finally:
        connection.close()
    # The first sight of an item is one event, and each later row changes its price alone.
    return int(count)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--age", type=float, default=5, help="ITEMLEDGER_BACKLOG_AGE")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="itemledger-") as name:
        folder = Path(name)
        deployment = Deployment(folder, f"sqlite:///{folder / 'data' / 'itemledger.db'}")
        deployment.env["ITEMLEDGER_BACKLOG_AGE"] = str(given.age)
        with deployment.up():
            return asyncio.run(measure(deployment, given.seconds))


if __name__ == "__main__":
    sys.exit(main())
