"""RQ's own keys damaged: it only carries doorbells, so this may cost time and nothing else."""

import uuid
from random import Random
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from tests.chaos.faults.kind import Registry
from tests.chaos.world import World

registry = Registry()

_QUEUE = "rq:queue:itemledger"


def _drop_a_job(redis: "Redis", dice: Random) -> str:
    jobs: list[Any] = list(redis.scan_iter("rq:job:*", count=1000))
    if jobs:
        redis.delete(dice.choice(sorted(jobs)))
    return "a job's hash deleted"


def _drop_the_queue(redis: "Redis", dice: Random) -> str:
    redis.delete(_QUEUE)
    return "the queue deleted"


def _push_unknown(redis: "Redis", dice: Random) -> str:
    redis.rpush(_QUEUE, str(uuid.UUID(int=dice.getrandbits(128))), "no id", "")
    return "unknown ids pushed"


def _push_twice(redis: "Redis", dice: Random) -> str:
    jobs: list[Any] = list(redis.scan_iter("rq:job:*", count=1000))
    for each in jobs[:3]:
        redis.rpush(_QUEUE, each.removeprefix(b"rq:job:"), each.removeprefix(b"rq:job:"))
    return f"{len(jobs[:3])} ids pushed twice"


def _wrong_type(redis: "Redis", dice: Random) -> str:
    redis.set(_QUEUE, "not a list")
    return "the queue is a string"


def _drop_all(redis: "Redis", dice: Random) -> str:
    for key in redis.scan_iter("rq:*", count=1000):
        redis.delete(key)
    return "all of RQ's keys deleted"


def _leave_locks(redis: "Redis", dice: Random) -> str:
    redis.set("rq:clean_registries:itemledger", 1, ex=900)
    redis.set("rq:scheduler-lock:itemledger", 1, ex=900)
    return "maintenance locks left"


def _forge(redis: "Redis", dice: Random) -> str:
    """A job that would make a file, were it ever run."""
    name = str(uuid.UUID(int=dice.getrandbits(128)))
    redis.hset(
        f"rq:job:{name}",
        mapping={
            "created_at": "2026-01-01T00:00:00.000000Z",
            "data": '["os.system", null, ["true"], {}]',
            "origin": "itemledger",
            "status": "queued",
        },
    )
    redis.rpush(_QUEUE, name)
    return "a forged job pushed"


_DAMAGES = (
    _drop_a_job,
    _drop_the_queue,
    _push_unknown,
    _push_twice,
    _wrong_type,
    _drop_all,
    _leave_locks,
    _forge,
)


@registry.kind("rq-damaged", "rq", "valkey", weight=3)
def damage(world: World, dice: Random) -> str:
    done: list[str] = []
    with world.redis() as redis:
        for _ in range(dice.randrange(1, 4)):
            try:
                done.append(dice.choice(_DAMAGES)(redis, dice))
            except ResponseError as error:
                done.append(f"not done: {error}")
            world.patience.hold(dice.uniform(0.0, 0.5))
    return ", ".join(done)


@registry.kind("rung-left", "rq", "valkey")
def leave_rung(world: World, dice: Random) -> str:
    """Somebody raised every bell and died before pressing the doorbell."""
    with world.redis() as redis:
        redis.set("itemledger:rung", "1", ex=10)
        redis.delete("itemledger:ready", _QUEUE)
        for partition in range(world.options.partitions):
            redis.set(f"itemledger:{{{partition}}}:bell", "1", ex=10)
    return "bells raised, nobody woken"
