"""No lost update and no doubled command, whoever competes and whatever answers are lost."""

import asyncio
import secrets
import sys
from pathlib import Path

from tests.contention import count_items, mistakes, race, repeat
from tests.journey import Deployment

ITEMS = 4


def test_no_update_is_lost_and_no_repeat_is_doubled(tmp_path: Path, sqlite_url: str) -> None:
    seed = secrets.randbelow(1_000_000)
    sys.stdout.write(f"seed {seed}\n")
    deployment = Deployment(tmp_path, sqlite_url)
    with deployment.up():
        told = asyncio.run(race(deployment.command_url, 32, 8, ITEMS, seed))
        wrong = mistakes(told, deployment.query_url, ITEMS)

        assert wrong == []
        assert sum(map(len, told.won.values())) + told.lost == 32 * 8
        assert told.lost > 0

        repeats, cut = asyncio.run(repeat(deployment.command_url, tmp_path, 60, 16, seed))

        assert cut > 0
        assert [ids for ids in repeats.ids.values() if len(ids) != 1] == []
        assert len(repeats.ids) == count_items(deployment.query_url) == 60
