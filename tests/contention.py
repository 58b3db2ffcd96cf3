"""Many writers at the same items, and writers who lose their answers, against a running service.

Nothing of the product is imported here. Run as a program it starts a service and does both at full
size.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.eventlog.cutting import Cutting

WAIT = {"Prefer": "wait=30"}
_PATIENCE = 60.0


@dataclass(slots=True)
class Race:
    """What became of conditional updates: who won which version of which item, with which price;
    how many lost; and answers that no writer should get.
    """

    won: dict[tuple[str, int], list[int]] = field(default_factory=dict[tuple[str, int], list[int]])
    lost: int = 0
    strange: list[str] = field(default_factory=list[str])


async def race(command_url: str, clients: int, updates: int, items: int, seed: int) -> Race:
    """Let every client send its updates, each on the version it last heard of an item."""
    told = Race()
    names = [f"hot-{number}" for number in range(items)]
    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(
        base_url=command_url, limits=limits, timeout=_PATIENCE, trust_env=False
    ) as http:
        for name in names:
            body = {"name": name, "price": 0}
            (await http.put(f"/items/{name}", json=body, headers=WAIT)).raise_for_status()
        await asyncio.gather(
            *(_compete(http, told, names, updates, seed, number) for number in range(clients))
        )
    return told


async def _compete(
    http: httpx.AsyncClient, told: Race, names: list[str], updates: int, seed: int, me: int
) -> None:
    dice = random.Random(f"{seed} {me}")  # noqa: S311  a test's dice
    heard = dict.fromkeys(names, 1)
    for number in range(updates):
        name = dice.choice(names)
        version = heard[name]
        # Nobody else ever asks for this price.
        price = 1 + me * updates + number
        answer = await http.patch(
            f"/items/{name}",
            json={"price": price},
            headers={**WAIT, "If-Match": f'"{version}"'},
        )
        if answer.status_code == httpx.codes.OK:
            heard[name] = answer.json()["version"]
            told.won.setdefault((name, version), []).append(price)
        elif answer.status_code == httpx.codes.PRECONDITION_FAILED:
            heard[name] = answer.json()["current_version"]
            told.lost += 1
        else:
            told.strange.append(f"{answer.status_code} {answer.text[:200]}")


def prices(query_url: str, item_id: str) -> list[int]:
    """Read which prices an item had, the first one first."""
    found: list[int] = []
    with httpx.Client(base_url=query_url, timeout=_PATIENCE, trust_env=False) as http:
        path: str | None = f"/items/{item_id}/history?limit=200"
        while path is not None:
            page = http.get(path).raise_for_status()
            for event in page.json()["events"]:
                change = event["changes"].get("price")
                if change is not None:
                    found.append(change["to"])
            path = page.links.get("next", {}).get("url")
    return found[::-1]


def mistakes(told: Race, query_url: str, items: int) -> list[str]:
    """Compare what the winners were told with what the histories say."""
    found = list(told.strange)
    found += [f"{at} was won {len(each)} times" for at, each in told.won.items() if len(each) > 1]
    for number in range(items):
        name = f"hot-{number}"
        of_item = {version: each for (item, version), each in told.won.items() if item == name}
        winners = [of_item[version][0] for version in sorted(of_item)]
        history = prices(query_url, name)
        if history != [0, *winners]:
            found.append(
                f"{name}: {len(winners)} won and {len(history) - 1} changes in its history"
            )
        if sorted(of_item) != list(range(1, len(of_item) + 1)):
            found.append(f"{name}: a version was won by nobody")
    return found


@dataclass(slots=True)
class Repeats:
    """What became of keyed creations whose answers were lost: ids by key, and how often the
    requests were sent and answered.
    """

    ids: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    sent: int = 0
    answered: Counter[int] = field(default_factory=Counter[int])


async def repeat(
    command_url: str, folder: Path, keys: int, clients: int, seed: int
) -> tuple[Repeats, int]:
    """Create an item under each key through a proxy that cuts every other answer, repeating until
    there is one; and once more after it. Return what became of it and how many answers were cut.
    """
    place = urlsplit(command_url)
    proxy = Cutting(
        folder / "cut.sock",
        (place.hostname or "", place.port or 0),
        b"POST /items",
        10 * keys,
        0.5,
        random.Random(seed),  # noqa: S311  a test's dice
    )
    told, waiting = Repeats(), [f"key-{number}-{uuid.uuid4()}" for number in range(keys)]

    async def client() -> None:
        while waiting:
            key = waiting.pop()
            for _ in range(2):
                await _insist(transport, told, key)

    async with proxy.running():
        transport = httpx.AsyncHTTPTransport(
            uds=str(proxy.socket), limits=httpx.Limits(max_keepalive_connections=0)
        )
        async with transport:
            await asyncio.gather(*(client() for _ in range(clients)))
    return told, proxy.cuts


async def _insist(transport: httpx.AsyncHTTPTransport, told: Repeats, key: str) -> None:
    body = {"name": key, "price": 1}
    async with asyncio.timeout(_PATIENCE):
        while True:
            told.sent += 1
            request = httpx.Request(
                "POST",
                "http://127.0.0.1/items",
                json=body,
                headers={"Idempotency-Key": key, **WAIT},
                extensions={"timeout": {"read": _PATIENCE}},
            )
            try:
                answer = await transport.handle_async_request(request)
                content: Any = await answer.aread()
            except httpx.TransportError:
                continue
            if answer.status_code == httpx.codes.CREATED and content:
                told.answered[answer.status_code] += 1
                told.ids.setdefault(key, set()).add(answer.headers["location"])
                return
            told.answered[answer.status_code] += 1
            if answer.status_code not in {202, 503, 504}:
                raise AssertionError(f"{answer.status_code} {content!r:.200}")


def count_items(query_url: str) -> int:
    """Count the items that were created under keys."""
    counted = 0
    with httpx.Client(base_url=query_url, timeout=_PATIENCE, trust_env=False) as http:
        path: str | None = "/items?limit=200"
        while path is not None:
            page = http.get(path).raise_for_status()
            counted += sum(each["name"].startswith("key-") for each in page.json()["items"])
            path = page.links.get("next", {}).get("url")
    return counted


def main() -> int:
    from tests.journey import Deployment  # noqa: PLC0415  it starts processes

    parser = argparse.ArgumentParser(prog="python -m tests.contention", description=__doc__)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--updates", type=int, default=200)
    parser.add_argument("--items", type=int, default=8)
    parser.add_argument("--keys", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.randrange(2**31))  # noqa: S311
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="itemledger-") as name:
        folder = Path(name)
        deployment = Deployment(folder, f"sqlite:///{folder / 'data' / 'itemledger.db'}")
        with deployment.up():
            told = asyncio.run(
                race(deployment.command_url, given.clients, given.updates, given.items, given.seed)
            )
            wrong = mistakes(told, deployment.query_url, given.items)
            won = sum(map(len, told.won.values()))
            sys.stdout.write(f"seed {given.seed}: {won} won, {told.lost} lost, {wrong} wrong\n")
            repeats, cut = asyncio.run(
                repeat(deployment.command_url, folder, given.keys, given.clients, given.seed)
            )
            twice = [key for key, ids in repeats.ids.items() if len(ids) != 1]
            made = count_items(deployment.query_url)
            sys.stdout.write(
                f"{given.keys} keys sent {repeats.sent} times, {cut} answers cut: "
                f"{made} items, {len(twice)} keys with more than one\n"
            )
    return int(bool(wrong or twice or made != given.keys))


if __name__ == "__main__":
    sys.exit(main())
