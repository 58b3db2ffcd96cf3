"""RQ's own keys damaged under a worker: what it is there for goes on."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ResponseError
from structlog.testing import capture_logs

from eventlog import keys
from eventlog.ring import DRAIN, Ring
from tests.waiting import until
from tests.worker.processes import (
    INTERMEDIATE,
    PATIENCE,
    QUEUE,
    STARTED,
    Outside,
    WorkerProcess,
    creations,
    looking,
    running_worker,
)

Damage = Callable[["Redis", str], object]


def delete_matching(pattern: str) -> Damage:
    return lambda redis, _: [redis.delete(name) for name in redis.keys(pattern)]


def replace_by_text(name: str) -> Damage:
    """Put a string where RQ has, or will have, something else."""
    return lambda redis, _: redis.set(name, "no such thing")


def replace_own_key_by_text(redis: "Redis", _: str) -> None:
    for name in redis.keys("rq:worker:*"):
        redis.set(name, "no such thing")


def garble_every_member_of_the_job(redis: "Redis", job: str) -> None:
    for member in redis.hkeys(job):
        redis.hset(job, member, b"\xff\x00 no such thing")


# By what is done while a job waits: RQ is well again without anybody's help.
PASSING: Mapping[str, Damage] = {
    "the job's hash deleted": lambda redis, job: redis.delete(job),
    "the job's hash a text": lambda redis, job: redis.set(job, "no such thing"),
    "the job's hash without data": lambda redis, job: redis.hdel(job, "data"),
    "the job's hash garbled": garble_every_member_of_the_job,
    "the queue deleted": delete_matching(QUEUE),
    "unknown jobs in the queue": lambda redis, _: redis.lpush(
        QUEUE, *map(str, range(500)), "", "x"
    ),
    "a job twice in the queue": lambda redis, job: redis.rpush(QUEUE, job.removeprefix("rq:job:")),
    "every key deleted": delete_matching("rq:*"),
    "the worker's key deleted": delete_matching("rq:worker:*"),
    "the worker's key a text": replace_own_key_by_text,
    "the list of workers deleted": delete_matching("rq:workers*"),
    "maintenance locks left": lambda redis, _: redis.mset(
        {f"rq:clean_registries:{keys.QUEUE}": 1, "rq:clean_group_registries": 1}
    ),
    "workers suspended": lambda redis, _: redis.set("rq:suspended", 1, ex=1),
}
# By the key that is a text for good: until somebody deletes it the sweeper has to do everything.
LASTING = [QUEUE, INTERMEDIATE, STARTED, "rq:workers", f"rq:workers:{keys.QUEUE}", "rq:queues"]


@pytest.mark.parametrize("kind", ["passing", "lasting"])
def test_a_worker_goes_on_whatever_happens_to_the_keys_of_rq(
    sqlite_url: str, valkey_url: str, tmp_path: Path, subtests: pytest.Subtests, kind: str
) -> None:
    damages = PASSING if kind == "passing" else {key: replace_by_text(key) for key in LASTING}
    taken = 0
    with (
        looking(sqlite_url, valkey_url) as outside,
        running_worker(tmp_path, sqlite_url, valkey_url) as worker,
    ):
        for name, damage in damages.items():
            with subtests.test(name):
                damage(outside.redis, outside.press_the_doorbell())
                outside.append(*creations(taken, 10))
                taken += 10
                await_applied(outside, worker, taken, name)
                if kind == "lasting":
                    outside.redis.delete(name)
                await_answer(outside, worker, name)
        until(lambda: outside.listed_workers() == 1, PATIENCE, "the worker is listed again")
        assert "Traceback" not in worker.told()
        assert "quitting" not in worker.told()


def await_applied(outside: Outside, worker: WorkerProcess, count: int, after: str) -> None:
    until(
        lambda: outside.has_applied(count) or not worker.lives(),
        PATIENCE,
        f"{count} commands applied after: {after}",
    )
    assert worker.lives(), worker.told()[-4000:]


def await_answer(outside: Outside, worker: WorkerProcess, after: str) -> None:
    """Wait until RQ's loop has answered the doorbell once more."""
    job = outside.press_the_doorbell()
    until(
        lambda: not outside.redis.exists(job) or not worker.lives(),
        PATIENCE,
        f"the doorbell answered after: {after}",
    )
    assert worker.lives(), worker.told()[-4000:]


def test_a_key_that_is_a_text_is_named_once_with_what_mends_it(valkey_url: str) -> None:
    with Redis.from_url(valkey_url) as redis:
        ring = Ring(redis)
        redis.set(QUEUE, "no such thing")
        with capture_logs() as said:
            for _ in range(3):
                complain(ring, lambda: ring.enqueue(DRAIN))
            complain(ring, ring.jobs_waiting)
            redis.delete(QUEUE)
            ring.enqueue(DRAIN)
            redis.set(QUEUE, "no such thing")
            complain(ring, lambda: ring.enqueue(DRAIN))

    first, unnamed, again = (each["error"] for each in said)
    assert first.endswith(f"that is {QUEUE}, delete it in Redis")
    assert "WRONGTYPE" in first
    assert QUEUE in unnamed
    assert "delete it in Redis" in unnamed
    assert again == first
    assert {each["event"] for each in said} == {"the doorbell does not ring"}


def complain(ring: Ring, act: Callable[[], object]) -> None:
    with pytest.raises(ResponseError) as refused:
        act()
    ring.failed(refused.value)
