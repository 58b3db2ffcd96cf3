"""Waking a worker: a set of partitions that are ready, and at most one doorbell at a time.

The RQ job is a doorbell, never the record: losing or doubling it can only delay.
"""

from collections.abc import Iterable
from typing import Any

from redis import Redis
from rq import Queue, Retry
from rq.serializers import JSONSerializer

from eventlog import keys

DRAIN = "worker.jobs.drain"
HOUSEKEEP = "worker.jobs.housekeep"

# Seconds. A doorbell that got lost is missed no longer than this.
_RUNG_SECONDS = 10
_FAILED_JOB_SECONDS = 86_400
_JOB_TIMEOUT = 30


class Ring:
    """The doorbell, from both sides. `redis` may be one that keeps nothing."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis
        self._queue = Queue(keys.QUEUE, connection=redis, serializer=JSONSerializer)

    def ring(self, partitions: Iterable[int]) -> None:
        """Say that these have something to read, and wake a worker unless one was woken."""
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.sadd(keys.READY, *partitions)
            pipeline.set(keys.RUNG, "1", nx=True, ex=_RUNG_SECONDS)
            _, first = pipeline.execute()
        if first:
            self.enqueue(DRAIN)

    def press(self) -> None:
        """Wake a worker, unless one was woken and has not answered yet."""
        if self._redis.set(keys.RUNG, "1", nx=True, ex=_RUNG_SECONDS):
            self.enqueue(DRAIN)

    def enqueue(self, function: str) -> None:
        """Enqueue a job under a random id; it carries no data."""
        self._queue.enqueue(
            function,
            job_timeout=_JOB_TIMEOUT,
            result_ttl=0,
            failure_ttl=_FAILED_JOB_SECONDS,
            retry=Retry(max=3),
        )

    def put_back(self, partitions: Iterable[int]) -> None:
        """Say that these are still to be read, without waking anybody."""
        self._redis.sadd(keys.READY, *partitions)

    def answered(self) -> None:
        """The worker's first act, before it reads: from now on an append rings again."""
        self._redis.delete(keys.RUNG)

    def next_ready(self, most: int) -> list[int]:
        """Take partitions that are ready, at most so many; none when there are none."""
        taken: Any = self._redis.spop(keys.READY, most)
        return [int(each) for each in taken]

    def any_ready(self) -> bool:
        return bool(self._redis.exists(keys.READY))

    def jobs_waiting(self) -> int:
        return self._queue.count

    def take_turn(self, chore: str, every: int) -> bool:
        """Say whether a chore is due, to exactly one of those who ask in `every` seconds."""
        return bool(self._redis.set(keys.turn(chore), "1", nx=True, ex=every))
