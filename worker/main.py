"""The worker process: RQ's loop in the main thread; sweeper, alarm and heartbeat beside it."""

import os
import signal
import socket
import sys
import threading
import time
import uuid
from functools import partial
from types import FrameType

import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from eventlog import keys, layout
from eventlog.appender import Appender
from eventlog.clients import ringing_client, rq_client, working_client
from eventlog.reader import LogReader
from eventlog.ring import Ring
from ledger import partitions
from ledger.engines import reading_engine, writing_engine
from ledger.schema import SchemaOutOfDate, check_schema, unusable
from ledger.writer import NoFolder, SecondWriter, sole_writer
from readmodel.views.listing import all_projections, all_views
from runtime import collector
from runtime.errors import first_line
from runtime.failpoints import failpoints
from runtime.positions import PartitionMismatch
from runtime.settings import PREFIX, Settings
from runtime.telemetry import configure_logging
from runtime.times import now_ms
from runtime.tracing import tracing_of
from worker import moves
from worker.alarm import Alarm
from worker.builder import Builder
from worker.drain import Drain
from worker.heartbeat import beat
from worker.housekeeping import Housekeeping
from worker.jobs import Duties, on_duty
from worker.losses import Losses
from worker.pace import Pace
from worker.pause import Pause
from worker.report import Reporter
from worker.revocations import MirrorRevocations, together
from worker.rqworker import Outages, OwnWorker, make_worker
from worker.stores import Stores
from worker.sweeper import Sweeper
from worker.tally import Tally
from worker.told import told_of

_CANNOT_START = 1
_UNREACHABLE = 3
_OR_UP = "or run `itemledger up`, which brings both"
# Between two beginnings of RQ's loop, unless one lasted long enough to be called well.
_RETRY_SECONDS, _LONGEST_RETRY_SECONDS, _SETTLED_SECONDS = 0.5, 2.0, 5.0

log = structlog.get_logger()


def run(settings: Settings) -> int:
    """Work until told to stop; return the exit code."""
    configure_logging(settings, "worker")
    collector.tame()
    try:
        engine = writing_engine(settings.sql_url)
    except ModuleNotFoundError as error:
        return _refuse(
            f"the driver of the database is not installed ({error.name}): "
            "pip install 'itemledger[postgres]' brings PostgreSQL's",
            _CANNOT_START,
        )
    try:
        with sole_writer(settings.sql_url):
            check_schema(engine)
            redis = working_client(settings.log_url)
            count = settle_partitions(settings, engine, redis)
            _work(settings, engine, redis, LogReader(redis, count))
    except (NoFolder, SchemaOutOfDate, SecondWriter, PartitionMismatch) as error:
        return _refuse(str(error), _CANNOT_START)
    except SQLAlchemyError as error:
        return _refuse(
            f"the database does not answer ({unusable(error)}): "
            f"start it, set {PREFIX}DATABASE_URL, {_OR_UP}",
            _UNREACHABLE,
        )
    except RedisError as error:
        return _refuse(
            f"the log does not answer ({first_line(error)}): "
            f"start it, set {PREFIX}REDIS_URL, {_OR_UP}",
            _UNREACHABLE,
        )
    finally:
        engine.dispose()
    return 0


def _refuse(line: str, code: int) -> int:
    sys.stderr.write(f"itemledger worker: {line}\n")
    return code


def settle_partitions(settings: Settings, engine: Engine, redis: "Redis") -> int:
    """Find the number of partitions and store it on both sides at the first start.

    Raises PartitionMismatch where either side was laid out for another number.
    """
    in_sql, in_log = partitions.stored_count(engine), layout.stored_count(redis)
    if in_sql is not None and in_log is not None and in_sql != in_log:
        raise PartitionMismatch(
            f"the ledger has {in_sql} partitions and the log {in_log}: they do not belong "
            "together; use the database and the Redis of one deployment"
        )
    # Compared before either side is written, so that a mistake leaves no trace.
    stored = in_sql or in_log
    count = settings.partitions or stored or settings.default_partitions
    if stored is not None and stored != count:
        raise PartitionMismatch(
            f"the data has {stored} partitions, fixed at the first start, and this process is told "
            f"{count}: set {PREFIX}PARTITIONS={stored}, or leave it out"
        )
    partitions.lay_out(engine, count)
    layout.claim(redis, count)
    return count


def _work(settings: Settings, engine: Engine, redis: "Redis", reader: LogReader) -> None:
    stopping = threading.Event()
    _stop_on_signals(stopping)
    ring = Ring(ringing_client(settings.doorbell_url))
    reach = failpoints(settings.failpoints)
    pause = Pause(time.monotonic, now_ms)
    tally = Tally()
    projections = all_projections()
    told = told_of(settings, tracing_of("worker"))
    drain = Drain(engine, reader, ring, projections, now_ms, stopping, pause, reach, tally, told)
    name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
    reporter = Reporter(redis, name, pause, now_ms, tally)
    rq = rq_client(settings.doorbell_url)
    queue = Queue(keys.QUEUE, connection=rq)
    sweeper = Sweeper(
        engine,
        drain,
        reader.lookout,
        ring,
        Losses(engine, reader.lookout, now_ms, reach),
        lambda: OwnWorker.count(queue=queue),
        time.monotonic,
        stopping,
        pause,
        together(reporter.report, MirrorRevocations(engine, redis).run),
        reach,
        partial(moves.beat, redis, name),
    )
    alarm = Alarm(engine, Appender(redis, ring), reader.partitions, now_ms, stopping)
    reads = reading_engine(settings.sql_url, connections=2)
    # Beside commands it takes two fifths of the time, in small pieces, so that they wait twice as
    # long at most; with twice as long ones and half the time some waited 2.6 times as long.
    pace = Pace(0.02, beside=0.008, rest=1.5, busy=lambda: drain.is_busy)
    stores = Stores(engine, reads, reader.partitions)
    builder = Builder(stores, all_views(), now_ms, stopping, pace)
    threads = [
        threading.Thread(target=builder.run, name="builder"),
        threading.Thread(target=sweeper.run, name="sweeper"),
        threading.Thread(target=alarm.run, name="alarm"),
    ]
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
            _listen(rq, name, stopping)
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
        reporter.sign_off()
    log.info("stopped")


def _listen(rq: "Redis", name: str, stopping: threading.Event) -> None:
    """Answer doorbells until told to stop. RQ's loop ends when Redis goes away in the middle of a
    job, or where somebody has damaged RQ's keys; then it is begun anew, and meanwhile the sweeper
    drains.
    """
    ended: OwnWorker | None = None
    pause, outages = _RETRY_SECONDS, Outages()
    while not stopping.is_set():
        begun = time.monotonic()
        try:
            if ended is not None:
                # RQ could not sign off where Redis was away; it refuses a second one of this name.
                rq.delete(ended.key, ended.executions_key)
            ended = make_worker(rq, name, stopping, outages)
            ended.work(logging_level="WARNING")
        except Exception as error:  # noqa: BLE001  RQ raises anything where its keys are damaged
            outages.say(error)
        _stop_on_signals(stopping)
        if time.monotonic() - begun > _SETTLED_SECONDS:
            pause = _RETRY_SECONDS
        stopping.wait(pause)
        pause = min(2 * pause, _LONGEST_RETRY_SECONDS)


def _stop_on_signals(stopping: threading.Event) -> None:
    """Stop in order whenever a signal asks to: RQ listens to signals only inside its loop."""

    def stop(_: int, __: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
