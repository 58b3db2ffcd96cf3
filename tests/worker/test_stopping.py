"""A worker process that is told to stop with its hands full."""

import signal
import sqlite3
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg

from tests.points import arm
from tests.waiting import until
from tests.worker.processes import (
    INTERMEDIATE,
    PATIENCE,
    QUEUE,
    STARTED,
    Outside,
    creations,
    looking,
    running_worker,
)
from worker.session import BATCH

COMMANDS = 3 * BATCH


def stopped_in_order(outside: Outside) -> bool:
    return (
        outside.is_tidied_up()
        and outside.listed_workers() == 0
        and not outside.redis.exists(INTERMEDIATE, STARTED)
        # A job that waits is a doorbell that nobody has taken: the next to come answers it.
        and len(outside.redis.keys("rq:job:*")) == outside.redis.llen(QUEUE)
    )


def test_a_worker_that_is_told_to_stop_ends_its_batch_and_leaves_nothing_to_recover(
    database_url: str, valkey_url: str, tmp_path: Path
) -> None:
    fails = tmp_path / "failpoints"
    fails.mkdir()
    with looking(database_url, valkey_url) as outside:
        with running_worker(
            tmp_path, database_url, valkey_url, ITEMLEDGER_FAILPOINTS=str(fails)
        ) as worker:
            arm(fails, "tx.before_commit", "freeze")
            for start in range(0, COMMANDS, BATCH):
                outside.append(*creations(start, BATCH))
            outside.press_the_doorbell()
            until(worker.stands_still, PATIENCE, "the first batch in hand")
            worker.signal(signal.SIGTERM)
            worker.signal(signal.SIGCONT)
            assert worker.end() == 0, worker.told()

        assert outside.checkpoint().n == BATCH, "a batch is finished, not cut, and no other begun"
        assert outside.outcomes() == BATCH
        assert stopped_in_order(outside)

        with running_worker(tmp_path, database_url, valkey_url) as worker:
            until(lambda: outside.has_applied(COMMANDS), PATIENCE, "the rest applied")


def test_a_worker_that_is_told_twice_ends_as_if_told_once(
    database_url: str, valkey_url: str, tmp_path: Path
) -> None:
    with looking(database_url, valkey_url) as outside:
        with running_worker(tmp_path, database_url, valkey_url) as worker:
            with database_held(database_url):
                outside.append(*creations(0, 10))
                job = outside.press_the_doorbell()
                until(lambda: outside.redis.hget(job, "status") == b"started", PATIENCE, "begun")
                until(outside.is_answered, PATIENCE, "in hand")
                worker.signal(signal.SIGTERM)
                # RQ takes two signals within one second for one.
                time.sleep(1.1)  # the second signal comes so late
                worker.signal(signal.SIGTERM)
            assert worker.end() == 0, worker.told()

        assert "stopped" in worker.told()
        assert not outside.redis.exists(job), "the job is done, not torn"
        assert stopped_in_order(outside)

        with running_worker(tmp_path, database_url, valkey_url) as worker:
            until(lambda: outside.has_applied(10), PATIENCE, "all applied")


@contextmanager
def database_held(url: str) -> Generator[None]:
    """Let nobody write for the block; shorter than the databases' own time-outs."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.rollback()
    else:
        with psycopg.connect(url.replace("+psycopg", "")) as other:
            other.execute("LOCK TABLE outcomes IN ACCESS EXCLUSIVE MODE")
            yield
            other.rollback()
