"""RQ's worker, narrowed to ours."""

import json
import logging
import os
import pickle
import signal
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from rq import Queue
from rq.job import Job
from structlog.testing import capture_logs

from eventlog import keys
from eventlog.ring import DRAIN, HOUSEKEEP, Ring
from tests.waiting import until
from worker.jobs import Duties, on_duty
from worker.rqworker import ForbiddenJob, Outages, OwnJob, OwnWorker, make_worker

ALLOWED = [DRAIN, HOUSEKEEP]


class Recording:
    """Stands in for the drain and the housekeeping: remembers that it was asked."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def answer(self) -> None:
        self.done.append("drain")

    def run(self, between: Callable[[], None]) -> None:
        between()
        self.done.append("housekeeping")


@pytest.fixture
def redis(valkey_url: str) -> Iterator["Redis"]:
    with Redis.from_url(valkey_url) as client:
        yield client


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """A worker leaves its signal handlers behind."""
    kept = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    yield
    for signum, handler in kept.items():
        signal.signal(signum, handler)


@pytest.fixture
def duties() -> Recording:
    return Recording()


def work(redis: "Redis", duties: Any, stopping: threading.Event | None = None) -> OwnWorker:
    worker = make_worker(redis, "w", stopping or threading.Event(), Outages())
    with on_duty(Duties(duties, duties)):
        worker.work(burst=True, logging_level="WARNING")
    return worker


@pytest.mark.parametrize("function", ALLOWED)
def test_a_job_of_ours_is_done_and_leaves_nothing_behind(
    redis: "Redis", duties: Recording, function: str
) -> None:
    Ring(redis).enqueue(function)
    work(redis, duties)

    assert duties.done == ["drain"] + (["housekeeping"] if function == HOUSEKEEP else [])
    assert redis.keys("rq:job:*") == []


def forge(redis: "Redis", data: bytes, **members: str) -> str:
    """Write a job hash as somebody with access to Redis could."""
    Ring(redis).enqueue(DRAIN)
    (job_id,) = redis.lrange(f"rq:queue:{keys.QUEUE}", 0, -1)
    key = f"rq:job:{job_id.decode()}"
    redis.hset(key, "data", zlib.compress(data))
    for name, value in members.items():
        redis.hset(key, name, value)
    redis.hdel(key, "retries_left")
    return key


def touching(marker: Path) -> list[bytes]:
    command = f"touch {marker}"
    return [
        json.dumps(["os.system", None, [command], {}]).encode(),
        json.dumps(["subprocess.getoutput", None, [command], {}]).encode(),
        json.dumps(["builtins.exec", None, [f"open({str(marker)!r}, 'w')"], {}]).encode(),
        json.dumps([DRAIN, "os", [command], {}]).encode(),
        json.dumps([DRAIN, None, [command], {}]).encode(),
        json.dumps([DRAIN, None, [], {"command": command}]).encode(),
        json.dumps(["worker.jobs.on_duty", None, [], {}]).encode(),
        pickle.dumps(("os.system", None, (command,), {})),
        b"no json",
        b"[]",
        b"",
    ]


@pytest.mark.parametrize("number", range(11))
def test_a_forged_job_executes_nothing(
    redis: "Redis",
    duties: Recording,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    number: int,
) -> None:
    marker = tmp_path / "executed"
    forge(redis, touching(marker)[number])
    with capture_logs() as said, caplog.at_level(logging.WARNING):
        work(redis, duties)

    assert [(each["event"], each["log_level"]) for each in said] == [
        ("a job was refused", "warning")
    ]
    assert not any(each.exc_info or "Traceback" in each.getMessage() for each in caplog.records)
    assert not marker.exists()
    assert duties.done == []
    assert Ring(redis).jobs_waiting() == 0


def test_callbacks_and_webhooks_of_a_job_hash_are_ignored(
    redis: "Redis", duties: Recording, tmp_path: Path
) -> None:
    marker = tmp_path / "executed"
    webhook = {"url": "http://127.0.0.1:9/", "events": ["finished"]}
    forge(
        redis,
        json.dumps([DRAIN, None, [], {}]).encode(),
        success_callback_name="os.system",
        failure_callback_name="os.system",
        stopped_callback_name="os.system",
        webhooks=json.dumps([webhook]),
        description=f"touch {marker}",
    )
    work(redis, duties)

    assert duties.done == ["drain"]
    assert not marker.exists()


def test_a_job_of_another_name_is_told_apart_before_it_is_looked_up(redis: "Redis") -> None:
    job = OwnJob.create("os.getcwd", connection=redis)

    with pytest.raises(ForbiddenJob):
        _ = job.func


def test_a_job_that_was_just_popped_when_the_signal_came_is_done(
    redis: "Redis", duties: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RQ itself loses this one (rq#2236)."""
    pop = Queue.dequeue_any.__func__  # type: ignore[attr-defined]

    def pop_and_be_told_to_stop(cls: type[Queue], *args: Any, **kwargs: Any) -> Any:
        popped: tuple[Job, Queue] | None = pop(cls, *args, **kwargs)
        os.kill(os.getpid(), signal.SIGTERM)
        return popped

    monkeypatch.setattr(Queue, "dequeue_any", classmethod(pop_and_be_told_to_stop))
    Ring(redis).enqueue(DRAIN)
    Ring(redis).enqueue(DRAIN)
    stopping = threading.Event()
    work(redis, duties, stopping)

    assert stopping.is_set()
    assert duties.done == ["drain"]
    assert Ring(redis).jobs_waiting() == 1
    assert redis.llen(f"rq:queue:{keys.QUEUE}:intermediate") == 0
    assert redis.zcard(f"rq:wip:{keys.QUEUE}") == 0


def test_an_idle_worker_stops_when_it_is_told_to(redis: "Redis", duties: Recording) -> None:
    stopping = threading.Event()
    worker = make_worker(redis, "w", stopping, Outages())

    def tell() -> None:
        # It hears signals before it waits for a job.
        until(lambda: redis.hget("rq:worker:w", "state") == b"idle", 60, "the worker is idle")
        os.kill(os.getpid(), signal.SIGTERM)

    telling = threading.Thread(target=tell)
    telling.start()
    with on_duty(Duties(duties, duties)):  # type: ignore[arg-type]
        worker.work(logging_level="CRITICAL")
    telling.join()

    assert stopping.is_set()
    assert redis.keys("rq:worker:w") == [] or redis.hget("rq:worker:w", "death")


def test_the_heart_beats_seldom_and_with_a_job_always(redis: "Redis") -> None:
    worker = make_worker(redis, "w", threading.Event(), Outages())
    worker.register_birth()
    worker.heartbeat()
    redis.hset("rq:worker:w", "last_heartbeat", "unchanged")
    worker.heartbeat()
    assert redis.hget("rq:worker:w", "last_heartbeat") == b"unchanged"

    worker.heartbeat(90)
    assert redis.hget("rq:worker:w", "last_heartbeat") != b"unchanged"
    worker.register_death()


class Forgetful(Recording):
    """Has RQ's records of the job in hand damaged, as after an outage."""

    def __init__(self, damage: Callable[[], object]) -> None:
        super().__init__()
        self._damage = damage

    def answer(self) -> None:
        super().answer()
        self._damage()


@pytest.mark.parametrize("what", ["deleted", "without a status", "a text"])
def test_records_of_jobs_that_an_outage_took_along_are_one_line(
    redis: "Redis", caplog: pytest.LogCaptureFixture, what: str
) -> None:
    def damage() -> None:
        for job in redis.keys("rq:job:*"):
            match what:
                case "deleted":
                    redis.delete(job)
                case "without a status":
                    redis.hdel(job, "status")
                case _:
                    redis.set(job, "no such thing")

    forgetful, outages = Forgetful(damage), Outages()
    worker = make_worker(redis, "w", threading.Event(), outages)
    Ring(redis).enqueue(DRAIN)
    Ring(redis).enqueue(DRAIN)
    with (
        capture_logs() as said,
        on_duty(Duties(forgetful, forgetful)),  # type: ignore[arg-type]
    ):
        worker.work(burst=True, logging_level="WARNING")

    assert forgetful.done
    assert {(each["event"], each["log_level"]) for each in said} <= {
        ("the doorbell is not heard, trying again", "warning")
    }
    assert not any("Traceback" in each.getMessage() for each in caplog.records)


def test_an_outage_is_said_once_whatever_rq_says_of_it() -> None:
    outages = Outages()
    with capture_logs() as said:
        for error in (RedisConnectionError("refused"), RedisConnectionError("reset"), OSError()):
            outages.say(error)
        outages.say(ResponseError("WRONGTYPE one"))
        outages.say(ResponseError("WRONGTYPE one"))

    assert [each["error"] for each in said] == [
        "ConnectionError: refused",
        "ResponseError: WRONGTYPE one",
    ]


def test_a_defect_of_ours_keeps_its_traceback(
    redis: "Redis", caplog: pytest.LogCaptureFixture
) -> None:
    class Defect(Recording):
        def answer(self) -> None:
            raise KeyError("a defect")

    Ring(redis).enqueue(DRAIN)
    work(redis, Defect())

    assert any("KeyError: 'a defect'" in each.getMessage() for each in caplog.records)
