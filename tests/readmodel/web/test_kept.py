from typing import Any

import pytest

from readmodel.web import kept
from readmodel.web.sizes import size

USUAL = {
    "level": "fsync",
    "required": "everysec",
    "appendonly": True,
    "appendfsync": "always",
    "eviction": "noeviction",
    "used_memory": 1024,
    "maxmemory": 100_000_000,
    "replicas": 0,
    "wait_replicas": 0,
    "short_of_memory": False,
}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"appendfsync": "everysec"}, "on, fsync every second"),
        ({"appendfsync": None}, "on, it does not tell when it syncs"),
        ({"used_memory": 13_081_600}, "12.5 MiB of 95.4 MiB (13%)"),
        ({"used_memory": 95_000_000, "short_of_memory": True}, "90.6 MiB of 95.4 MiB (95%), too"),
        ({"maxmemory": 0}, "1.0 KiB, without a limit"),
        ({"eviction": "allkeys-lru"}, "it throws away what it has (allkeys-lru)"),
        ({"replicas": 2, "wait_replicas": 1}, "2 online; 1 must have a command before its"),
    ],
)
def test_what_is_known_of_the_log_is_put_in_words(found: dict[str, Any], said: str) -> None:
    durability = {**USUAL, **found}
    assert said in "; ".join(value for _, value in kept.rows(durability))


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (12_775_168, "12.2 MiB"),
        (2**20 - 1, "1.0 MiB"),
        (6_319_014_912, "5.9 GiB"),
        (2**70, "1,048,576.0 PiB"),
    ],
)
def test_sizes_have_the_unit_that_people_read(octets: int, said: str) -> None:
    assert size(octets) == said
