"""A worker process, a Valkey of our own that can be killed and brought back, and a look at both
from outside.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import Engine, func, select

from domain.commands import CreateItem
from eventlog import keys
from eventlog.append import Appended, Submission, evalsha, load_script, read_reply
from eventlog.codec import encode
from eventlog.envelope import Envelope
from eventlog.ring import DRAIN
from ledger import partitions, tables
from ledger.engines import reading_engine
from runtime.positions import Position
from runtime.settings import Settings
from runtime.valkey import running_valkey
from tests.runtime.waiting import clean_environment
from tests.waiting import until
from tests.worker.world import NOW, envelope

QUEUE = f"rq:queue:{keys.QUEUE}"
INTERMEDIATE = f"{QUEUE}:intermediate"
STARTED = f"rq:wip:{keys.QUEUE}"
# Seconds: what starts or comes back on a busy machine may take this long.
PATIENCE = 30.0


class OwnValkey:
    """Runs on one folder, as often as it is started; it dies with the thread that started it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._running = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = self._running.enter_context(running_valkey(self.settings))

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self.stop()

    def stop(self) -> None:
        self._running.close()


@contextmanager
def own_valkey(settings: Settings) -> Generator[OwnValkey]:
    valkey = OwnValkey(settings)
    valkey.start()
    try:
        yield valkey
    finally:
        valkey.stop()


class WorkerProcess:
    """`itemledger worker`, with a file for what it says."""

    def __init__(
        self, folder: Path, database_url: str, redis_url: str, partitions: int, **more: str
    ) -> None:
        folder.mkdir(exist_ok=True)
        self._said = folder / "worker.log"
        self._beating = folder / "beat"
        self._beating.unlink(missing_ok=True)
        with self._said.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cli", "worker"],
                env=clean_environment(
                    ITEMLEDGER_REDIS_URL=redis_url,
                    ITEMLEDGER_DATABASE_URL=database_url,
                    ITEMLEDGER_PARTITIONS=str(partitions),
                    ITEMLEDGER_HEARTBEAT=str(self._beating),
                    **more,
                ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def await_life(self) -> None:
        until(lambda: self._beating.exists() or not self.lives(), PATIENCE, "the worker lives")
        assert self.lives(), self.told()

    def lives(self) -> bool:
        return self.process.poll() is None

    def stands_still(self) -> bool:
        return psutil.Process(self.process.pid).status() == psutil.STATUS_STOPPED

    def told(self) -> str:
        return self._said.read_text()

    def signal(self, signum: signal.Signals) -> None:
        os.kill(self.process.pid, signum)

    def end(self) -> int:
        """Wait until it has ended by itself, and return its exit code."""
        return self.process.wait(PATIENCE)


@contextmanager
def running_worker(
    folder: Path, database_url: str, redis_url: str, partitions: int = 1, **more: str
) -> Generator[WorkerProcess]:
    """Run a worker for the block; it is killed where it did not end before."""
    worker = WorkerProcess(folder, database_url, redis_url, partitions, **more)
    try:
        worker.await_life()
        yield worker
    finally:
        worker.process.kill()
        worker.process.wait()


@dataclass(frozen=True, slots=True)
class Outside:
    """What an API process does and what an operator sees; of partition 0, unless said otherwise."""

    redis: "Redis"
    ledger: Engine

    def append(self, *envelopes: Envelope, partition: int = 0) -> bool:
        """Append as the API does, and say whether it would ring now."""
        script = load_script()
        self.redis.script_load(script.text)
        submissions = [Submission(each.id, encode(each), "") for each in envelopes]
        reply = self.redis.execute_command(*evalsha(script, partition, submissions))
        rings, verdicts = read_reply(partition, reply)
        assert all(isinstance(each, Appended) for each in verdicts)
        return rings

    def checkpoint(self) -> Position:
        return partitions.read(self.ledger, [0])[0].position

    def outcomes(self) -> int:
        with self.ledger.connect() as connection:
            return connection.scalar(select(func.count()).select_from(tables.outcomes)) or 0

    def has_applied(self, count: int) -> bool:
        """Say whether so many commands are applied, and marked as done in the log."""
        try:
            return self.outcomes() == count and self.is_tidied_up()
        except RedisError:
            return False

    def is_tidied_up(self) -> bool:
        """Say whether whoever starts next has nothing to recover."""
        done = self.redis.get(keys.done(0)) or b"0-0"
        return done.decode() == self.checkpoint().stream_id

    def press_the_doorbell(self) -> str:
        """Return the key of the job: only RQ's own loop takes it away, never the sweeper."""
        self.redis.sadd(keys.READY, 0)
        self.redis.set(keys.RUNG, "1")
        queue = Queue(keys.QUEUE, connection=self.redis, serializer=JSONSerializer)
        return queue.enqueue(DRAIN, job_timeout=30, result_ttl=0).key

    def is_answered(self) -> bool:
        """Say whether a drain has begun since: this is its first act."""
        return not self.redis.exists(keys.RUNG)

    def jobs(self) -> list[bytes | str]:
        """List what RQ has of jobs: waiting, popped, started or left behind."""
        lists = (QUEUE, INTERMEDIATE, STARTED)
        return [*self.redis.keys("rq:job:*"), *(name for name in lists if self.redis.exists(name))]

    def listed_workers(self) -> int:
        return max(self.redis.scard(name) for name in ("rq:workers", f"rq:workers:{keys.QUEUE}"))


@contextmanager
def looking(database_url: str, redis_url: str) -> Generator[Outside]:
    ledger = reading_engine(database_url)
    try:
        with Redis.from_url(redis_url) as redis:
            yield Outside(redis, ledger)
    finally:
        ledger.dispose()


def creations(start: int, count: int, note: str | None = None) -> Sequence[Envelope]:
    """Commands that create `count` items, numbered from `start`."""
    return [
        envelope(f"c{n}", CreateItem(f"item-{n}", NOW, f"Item {n}", note, n, "EUR"))
        for n in range(start, start + count)
    ]
