"""RQ's worker, narrowed: no fork, no time-out inside a transaction, and only the functions that are
allowed, whatever a job hash may say.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

import structlog
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from rq import Queue, SimpleWorker
from rq.exceptions import (
    DeserializationError,
    InvalidJobOperation,
    NoSuchJobError,
    StopRequested,
)
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.timeouts import BaseDeathPenalty
from rq.worker_registration import REDIS_WORKER_KEYS, WORKERS_BY_QUEUE_KEY

from eventlog import keys
from eventlog.ring import DRAIN, HOUSEKEEP
from runtime.errors import first_line
from worker import jobs

# Seconds. RQ's own recovery is slow by default; the sweeper is the fast one.
_MAINTENANCE = 15
_WORKER_TTL = 60
_BEAT_EVERY = 5.0
# How long one blocking pop lasts, and so how soon an idle worker notices that it is to stop.
_POP_SECONDS = 1
# Troubles that are not further apart are one outage.
_SAME_OUTAGE = 10.0
# What RQ raises, as a ValueError, of a job's record that an outage took along.
_RECORD_GONE = "not found in Redis"
# What RQ says of the end of its loop, which is begun anew here.
_ENDED = "quitting..."
_AWAY = (RedisConnectionError, RedisTimeoutError, OSError)
_RECORDS = (*_AWAY, RedisError, InvalidJobOperation, NoSuchJobError)

log = structlog.get_logger()

_FUNCTIONS: Mapping[str, Callable[[], None]] = {DRAIN: jobs.drain, HOUSEKEEP: jobs.housekeep}


class ForbiddenJob(Exception):
    """A job names a function that is not one of ours."""


class OwnJob(Job):
    """A job that can call nothing but our own functions, and never with arguments."""

    # Whether it was our function that raised, and not RQ at keeping its records of the job.
    broke = False

    def _execute(self) -> None:
        function = self.func
        try:
            function()
        except Exception:
            self.broke = True
            raise

    @property
    def func(self) -> Callable[..., Any]:
        named: list[Any] = [*self.args, *self.kwargs]
        function = _FUNCTIONS.get(self.func_name or "")
        if function is None or named or self.instance is not None:
            raise ForbiddenJob(f"{self.func_name!r} is no job of this service")
        return function

    @property
    def success_callback(self) -> None:
        return None

    @property
    def failure_callback(self) -> None:
        return None

    @property
    def stopped_callback(self) -> None:
        return None

    def send_webhooks(self, *_: object, **__: object) -> None:
        """Do not call anybody a job hash names."""


class NoDeathPenalty(BaseDeathPenalty):
    """Drain watches its own time: RQ's alarm could go off between a commit and its notices."""

    def setup_death_penalty(self) -> None:
        pass

    def cancel_death_penalty(self) -> None:
        pass


class Outages(logging.Filter):
    """Says in one line, once per outage, what RQ says in tracebacks while its keys or the store are
    not to be had: the sweeper drains meanwhile.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()
        self._last = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Take over what RQ says of the end of its loop, and of a store that is away."""
        error = record.exc_info[1] if record.exc_info else sys.exception()
        # Our jobs raise nothing of Redis: this is about RQ's own records.
        if error is None or not (isinstance(error, _RECORDS) or record.msg.endswith(_ENDED)):
            return True
        self.say(error)
        return False

    def say(self, error: BaseException) -> None:
        """Say that doorbells are not heard, unless that was said of this outage."""
        passing = isinstance(error, _AWAY) or _is_record_gone(error)
        why = f"{type(error).__name__}: {first_line(error)}"
        kind = "away" if passing else why
        now = time.monotonic()
        if now - self._last > _SAME_OUTAGE:
            self._said.clear()
        self._last = now
        if kind not in self._said:
            self._said.add(kind)
            log.warning("the doorbell is not heard, trying again", error=why)


def _is_record_gone(error: BaseException) -> bool:
    gone = isinstance(error, ValueError) and _RECORD_GONE in str(error)
    return gone or isinstance(error, (InvalidJobOperation, NoSuchJobError))


class OwnWorker(SimpleWorker):
    """Listens to exactly one queue: with two, RQ loses a job when the worker dies at its pop."""

    job_class = OwnJob
    death_penalty_class = NoDeathPenalty
    max_connection_wait_time = 2.0
    log_result_lifespan = False
    stopping: threading.Event
    outages: Outages
    _beaten_at = 0.0

    def heartbeat(self, timeout: int | None = None, pipeline: "Pipeline | None" = None) -> None:
        """Beat every few seconds. RQ would do so three times a job, one round trip per command,
        two of them between the doorbell and its answer.
        """
        now = time.monotonic()
        if pipeline is None and timeout is None and now - self._beaten_at < _BEAT_EVERY:
            return
        if pipeline is None and not self._is_on_record():
            self.connection.delete(self.key)
            self.register_birth()
        super().heartbeat(timeout, pipeline)
        self._beaten_at = now

    def _is_on_record(self) -> bool:
        """Say whether RQ's keys still know this worker: the sweeper counts by them."""
        with self.connection.pipeline(transaction=False) as pipeline:
            pipeline.hexists(self.key, "birth")
            for known in (REDIS_WORKER_KEYS, WORKERS_BY_QUEUE_KEY % keys.QUEUE):
                pipeline.sismember(known, self.key)
            return all(pipeline.execute())

    def subscribe(self) -> None:
        """Take no orders by pub/sub, where anybody who may publish could stop a worker; and leave
        no thread and no connection behind when RQ's loop ends on an error.
        """

    def unsubscribe(self) -> None:
        """There is nothing to unsubscribe from."""

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """Say in a line what is no defect of ours; RQ would show a traceback."""
        error = exc_info[1]
        if isinstance(error, ForbiddenJob | DeserializationError):
            log.warning("a job was refused", job=job.id, error=str(error))
        elif isinstance(job, OwnJob) and job.broke:
            super().handle_exception(job, *exc_info)
        else:
            self.outages.say(error)

    @property
    def dequeue_timeout(self) -> int:
        return _POP_SECONDS

    def request_stop(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Let the job in hand end, and take no other.

        RQ would raise out of its loop unless the job is marked busy, and lose one that was just
        popped (rq#2236). Here only a flag is set: it is looked at before the next pop. At a second
        signal RQ would tear the job in hand; here it says nothing new, the job ends soon anyway.
        """
        self.stopping.set()
        self._stop_requested = True


def make_worker(
    redis: "Redis", name: str, stopping: threading.Event, outages: Outages
) -> OwnWorker:
    """Make a worker that sets `stopping` when it is told to end, and ends when it is set."""

    class StoppableQueue(Queue):
        @classmethod
        def dequeue_any(cls, *args: Any, **kwargs: Any) -> tuple[Job, Queue] | None:
            if stopping.is_set():
                raise StopRequested
            return super().dequeue_any(*args, **kwargs)

    queue = StoppableQueue(
        keys.QUEUE, connection=redis, serializer=JSONSerializer, job_class=OwnJob
    )
    worker = OwnWorker(
        [queue],
        name=name,
        connection=redis,
        serializer=JSONSerializer,
        job_class=OwnJob,
        queue_class=StoppableQueue,
        maintenance_interval=_MAINTENANCE,
        worker_ttl=_WORKER_TTL,
        log_job_description=False,
    )
    worker.stopping = stopping
    worker.outages = outages
    # RQ has one logger for all workers, and adds no filter of its own.
    worker.log.filters[:] = [outages]
    return worker
