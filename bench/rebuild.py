"""Every view made anew from a large ledger, while commands arrive.

    python bench/rebuild.py [--events 1000000] [--items 100000] [--rate 500] [--database-url URL]

The ledger is written by the code that writes it, without the log, and before there is any view.
First the views are built from it, as after an upgrade that brings them, with nothing else going on;
then, with the service up and commands at a steady rate, each is rebuilt by `itemledger rebuild`.
Commands wait for their outcome (`Prefer: wait`): what is told is the whole way, with and without a
rebuild. Beside it stands how fast the worker applies changes of items taken at random to this same
ledger, as it does day by day, with what waits in the log.
"""

import argparse
import asyncio
import itertools
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.applying import Rows, drained
from bench.sides import Service
from domain.events import Event, ItemCreated, ItemRenamed, ItemRepriced
from domain.evolve import evolve
from domain.item import Item
from eventlog.partition import partition_of
from ledger import events, heads, partitions, projections, rebuilding
from ledger.engines import reading_engine, writing_engine
from ledger.migrate import migrate
from ledger.recorded import Recorded
from readmodel.views.listing import all_views, install
from runtime.times import now_ms
from tests.journey import ITEMLEDGER, Deployment
from worker.builder import Builder
from worker.pace import Pace
from worker.stores import Stores

_AT_ONCE = 10_000
_WORDS = [
    "amber",
    "brass",
    "cedar",
    "dawn",
    "elm",
    "fern",
    "glass",
    "heart",
    "iris",
    "jade",
    "kettle",
    "lamp",
    "moss",
    "north",
    "oak",
]
_CONNECTIONS = 64
_RENAMED = 0.1


@dataclass(slots=True)
class Told:
    """Seconds per answer, and statuses other than expected."""

    seconds: list[float] = field(default_factory=list[float])
    failed: list[str] = field(default_factory=list[str])

    def line(self) -> str:
        found = sorted(self.seconds)
        if not found:
            return "no answers"
        p50, p99 = (found[int(len(found) * share)] * 1000 for share in (0.5, 0.99))
        return (
            f"{len(found)} answers, p50 {p50:.1f} ms, p99 {p99:.1f} ms, {len(self.failed)} failed"
        )


def happening(count: int, items: int, chance: random.Random) -> Iterator[Event]:
    """Create every item, then change them at random."""
    now = now_ms() - count
    for number in range(count):
        at = now + number
        if number < items:
            yield ItemCreated(f"item-{number}", at, at, _name(chance), None, number, "EUR")
        elif chance.random() < _RENAMED:
            yield ItemRenamed(f"item-{chance.randrange(items)}", at, at, _name(chance))
        else:
            item_id = f"item-{chance.randrange(items)}"
            yield ItemRepriced(item_id, at, at, chance.randrange(100_000), "EUR")


def _name(chance: random.Random) -> str:
    return " ".join(chance.choice(_WORDS) for _ in range(3)) + f" {chance.randrange(10_000)}"


def fill(url: str, count: int, items: int, width: int) -> None:
    """Write a ledger of so many events, with no view taken along."""
    engine = writing_engine(url)
    partitions.lay_out(engine, width)
    states: dict[str, Item] = {}
    chance = random.Random(7)  # noqa: S311
    batch: list[Event] = []
    for event in happening(count, items, chance):
        batch.append(event)
        if len(batch) == _AT_ONCE:
            _write(engine, batch, states, width)
            batch = []
    _write(engine, batch, states, width)
    engine.dispose()


def _write(engine: object, batch: Sequence[Event], states: dict[str, Item], width: int) -> None:
    with engine.begin() as connection:  # type: ignore[attr-defined]
        held = partitions.lock_all(connection, range(width))
        recorded: dict[int, list[Recorded]] = {each: [] for each in held}
        for event in batch:
            partition = partition_of(event.item_id, width)
            item = states[event.item_id] = evolve(states.get(event.item_id), event)
            offset = held[partition].offset + len(recorded[partition]) + 1
            command = f"filled-{partition}-{offset}"
            recorded[partition].append(
                Recorded(partition, offset, item.version, event, command, "bench", None)
            )
        for partition, mine in recorded.items():
            rows, last = events.chained(mine, held[partition].hash)
            events.append(connection, rows)
            before = held[partition]
            partitions.move(
                connection,
                [
                    partitions.Checkpoint(
                        before.position,
                        before.offset + len(mine),
                        now_ms(),
                        last,
                        0,
                        frozenset(),
                    )
                ],
            )
        touched = {event.item_id for event in batch}
        heads.store(connection, [(states[each], partition_of(each, width)) for each in touched])


def changes(count: int, items: int, chance: random.Random, price: int) -> Rows:
    """Change prices of items taken at random, each once: one event each."""
    chosen = chance.sample(range(items), min(count, items))
    return [
        {"op": "patch", "id": f"item-{each}", "price": price + place}
        for place, each in enumerate(chosen)
    ]


def live(service: Service, count: int, items: int) -> None:
    """Tell how fast changes are applied that wait in the log."""
    chance = random.Random(8)  # noqa: S311
    # Beyond the prices that the ledger was filled with, and those of the turn before.
    for turn in range(3):
        rows = changes(count, items, chance, 1_000_000 * (turn + 1))
        print(f"live apply: {len(rows):,} changes, {drained(service, rows).rate:,.0f} a second")


def build_all(url: str, width: int) -> None:
    """Build each view with nothing else going on."""
    engine, reads = writing_engine(url), reading_engine(url)
    with reads.connect() as connection:
        # PostgreSQL adds up to a decimal.
        count = int(connection.scalar(text('SELECT sum("offset") FROM partitions')) or 0)
        live = projections.all_live(connection)
    stores = Stores(engine, reads, width)
    for view in all_views():
        builder = Builder(stores, [view], now_ms, threading.Event(), Pace(transaction=0.1))
        if view.name in live:
            # It is behind, and there is nothing to build yet.
            builder.look()
            rebuilding.wish(engine, view.name, "rebuild", None, now_ms())
        begun = time.monotonic()
        builder.look()
        seconds = time.monotonic() - begun
        print(f"{view.name}: {count:,} events in {seconds:.1f} s, {count / seconds:,.0f} a second")
    engine.dispose()
    reads.dispose()


async def load(url: str, rate: float, items: int, told: Told, ending: asyncio.Event) -> None:
    """Send single commands at a rate over connections that are kept: one that is due while all are
    busy is sent late, and its wait counts from when it was due.
    """
    host, port = url.removeprefix("http://").split(":")
    loop = asyncio.get_running_loop()
    begun, numbers, chance = loop.time(), itertools.count(), random.Random()  # noqa: S311

    async def send() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        while not ending.is_set():
            due = begun + next(numbers) / rate
            await asyncio.sleep(max(0.0, due - loop.time()))
            body = b'{"price":%d}' % chance.randrange(100_000)
            head = (
                f"PATCH /items/item-{chance.randrange(items)} HTTP/1.1\r\nHost: {host}:{port}\r\n"
                "Content-Type: application/json\r\nPrefer: wait=30\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", answer)
            content = await reader.readexactly(int(length[1]) if length else 0)
            told.seconds.append(loop.time() - due)
            if b" 200 " not in answer.split(b"\r\n", 1)[0]:
                told.failed.append((answer + content).decode()[:300])
        writer.close()

    await asyncio.gather(*(send() for _ in range(_CONNECTIONS)))


async def during(url: str, rate: float, items: int, what: object) -> Told:
    """Send commands while an awaitable goes on."""
    told, ending = Told(), asyncio.Event()
    sending = asyncio.create_task(load(url, rate, items, told, ending))
    await what  # type: ignore[misc]
    ending.set()
    await sending
    return told


async def rebuilt(deployment: Deployment, view: str, database_url: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *ITEMLEDGER,
        "rebuild",
        view,
        env=deployment.env | ({"ITEMLEDGER_DATABASE_URL": database_url} if database_url else {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return out.decode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=500)
    parser.add_argument("--database-url", default="")
    parser.add_argument("--seconds", type=float, default=20, help="of load without a rebuild")
    parser.add_argument("--applied", type=int, default=20_000, help="changes per turn, live")
    names = " ".join(each.name for each in all_views())
    parser.add_argument("--views", default=names, help="those rebuilt beside commands")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        deployment = Deployment(Path(folder), given.database_url)
        url = given.database_url or f"sqlite:///{folder}/data/itemledger.db"
        width = 8 if given.database_url else 1
        migrate(url, lambda _: None)
        begun = time.monotonic()
        fill(url, given.events, given.items, width)
        print(f"filled with {given.events:,} events in {time.monotonic() - begun:.0f} s")
        migrate(url, install)
        build_all(url, width)
        with deployment.up() as process:
            live(Service(deployment, url, process.pid, None), given.applied, given.items)
            alone = during(
                deployment.command_url, given.rate, given.items, asyncio.sleep(given.seconds)
            )
            print(f"commands alone: {asyncio.run(alone).line()}")
            for view in [each for each in all_views() if each.name in given.views.split()]:
                begun = time.monotonic()
                out: list[str] = []

                async def work(name: str = view.name, said: list[str] = out) -> None:
                    said.append(await rebuilt(deployment, name, given.database_url))

                beside = during(deployment.command_url, given.rate, given.items, work())
                told = asyncio.run(beside)
                seconds = time.monotonic() - begun
                took = re.search(r"live after ([\d,]+) events", out[0])
                if took is None:
                    raise SystemExit(out[0])
                count = int(took[1].replace(",", ""))
                print(f"{view.name}: {count:,} events in {seconds:.1f} s, {count / seconds:,.0f}/s")
                print(f"  {out[0].strip()}")
                print(f"  commands meanwhile: {told.line()}")
                for each in told.failed[:3]:
                    print(f"  {each}")


if __name__ == "__main__":
    main()
