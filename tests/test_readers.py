"""Slices of `make followers` and `make own-writes`, on one service."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import followers, own_writes
from tests.journey import Deployment

SEED = 20261122


@pytest.fixture
def deployment(tmp_path: Path, sqlite_url: str) -> Deployment:
    return Deployment(tmp_path, sqlite_url)


@pytest.fixture
def pid(deployment: Deployment) -> Iterator[int]:
    with deployment.up() as process:
        yield process.pid


# On a busy machine the whole service starts slowly.
@pytest.mark.timeout(300)
def test_what_was_written_is_read_and_followers_that_are_cut_off_see_every_event_once(
    deployment: Deployment, pid: int
) -> None:
    told = asyncio.run(own_writes.run(deployment, 300, 10, SEED))
    assert told.stale == []
    assert told.pairs == 300

    followed = asyncio.run(
        followers.run(
            deployment,
            pid,
            seconds=4,
            per_second=300,
            followers=8,
            seed=SEED,
            kill_every=1.0,
            cut_after=200,
        )
    )
    assert not followed.wrong, followed
    assert followed.killed > 0
    assert followed.cuts > 0
    assert followed.read >= 8 * followed.events
    assert set(followed.kinds) == set(followers.KINDS)
