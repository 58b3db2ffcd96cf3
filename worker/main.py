"""The worker process: RQ's loop in the main thread, the sweeper and the heartbeat beside it."""

import gc
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Mapping

import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from eventlog import keys, layout
from eventlog.clients import ringing_client, rq_client, working_client
from eventlog.reader import LogReader
from eventlog.ring import Ring
from ledger import partitions
from ledger.engines import writing_engine
from ledger.migrate import SchemaOutOfDate, check_schema
from ledger.writer import SecondWriter, sole_writer
from readmodel.views import items
from runtime.positions import PartitionMismatch
from runtime.settings import Settings
from runtime.telemetry import configure_logging
from runtime.times import now_ms
from worker.apply import Project
from worker.drain import Drain
from worker.heartbeat import beat
from worker.housekeeping import Housekeeping
from worker.jobs import Duties, on_duty
from worker.rqworker import OwnWorker, make_worker
from worker.sweeper import Sweeper

# The views that are taken in the transaction that appends their events.
IN_STEP: Mapping[str, Project] = {items.NAME: items.project}

_CANNOT_START = 1
_RETRY_SECONDS = 0.5

log = structlog.get_logger()


def run(settings: Settings) -> int:
    """Work until told to stop; return the exit code."""
    configure_logging(settings, "worker")
    _tame_the_collector()
    engine = writing_engine(settings.sql_url)
    try:
        with sole_writer(settings.sql_url):
            check_schema(engine)
            redis = working_client(settings.log_url)
            count = settle_partitions(settings, engine, redis)
            _work(settings, engine, LogReader(redis, count))
    except (SchemaOutOfDate, SecondWriter, PartitionMismatch) as error:
        sys.stderr.write(f"itemledger worker: {error}\n")
        return _CANNOT_START
    except SQLAlchemyError as error:
        sys.stderr.write(f"itemledger worker: the database does not answer: {_short(error)}\n")
        return _CANNOT_START
    except RedisError as error:
        sys.stderr.write(f"itemledger worker: the log does not answer: {_short(error)}\n")
        return _CANNOT_START
    finally:
        engine.dispose()
    return 0


def _tame_the_collector() -> None:
    """Leave what was loaded at the start out of garbage collection, and collect less often: a batch
    makes thousands of values, none of them a cycle.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def settle_partitions(settings: Settings, engine: Engine, redis: "Redis") -> int:
    """Find the number of partitions and store it on both sides at the first start.

    Raises PartitionMismatch where either side was laid out for another number.
    """
    count = (
        settings.partitions
        or partitions.stored_count(engine)
        or layout.stored_count(redis)
        or settings.default_partitions
    )
    partitions.lay_out(engine, count)
    layout.claim(redis, count)
    return count


def _work(settings: Settings, engine: Engine, reader: LogReader) -> None:
    stopping = threading.Event()
    ring = Ring(ringing_client(settings.doorbell_url))
    drain = Drain(engine, reader, ring, IN_STEP, now_ms, stopping)
    rq = rq_client(settings.doorbell_url)
    queue = Queue(keys.QUEUE, connection=rq)
    sweeper = Sweeper(
        drain, reader, ring, lambda: OwnWorker.count(queue=queue), time.monotonic, stopping
    )
    threads = [threading.Thread(target=sweeper.run, name="sweeper")]
    if settings.heartbeat is not None:
        threads.append(
            threading.Thread(
                target=beat,
                args=(settings.heartbeat, drain.longest_batch, stopping),
                name="heartbeat",
                daemon=True,
            )
        )
    for thread in threads:
        thread.start()
    log.info("working", partitions=reader.partitions)
    try:
        with on_duty(Duties(drain, Housekeeping(engine, reader, now_ms))):
            _listen(rq, stopping)
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    log.info("stopped")


def _listen(rq: "Redis", stopping: threading.Event) -> None:
    """Answer doorbells until told to stop. RQ's loop ends when Redis goes away in the middle of a
    job; then it is begun anew, and meanwhile the sweeper drains.
    """
    while not stopping.is_set():
        name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        try:
            make_worker(rq, name, stopping).work(logging_level="WARNING")
        except (RedisError, OSError) as error:
            log.warning("the doorbell's Redis does not answer", error=str(error))
        stopping.wait(_RETRY_SECONDS)


def _short(error: Exception) -> str:
    return str(error).splitlines()[0]
