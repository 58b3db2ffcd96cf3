from collections.abc import Iterator

import pytest
from redis import Redis


@pytest.fixture
def redis(valkey_url: str) -> Iterator["Redis"]:
    with Redis.from_url(valkey_url) as client:
        yield client
