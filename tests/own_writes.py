"""Whoever has written reads it, over both services; and how soon others do.

Nothing of the product is imported here. Run as a program it starts a service and does it at full
size.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.journey import Deployment

_PATIENCE = 60.0
_FRESH = {"Prefer": "wait=30, handling=strict"}


@dataclass(slots=True)
class Told:
    """Pairs of a write and a read, what was stale among them, and for how many seconds after the
    answer to a write a read without its token did not show it.
    """

    pairs: int = 0
    stale: list[str] = field(default_factory=list[str])
    lags: list[float] = field(default_factory=list[float])

    def line(self) -> str:
        lags = sorted(self.lags)
        told = f"{self.pairs} pairs, {len(self.stale)} stale"
        if not lags:
            return told
        p50, p99 = (lags[int(len(lags) * share)] * 1000 for share in (0.5, 0.99))
        return f"{told}; without the token visible after p50 {p50:.1f} ms, p99 {p99:.1f} ms"


async def run(
    deployment: Deployment, pairs: int, clients: int, seed: int, *, lags: int = 0
) -> Told:
    """Write and read so many pairs, then time some without a token."""
    told = Told()
    limits = httpx.Limits(max_connections=clients)
    async with (
        httpx.AsyncClient(
            base_url=deployment.command_url, limits=limits, timeout=_PATIENCE, trust_env=False
        ) as write,
        httpx.AsyncClient(
            base_url=deployment.query_url, limits=limits, timeout=_PATIENCE, trust_env=False
        ) as read,
    ):
        await asyncio.gather(
            *(_pairs(write, read, told, pairs // clients, f"{seed} {n}") for n in range(clients))
        )
        for n in range(lags):
            await _lag(write, read, told, n)
    return told


async def _pairs(
    write: httpx.AsyncClient, read: httpx.AsyncClient, told: Told, count: int, name: str
) -> None:
    dice = random.Random(name)  # noqa: S311  a test's dice
    me = name.replace(" ", "-")
    for number in range(count):
        item_id = f"{me}-{dice.randrange(5)}"
        answer = await write.put(f"/items/{item_id}", json={"name": me, "price": number})
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        headers = {**_FRESH, "Consistency-Token": answer.headers["Consistency-Token"]}
        path = dice.choice(
            [
                f"/items/{item_id}",
                f"/items?ids={item_id}",
                f"/items?q={me}&limit=200",
                f"/items/{item_id}/history?limit=1",
                f"/items/{item_id}/prices?limit=200",
            ]
        )
        found = await read.get(path, headers=headers)
        told.pairs += 1
        if found.status_code != httpx.codes.OK or not _shows(found.json(), item_id, number):
            told.stale.append(f"{path} after price {number}: {found.status_code} {found.text}")


def _shows(document: object, item_id: str, price: int) -> bool:
    """Say whether an answer of any of these resources shows the price."""
    match document:
        case {"items": [*items]}:
            return any(each["id"] == item_id and each["price"] == price for each in items)
        case {"events": [{"changes": {"price": {"to": to}}}, *_]}:
            return to == price
        case {"prices": [*prices]}:
            return prices[-1]["price"] == price
        case {"price": now}:
            return now == price
        case _:
            return False


async def _lag(write: httpx.AsyncClient, read: httpx.AsyncClient, told: Told, n: int) -> None:
    """Time from the answer to a write until a read shows it."""
    answer = await write.put("/items/timed", json={"name": "timed", "price": n})
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    begun = time.perf_counter()
    while True:
        found = await read.get("/items/timed")
        if found.is_success and found.json()["price"] == n:
            break
    told.lags.append(time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--lags", type=int, default=500)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311
    parser.add_argument("--database-url", default="")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        deployment = Deployment(Path(folder), given.database_url)
        with deployment.up():
            told = asyncio.run(
                run(deployment, given.pairs, given.clients, given.seed, lags=given.lags)
            )
    sys.stdout.write(f"seed {given.seed}: {told.line()}\n")
    for each in told.stale[:20]:
        sys.stdout.write(f"  {each}\n")
    sys.exit(1 if told.stale else 0)


if __name__ == "__main__":
    main()
