"""An answer that is lost after the server has run the command stores nothing twice."""

import asyncio
import os
import random
import secrets
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from eventlog import clients, keys
from eventlog.append import Appended, Submission, Verdict
from eventlog.batcher import Batcher
from eventlog.clients import appending_pool
from runtime.settings import Settings
from tests.eventlog.cutting import Cutting

# Of as many writers at once as there would be processes of the command API.
CUTS, _WRITERS = int(os.environ.get("CUT_REPLIES", "400")), 4
_PARTITIONS = 4
_ITEMS = 32


@pytest.mark.timeout(180)
def test_hundreds_of_lost_answers_store_every_command_once_and_in_order(
    redis: "Redis", valkey_server: Settings, tmp_path: Path
) -> None:
    seed = secrets.randbelow(1_000_000)
    dice = random.Random(seed)  # noqa: S311  a seed that can be given again
    proxies = [
        Cutting(tmp_path / f"cut{n}", valkey_server.valkey_socket, b"EVALSHA", CUTS // 4, 0.8, dice)
        for n in range(_WRITERS)
    ]
    told: dict[str, Verdict] = {}

    async def send(batcher: Batcher, proxy: Cutting, item: int) -> None:
        """One client of one item: its next command comes after the answer to its last."""
        n = 0
        while proxy.cuts < CUTS // _WRITERS:
            names = [f"{item}:{n + each}" for each in range(dice.randrange(1, 4))]
            n += len(names)
            verdicts = await batcher.append(item // _WRITERS % _PARTITIONS, _submissions(names))
            told.update(zip(names, verdicts, strict=True))

    async def write(number: int) -> None:
        proxy = proxies[number]
        async with proxy.running() as url:
            pool = appending_pool(url)
            async with Batcher(pool, lambda _: None, give_up_after=60) as batcher:
                items = range(number, _ITEMS, _WRITERS)
                await asyncio.gather(*(send(batcher, proxy, item) for item in items))

    async def main() -> None:
        await asyncio.gather(*(write(number) for number in range(_WRITERS)))

    asyncio.run(main())
    stored = {partition: _log(redis, partition) for partition in range(_PARTITIONS)}
    places = sum((proxy.places for proxy in proxies), Counter[str]())
    # pytest shows this where the test fails.
    sys.stdout.write(f"seed {seed}: {len(told)} commands, {places}\n")

    assert places.total() == CUTS
    assert min(places[kind] for kind in ("nothing", "a part", "all")) > CUTS // 20
    _assert_true(told, stored)
    per_item: dict[str, list[int]] = defaultdict(list)
    for entries in stored.values():
        for name in entries.values():
            item, n = name.split(":")
            per_item[item].append(int(n))
    assert all(numbers == list(range(len(numbers))) for numbers in per_item.values())
    assert len(per_item) == _ITEMS


def test_what_is_given_up_under_lost_answers_is_never_told_as_refused_where_it_is_stored(
    redis: "Redis", valkey_server: Settings, tmp_path: Path
) -> None:
    """With hardly any patience: many verdicts are open, none is untrue."""
    dice = random.Random(secrets.randbelow(1_000_000))  # noqa: S311  which cuts does not matter
    proxy = Cutting(tmp_path / "cut", valkey_server.valkey_socket, b"EVALSHA", CUTS, 0.9, dice)
    told: dict[str, Verdict] = {}

    async def write(batcher: Batcher, name: str) -> None:
        (told[name],) = await batcher.append(0, _submissions([name]))

    async def main() -> None:
        async with (
            proxy.running() as url,
            Batcher(appending_pool(url), lambda _: None, 0.03) as batcher,
        ):
            for turn in range(100):
                names = (f"{turn}:{n}" for n in range(20))
                await asyncio.gather(*(write(batcher, name) for name in names))

    asyncio.run(main())

    assert proxy.cuts > 50
    assert any(not isinstance(each, Appended) for each in told.values())
    _assert_true(told, {0: _log(redis, 0)})


def _submissions(names: list[str]) -> list[Submission]:
    return [Submission(name, name.encode(), "f") for name in names]


def _log(redis: "Redis", partition: int) -> dict[str, str]:
    """Read the names of all commands by their position."""
    found: Any = redis.xrange(keys.log(partition))
    return {f"{partition} {at.decode()}": fields[b"c"].decode() for at, fields in found}


def _assert_true(told: dict[str, Verdict], stored: dict[int, dict[str, str]]) -> None:
    """What was appended stands exactly once and where it was said; what was refused, nowhere."""
    at = {where: name for entries in stored.values() for where, name in entries.items()}
    names = list(at.values())
    assert len(names) == len(set(names)), "stored twice"
    for name, verdict in told.items():
        match verdict:
            case Appended(position):
                assert at[f"{position.partition} {position.stream_id}"] == name
            case _:
                unknown = type(verdict).__name__ == "Unknown"
                assert unknown or name not in set(names), f"refused and stored: {name}"


def _call_once(make: Callable[[str], Any], url: str) -> Any:
    with make(url) as client:
        client.ping()
        return client.incr("counted")


async def _call_async(make: Callable[[str], Any], url: str) -> Any:
    async with make(url) as client:
        await client.ping()
        return await client.incr("counted")


async def _call_on_connection(make: Callable[[str], Any], url: str) -> Any:
    connection = make(url).make_connection()
    try:
        await connection.connect()
        await connection.send_command("INCR", "counted")
        return await connection.read_response()
    finally:
        await connection.disconnect(nowait=True)


# By client: how often the server runs a command of which every answer is lost.
EXPECTED = {
    "appending_pool": 1,
    "counting_pool": 1,
    "listening_client": 1,
    "asking_client": 2,
    "asking_client_of_threads": 2,
    "hearing_client": 1,
    "ringing_client": 2,
    "working_client": 4,
    "rq_client": 1,
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_client_repeats_by_itself_as_often_as_its_use_allows_and_no_more(
    redis: "Redis", valkey_server: Settings, tmp_path: Path, name: str
) -> None:
    make = getattr(clients, name)
    proxy = Cutting(tmp_path / "cut", valkey_server.valkey_socket, b"INCR", 1000)

    async def main() -> None:
        async with proxy.running() as url:
            match name:
                case "appending_pool" | "counting_pool":
                    await _call_on_connection(make, url)
                case "listening_client" | "asking_client":
                    await _call_async(make, url)
                case _:
                    await asyncio.to_thread(_call_once, make, url)

    with pytest.raises((RedisError, OSError)):
        asyncio.run(main())

    assert proxy.seen == int(redis.get("counted")) == EXPECTED[name]


def test_every_client_has_its_number_of_repeats(redis: "Redis") -> None:
    made = {
        name
        for name, each in vars(clients).items()
        if callable(each)
        and hasattr(each, "__module__")
        and each.__module__ == clients.__name__
        and not name.startswith("_")
    }

    assert made == EXPECTED.keys()
