from collections.abc import Iterator

import pytest

from tests.worker.world import World


@pytest.fixture
def world(database_url: str, valkey_url: str) -> Iterator[World]:
    """A worker's parts on real engines, with nobody else about."""
    with World.of(database_url, valkey_url, partitions=1) as made:
        yield made


@pytest.fixture
def two_partitions(database_url: str, valkey_url: str) -> Iterator[World]:
    with World.of(database_url, valkey_url, partitions=2) as made:
        yield made
