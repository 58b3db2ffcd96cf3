"""Many partitions and few workers: doorbells do not pile up."""

from pathlib import Path

import pytest

from eventlog.ring import Ring
from tests.waiting import until
from tests.worker.processes import PATIENCE, QUEUE, creations, looking, running_worker
from tests.worker.world import World

_PARTITIONS, _WORKERS = 64, 2
_COMMANDS = 600


def test_the_queue_never_holds_more_than_two_jobs_per_worker_and_one(
    postgresql_url: str, valkey_url: str, tmp_path: Path
) -> None:
    lengths: list[int] = []
    with (
        looking(postgresql_url, valkey_url) as outside,
        running_worker(tmp_path / "1", postgresql_url, valkey_url, _PARTITIONS) as one,
        running_worker(tmp_path / "2", postgresql_url, valkey_url, _PARTITIONS) as two,
    ):
        ring = Ring(outside.redis)
        for n, command in enumerate(creations(0, _COMMANDS)):
            if outside.append(command, partition=n % _PARTITIONS):
                ring.ring([n % _PARTITIONS])
            lengths.append(outside.redis.llen(QUEUE))

        def all_applied() -> bool:
            lengths.append(outside.redis.llen(QUEUE))
            return outside.outcomes() == _COMMANDS

        until(all_applied, PATIENCE, "all applied")
        assert one.lives()
        assert two.lives()

    assert 0 < max(lengths) <= 2 * _WORKERS + 1


def test_jobs_whose_time_is_over_do_not_multiply(
    two_partitions: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each was followed by one for the next append and by one for what it left."""
    monkeypatch.setattr("worker.drain._JOB", 0.0)
    world, jobs = two_partitions, 0
    for n in range(0, 20, 2):
        for partition in range(2):
            world.append(*creations(n + partition, 1), partition=partition)
            if world.rang:
                world.ring.ring([partition])
        jobs = max(jobs, world.redis.llen(QUEUE))
        world.redis.lpop(QUEUE)
        world.drain().answer()

    assert jobs <= 2
