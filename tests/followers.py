"""Followers of the feed that are cut off at random, while others write and workers are killed.

Every one has to see every event once, each partition's without a gap, each item's in order. Nothing
of the product is imported here. Run as a program it starts a service and does it at full size.
"""

import argparse
import asyncio
import contextlib
import json
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import psutil

from tests.journey import Deployment

_ROWS = 100
_PATIENCE = 60.0
_LINE_LIMIT = 2**22
KINDS = ("stream", "pages", "lines", "cloud")


@dataclass(slots=True)
class Seen:
    """What one follower has seen: the last offset of each partition, the last version of each item,
    what it makes of them, and what was wrong.
    """

    name: str
    cursor: str | None = None
    offsets: dict[int, int] = field(default_factory=dict[int, int])
    versions: dict[str, int] = field(default_factory=dict[str, int])
    items: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    events: int = 0
    cuts: int = 0
    wrong: list[str] = field(default_factory=list[str])

    def take(self, change: Mapping[str, Any]) -> None:
        partition, offset = change["partition"], change["offset"]
        item_id, version = change["item_id"], change["version"]
        after = self.offsets.get(partition, 0)
        if offset != after + 1:
            self.wrong.append(f"{self.name}: partition {partition}: {offset} after {after}")
        known = self.versions.get(item_id, version - 1 if self._joined(item_id) else 0)
        if version != known + 1:
            self.wrong.append(f"{self.name}: {item_id}: version {version} after {known}")
        self.offsets[partition], self.versions[item_id] = offset, version
        fold(self.items, change)
        self.cursor = change["cursor"]
        self.events += 1

    def _joined(self, item_id: str) -> bool:
        """Say whether an item came with an export, which says how far it was then."""
        return item_id in self.items


def fold(items: dict[str, dict[str, Any]], change: Mapping[str, Any]) -> None:
    """Take a change into the items as an outsider understands the feed."""
    kind, data = change["type"], change["data"]
    if kind == "ItemCreated":
        items[change["item_id"]] = {"deleted": False}
    item = items[change["item_id"]]
    for member in ("name", "description", "price", "currency"):
        if member in data and kind in {
            "ItemCreated",
            "ItemRenamed",
            "ItemDescribed",
            "ItemRepriced",
        }:
            item[member] = data[member]
    if kind in {"ItemDeleted", "ItemRestored"}:
        item["deleted"] = kind == "ItemDeleted"
    item["version"] = change["version"]


async def follow(
    query_url: str, seen: Seen, chance: random.Random, cut_after: int, enough: asyncio.Event
) -> None:
    """Follow from the last change that was taken, again and again; every time until it is cut off
    after some changes, so many on average.
    """
    kind = seen.name.split()[0]
    while not enough.is_set():
        left = int(chance.expovariate(1 / cut_after)) + 1
        changes = _stream(query_url, seen) if kind == "stream" else _pages(query_url, kind, seen)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            async with contextlib.aclosing(changes):
                async for change in changes:
                    if change is None:
                        if enough.is_set():
                            return
                        continue
                    seen.take(change)
                    left -= 1
                    if left <= 0:
                        break
        seen.cuts += 1
        await asyncio.sleep(0.01)


async def _stream(query_url: str, seen: Seen) -> AsyncIterator[dict[str, Any] | None]:
    """Read Server-Sent Events; `None` now and then, when nothing has come."""
    reader, writer = await _connect(query_url)
    try:
        headers = {} if seen.cursor is None else {"Last-Event-ID": seen.cursor}
        await _ask(writer, "/changes/stream", headers, query_url)
        status, _ = await _head(reader)
        assert status == httpx.codes.OK, status
        text, event_id = b"", ""
        while True:
            try:
                size = await asyncio.wait_for(reader.readuntil(b"\r\n"), 1.0)
            except TimeoutError:
                yield None
                continue
            if not int(size, 16):
                return
            text += (await reader.readexactly(int(size, 16) + 2))[:-2]
            *blocks, text = text.split(b"\n\n")
            for block in blocks:
                told = dict(
                    line.split(b": ", 1) for line in block.split(b"\n") if b": " in line[1:]
                )
                event_id = told.get(b"id", event_id.encode()).decode()
                if b"data" in told:
                    change = json.loads(told[b"data"])
                    assert change["cursor"] == event_id
                    yield change
                elif b"id" in told:
                    seen.cursor = event_id
    finally:
        writer.close()


async def _pages(query_url: str, kind: str, seen: Seen) -> AsyncIterator[dict[str, Any] | None]:
    """Follow the links to the next page, waiting at the head."""
    accept = {
        "pages": "application/json",
        "lines": "application/x-ndjson",
        "cloud": "application/cloudevents-batch+json",
    }[kind]
    given = {"limit": "500"} | ({} if seen.cursor is None else {"after": seen.cursor})
    path = f"/changes?{urlencode(given)}"
    reader, writer = await _connect(query_url)
    try:
        while True:
            await _ask(writer, path, {"Accept": accept, "Prefer": "wait=1"}, query_url)
            status, headers = await _head(reader)
            body = await reader.readexactly(int(headers["content-length"]))
            assert status == httpx.codes.OK, body[:500]
            match kind:
                case "pages":
                    changes = json.loads(body)["changes"]
                case "lines":
                    changes = [json.loads(line) for line in body.splitlines()]
                case _:
                    changes = [_from_cloud(each) for each in json.loads(body)]
            for change in changes:
                yield change
            link = urlsplit(headers["link"].split(">", 1)[0].removeprefix("<"))
            path = f"{link.path}?{link.query}"
            if not changes:
                yield None
    finally:
        writer.close()


def _from_cloud(event: Mapping[str, Any]) -> dict[str, Any]:
    partition, offset = event["id"].split("-")
    return {
        "partition": int(partition),
        "offset": int(offset),
        "item_id": event["subject"],
        "version": event["itemversion"],
        "type": event["type"].split(".")[1],
        "data": event["data"],
        "cursor": event["cursor"],
    }


async def _connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(url)
    return await asyncio.open_connection(parts.hostname, parts.port, limit=_LINE_LIMIT)


async def _ask(
    writer: asyncio.StreamWriter, path: str, headers: Mapping[str, str], url: str
) -> None:
    lines = [f"GET {path} HTTP/1.1", f"Host: {urlsplit(url).netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    await writer.drain()


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return int(first.split()[1]), {name.lower(): value for name, value in headers.items()}


async def write(command_url: str, seconds: float, per_second: int, seed: int) -> int:
    """Send rows in batches for a while; return how many were accepted."""
    chance = random.Random(seed)  # noqa: S311  a test's dice
    accepted = 0
    limits = httpx.Limits(max_connections=8)
    async with httpx.AsyncClient(
        base_url=command_url, limits=limits, timeout=_PATIENCE, trust_env=False
    ) as http:
        begun = time.monotonic()
        while (past := time.monotonic() - begun) < seconds:
            rows = [_row(chance) for _ in range(_ROWS)]
            answer = await http.post("/items/batch", json={"commands": rows})
            if answer.is_success:
                accepted += sum(each["status"] == "accepted" for each in answer.json()["results"])
            await asyncio.sleep(max(0.0, accepted / per_second - past))
    return accepted


def _row(chance: random.Random) -> dict[str, Any]:
    item_id = f"item-{chance.randrange(500)}"
    if chance.random() < 0.05:
        return {"op": "delete", "id": item_id}
    row: dict[str, Any] = {
        "op": "put",
        "id": item_id,
        "name": f"Lamp {chance.randrange(5)}",
        "price": chance.randrange(10_000),
    }
    if chance.random() < 0.2:
        row["description"] = "bright ☀\nlight"
    return row


async def kill_workers(
    query_url: str, deployment_pid: int, every: float, enough: asyncio.Event
) -> int:
    """Kill a worker now and then, when it has got on since the last time; return how often."""
    killed, last = 0, 0
    async with httpx.AsyncClient(base_url=query_url, timeout=_PATIENCE, trust_env=False) as http:
        while not enough.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(enough.wait(), every)
                break
            events = (await http.get("/status")).json()["totals"]["events"]
            if events == last:
                continue
            last = events
            for child in psutil.Process(deployment_pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if child.cmdline()[-1:] == ["worker"]:
                        child.send_signal(signal.SIGKILL)
                        killed += 1
    return killed


async def export(query_url: str, name: str) -> Seen:
    """Take all items as they are at one moment, and the cursor that goes on from there."""
    seen = Seen(name)
    async with (
        httpx.AsyncClient(base_url=query_url, timeout=_PATIENCE, trust_env=False) as http,
        http.stream("GET", "/exports/items", params={"include_deleted": "true"}) as answer,
    ):
        answer.raise_for_status()
        async for line in answer.aiter_lines():
            item = json.loads(line)
            seen.items[item["id"]] = {
                **{each: item[each] for each in ("name", "description", "price", "currency")},
                "deleted": item["deleted_at"] is not None,
                "version": item["version"],
            }
            seen.versions[item["id"]] = item["version"]
        link = answer.links["changes"]["url"]
    seen.cursor = httpx.URL(link).params["after"]
    return seen


@dataclass(slots=True)
class Told:
    """What came of it all."""

    accepted: int
    killed: int
    events: int
    read: int
    cuts: int
    wrong: list[str]
    kinds: Counter[str]


async def run(
    deployment: Deployment,
    pid: int,
    *,
    seconds: float,
    per_second: int,
    followers: int,
    seed: int,
    kill_every: float = 5.0,
    cut_after: int = 2_000,
) -> Told:
    """Write for a while, and follow until everything is seen."""
    enough, written = asyncio.Event(), asyncio.Event()
    query = deployment.query_url
    seen = [Seen(f"{KINDS[n % len(KINDS)]} {n}") for n in range(followers)]
    tasks = [
        asyncio.create_task(
            follow(query, each, random.Random(f"{seed} {each.name}"), cut_after, enough)  # noqa: S311
        )
        for each in seen
    ]
    killing = asyncio.create_task(kill_workers(query, pid, kill_every, written))
    writing = asyncio.create_task(write(deployment.command_url, seconds, per_second, seed))
    await asyncio.sleep(seconds / 2)
    exported = [await export(query, f"pages {followers + n}") for n in range(2)]
    # An export does not tell offsets: from its first change on there is no gap.
    for each in exported:
        await _adopt(query, each)
        tasks.append(
            asyncio.create_task(
                follow(query, each, random.Random(f"{seed} {each.name}"), cut_after, enough)  # noqa: S311
            )
        )
    accepted = await writing
    written.set()
    killed = await killing
    await _settled(deployment)
    async with httpx.AsyncClient(base_url=query, timeout=_PATIENCE, trust_env=False) as http:
        events = (await http.get("/status")).json()["totals"]["events"]
        until = time.monotonic() + _PATIENCE
        await _caught_up([*seen, *exported], events, until)
        truth = await _items(http)
    enough.set()
    await asyncio.gather(*tasks)
    everybody = [*seen, *exported]
    wrong = [each for one in everybody for each in one.wrong]
    for each in everybody:
        if sum(each.offsets.values()) != events:
            wrong.append(f"{each.name}: {sum(each.offsets.values())} of {events} events")
        if each.items != truth:
            wrong.append(f"{each.name}: what it makes of them is not what the service tells")
    return Told(
        accepted,
        killed,
        events,
        sum(each.events for each in everybody),
        sum(each.cuts for each in everybody),
        wrong,
        Counter(each.name.split()[0] for each in everybody),
    )


async def _caught_up(everybody: Sequence[Seen], events: int, until: float) -> None:
    """Wait until everybody has seen so many events, or it is too late."""
    while any(sum(each.offsets.values()) < events for each in everybody):
        if time.monotonic() > until:
            return
        await asyncio.sleep(0.1)


async def _adopt(query: str, seen: Seen) -> None:
    """Learn where the cursor of an export stands, from what comes before the first change after it:
    offsets are gapless from 1.
    """
    async with httpx.AsyncClient(base_url=query, timeout=_PATIENCE, trust_env=False) as http:
        answer = await http.get(
            "/changes",
            params={"after": str(seen.cursor), "limit": "1000"},
            # A worker may just have been killed.
            headers={"Prefer": "wait=30"},
        )
        changes = answer.json()["changes"]
        seen.offsets |= {each["partition"]: each["offset"] - 1 for each in reversed(changes)}


async def _settled(deployment: Deployment) -> None:
    async with httpx.AsyncClient(
        base_url=deployment.query_url, timeout=_PATIENCE, trust_env=False
    ) as http:
        until = time.monotonic() + _PATIENCE
        while any(each["lag"] for each in (await http.get("/status")).json()["partitions"]):
            assert time.monotonic() < until, "the workers do not come to an end"
            await asyncio.sleep(0.1)


async def _items(http: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    url: str | None = "/items?limit=200&include_deleted=true"
    while url is not None:
        answer = await http.get(url)
        for item in answer.json()["items"]:
            found[item["id"]] = {
                **{each: item[each] for each in ("name", "description", "price", "currency")},
                "deleted": item["deleted_at"] is not None,
                "version": item["version"],
            }
        url = answer.links.get("next", {}).get("url")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--per-second", type=int, default=1000)
    parser.add_argument("--followers", type=int, default=24)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311
    parser.add_argument("--database-url", default="")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        deployment = Deployment(Path(folder), given.database_url)
        with deployment.up() as process:
            told = asyncio.run(
                run(
                    deployment,
                    process.pid,
                    seconds=given.seconds,
                    per_second=given.per_second,
                    followers=given.followers,
                    seed=given.seed,
                )
            )
    sys.stdout.write(
        f"seed {given.seed}: {told.accepted} rows accepted, {told.killed} workers killed, "
        f"{told.events} events; {dict(told.kinds)} read {told.read} of them, cut off {told.cuts} "
        f"times; {len(told.wrong)} violations\n"
    )
    for each in told.wrong[:20]:
        sys.stdout.write(f"  {each}\n")
    sys.exit(1 if told.wrong else 0)


if __name__ == "__main__":
    main()
