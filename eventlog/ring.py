"""Waking a worker: a set of partitions that are ready, and at most one doorbell at a time.

The RQ job is a doorbell, never the record: losing or doubling it can only delay.
"""

import re
from collections.abc import Iterable
from typing import Any

import structlog
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

# How redis-py says which command of a pipeline was refused.
_COMMAND = re.compile(r"Command # \d+ \(\S+ (\S+).*?\) of pipeline caused error: ", re.DOTALL)

log = structlog.get_logger()


class Ring:
    """The doorbell, from both sides. `redis` may be one that keeps nothing."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis
        self._queue = Queue(keys.QUEUE, connection=redis, serializer=JSONSerializer)
        self._said: str | None = None

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
        self._said = None

    def failed(self, error: Exception) -> None:
        """Say that the doorbell does not ring, and how to mend it; the same only once, until it
        has rung again.
        """
        why = _why(str(error))
        if why != self._said:
            log.warning("the doorbell does not ring", error=why)
        self._said = why

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


def _why(text: str) -> str:
    """Leave out what differs from one time to the next, and say what mends a damaged key."""
    named = _COMMAND.match(text)
    refusal = _COMMAND.sub("", text)
    if "WRONGTYPE" not in refusal:
        return refusal
    if named is None:
        suspects = f"{keys.READY}, rq:queue:{keys.QUEUE}, rq:workers:{keys.QUEUE}"
        return f"{refusal}: see which of {suspects} it is (TYPE), and delete it in Redis"
    return f"{refusal}: that is {named[1]}, delete it in Redis"
