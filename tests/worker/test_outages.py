"""A worker process that loses Redis, gets it back full, or is told to stop with its hands full."""

import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from redis.exceptions import ResponseError

from eventlog import layout
from eventlog.append import is_certain
from runtime.settings import Settings
from tests.waiting import until
from tests.worker.processes import (
    PATIENCE,
    Outside,
    OwnValkey,
    WorkerProcess,
    creations,
    looking,
    own_valkey,
    running_worker,
)

GIVEN_UP = "the doorbell is not heard"


@pytest.fixture
def valkey(settings: Settings) -> Iterator[OwnValkey]:
    with own_valkey(settings) as running:
        yield running


@pytest.fixture
def outside(sqlite_url: str, settings: Settings) -> Iterator[Outside]:
    with looking(sqlite_url, settings.log_url) as made:
        yield made


@pytest.fixture
def worker(
    tmp_path: Path, sqlite_url: str, settings: Settings, valkey: OwnValkey
) -> Iterator[WorkerProcess]:
    with running_worker(tmp_path, sqlite_url, settings.log_url) as running:
        yield running


def await_applied(outside: Outside, worker: WorkerProcess, count: int) -> None:
    until(
        lambda: outside.has_applied(count) or not worker.lives(),
        PATIENCE,
        f"{count} commands applied",
    )
    assert worker.lives(), worker.told()


def await_answer(outside: Outside, worker: WorkerProcess) -> None:
    """Press the doorbell and wait until RQ's loop has answered it."""
    job = outside.press_the_doorbell()
    until(
        lambda: not outside.redis.exists(job) or not worker.lives(),
        PATIENCE,
        "the doorbell answered",
    )
    assert worker.lives(), worker.told()


@pytest.mark.parametrize("seconds", [1, 30])
def test_an_idle_worker_that_loses_redis_comes_back_by_itself(
    valkey: OwnValkey, worker: WorkerProcess, outside: Outside, seconds: int
) -> None:
    outside.append(*creations(0, 10))
    await_applied(outside, worker, 10)
    until(lambda: not outside.jobs(), PATIENCE, "the worker is idle")
    valkey.kill()
    time.sleep(seconds)  # the outage lasts so long
    valkey.start()
    outside.append(*creations(10, 10))

    await_applied(outside, worker, 20)
    await_answer(outside, worker)
    assert outside.listed_workers() == 1
    until(lambda: not outside.jobs(), PATIENCE, "every doorbell answered")


@pytest.mark.parametrize("back", ["before the commit", "after the job"])
def test_a_worker_that_loses_redis_in_the_middle_of_a_job_comes_back_by_itself(
    valkey: OwnValkey, worker: WorkerProcess, outside: Outside, tmp_path: Path, back: str
) -> None:
    with closing(sqlite3.connect(tmp_path / "itemledger.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        outside.append(*creations(0, 10))
        outside.press_the_doorbell()
        until(outside.is_answered, PATIENCE, "the job in hand")
        valkey.kill()
        time.sleep(1)  # the outage lasts so long
        if back == "before the commit":
            valkey.start()
        other.rollback()
    if back == "after the job":
        until(lambda: GIVEN_UP in worker.told(), PATIENCE, "RQ's loop given up")
        valkey.start()

    await_applied(outside, worker, 10)
    outside.append(*creations(10, 10))
    await_applied(outside, worker, 20)
    await_answer(outside, worker)
    assert outside.listed_workers() == 1


def test_a_full_redis_drains_by_itself_and_accepts_again(
    worker: WorkerProcess, outside: Outside
) -> None:
    worker.signal(signal.SIGSTOP)
    fill(outside)
    worker.signal(signal.SIGCONT)

    until(lambda: outside.outcomes() == 5000 or not worker.lives(), PATIENCE, "all applied")
    assert worker.lives(), worker.told()
    until(lambda: accepts(outside), PATIENCE, "the log accepts again")
    await_applied(outside, worker, 5001)
    await_answer(outside, worker)


def test_a_worker_that_is_started_while_redis_is_full_drains_it(
    sqlite_url: str, outside: Outside, valkey: OwnValkey, tmp_path: Path
) -> None:
    layout.claim(outside.redis, 1)
    fill(outside)
    with running_worker(tmp_path, sqlite_url, valkey.settings.log_url) as worker:
        until(lambda: outside.outcomes() == 5000 or not worker.lives(), PATIENCE, "all applied")
        assert worker.lives(), worker.told()
        until(lambda: accepts(outside), PATIENCE, "the log accepts again")
        await_applied(outside, worker, 5001)


def fill(outside: Outside) -> None:
    """Leave 5,000 commands in a log that takes no more, and on a server that refuses RQ as well."""
    for start in range(0, 5000, 500):
        outside.append(*creations(start, 500, "x" * 500))
    outside.redis.config_set("maxmemory", outside.redis.info("memory")["used_memory"] - (1 << 20))
    assert not accepts(outside)


def accepts(outside: Outside) -> bool:
    """Say whether one more command is taken; where it is not, certainly so."""
    try:
        outside.append(*creations(5000, 1))
    except ResponseError as error:
        if not is_certain(error):
            raise
        return False
    return True
