"""What is told of appends where the connection, the server or the process fails."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest
from redis import Redis

from eventlog import keys
from eventlog.append import Appended, NotAppended, Unknown, Verdict
from eventlog.batcher import CHUNK, Batcher
from eventlog.clients import appending_pool
from runtime.failpoints import failpoints
from runtime.settings import Settings
from tests.eventlog.batching import commands, run, stored
from tests.eventlog.cutting import Cutting


def through_cuts(
    valkey: Settings,
    folder: Path,
    cuts: int,
    work: Callable[[Batcher], Coroutine[None, None, None]],
    give_up_after: float = 5.0,
) -> None:
    async def main() -> None:
        proxy = Cutting(folder / "cut.sock", valkey.valkey_socket, b"EVALSHA", cuts)
        async with (
            proxy.running() as url,
            Batcher(appending_pool(url), lambda _: None, give_up_after) as batcher,
        ):
            await work(batcher)

    asyncio.run(main())


def swallowing(valkey: Settings, folder: Path) -> Cutting:
    """A proxy on which the first append is lost before the server has seen it."""
    return Cutting(folder / "cut.sock", valkey.valkey_socket, b"EVALSHA", 1, swallow=True)


def test_a_reply_that_is_lost_does_not_store_a_command_twice(
    redis: "Redis", valkey_server: Settings, tmp_path: Path
) -> None:
    told: list[Verdict] = []

    async def work(batcher: Batcher) -> None:
        for n in range(20):
            told.extend(await batcher.append(0, commands(f"a{n}", f"b{n}")))

    through_cuts(valkey_server, tmp_path, 20, work)

    assert stored(redis) == [name for n in range(20) for name in (f"a{n}", f"b{n}")]
    assert all(isinstance(each, Appended) for each in told)


def test_what_may_have_arrived_and_is_never_answered_is_unknown(
    redis: "Redis", valkey_server: Settings, tmp_path: Path
) -> None:
    told: list[Verdict] = []

    async def work(batcher: Batcher) -> None:
        told.extend(await batcher.append(0, commands("a")))

    through_cuts(valkey_server, tmp_path, 1_000_000, work, give_up_after=0.3)

    assert [type(each) for each in told] == [Unknown]
    assert stored(redis) == ["a"]


def test_what_may_have_arrived_once_stays_unknown_when_it_is_refused_later(
    redis: "Redis", valkey_server: Settings, tmp_path: Path
) -> None:
    """Whether the first time was swallowed on its way or on its way back, nobody here can tell."""
    told: list[Verdict] = []

    async def work() -> None:
        proxy = swallowing(valkey_server, tmp_path)
        async with proxy.running() as url:
            pool = appending_pool(url)
            async with Batcher(pool, lambda _: None, 0.5) as batcher:
                told.extend(await batcher.append(0, commands("a")))

    redis.config_set("maxmemory", "1")
    try:
        asyncio.run(work())
    finally:
        redis.config_set("maxmemory", "0")

    assert [type(each) for each in told] == [Unknown]


def test_nothing_is_sent_after_a_part_whose_fate_is_unknown(
    redis: "Redis", valkey_server: Settings, tmp_path: Path
) -> None:
    names = [f"c{n}" for n in range(CHUNK + 1)]
    told: list[Verdict] = []

    async def work(batcher: Batcher) -> None:
        told.extend(await batcher.append(0, commands(*names)))

    through_cuts(valkey_server, tmp_path, 1_000_000, work, give_up_after=0.3)

    assert [type(each) for each in told] == [*[Unknown] * CHUNK, NotAppended]
    assert stored(redis) == names[:CHUNK]


def test_a_partition_that_fails_does_not_hold_up_the_others(
    redis: "Redis", valkey_url: str
) -> None:
    redis.xadd(keys.log(1), {"c": "x"}, id="99999999999999-1")
    told: list[list[Verdict]] = []

    async def work(batcher: Batcher) -> None:
        stuck = asyncio.create_task(batcher.append(1, commands("stuck")))
        told.extend([await batcher.append(0, commands(f"c{n}")) for n in range(20)])
        assert not stuck.done()
        told.append(await stuck)

    run(valkey_url, work, give_up_after=3.0)

    assert all(isinstance(each, Appended) for (each,) in told[:20])
    assert [type(each) for each in told[20]] == [Unknown]


def test_what_was_never_sent_is_certainly_not_accepted(tmp_path: Path) -> None:
    told: list[Verdict] = []

    async def work(batcher: Batcher) -> None:
        told.extend(await batcher.append(0, commands("a", "b")))

    run(f"unix://{tmp_path}/nobody.sock", work, give_up_after=0.2)

    assert [type(each) for each in told] == [NotAppended, NotAppended]


def test_a_full_server_is_a_certain_refusal_at_once(redis: "Redis", valkey_url: str) -> None:
    told: list[Verdict] = []

    async def work(batcher: Batcher) -> None:
        told.extend(await batcher.append(0, commands("a")))

    redis.config_set("maxmemory", "1")
    try:
        run(valkey_url, work, give_up_after=60)
    finally:
        redis.config_set("maxmemory", "0")

    assert [type(each) for each in told] == [NotAppended]
    assert stored(redis) == []


def test_the_rest_of_a_request_is_not_sent_after_a_part_that_was_not_accepted(
    tmp_path: Path,
) -> None:
    told: list[Verdict] = []

    async def work(batcher: Batcher) -> None:
        told.extend(await batcher.append(0, commands(*(f"c{n}" for n in range(CHUNK + 1)))))

    run(f"unix://{tmp_path}/nobody.sock", work, give_up_after=0.2)

    assert len(told) == CHUNK + 1
    assert isinstance(told[-1], NotAppended)
    assert "earlier part" in told[-1].why


def test_what_may_have_arrived_once_stays_unknown_when_the_gate_closes_later(
    redis: "Redis", valkey_server: Settings, tmp_path: Path
) -> None:
    told: list[Verdict] = []

    async def work() -> None:
        proxy = swallowing(valkey_server, tmp_path)
        async with proxy.running() as url:
            gate = lambda: "the disk is full" if proxy.cuts else None  # noqa: E731
            async with Batcher(appending_pool(url), lambda _: None, 0.5, gate=gate) as batcher:
                told.extend(await batcher.append(0, commands("a")))

    asyncio.run(work())

    assert told == [Unknown("the disk is full")]
    assert stored(redis) == []


@pytest.mark.parametrize(
    ("point", "verdict", "on_the_log", "rung"),
    [
        ("api.before_append", NotAppended, [], []),
        ("api.after_append", Unknown, ["a"], []),
        ("api.before_ring", Appended, ["a"], []),
        ("elsewhere", Appended, ["a"], [{0}]),
    ],
)
def test_a_process_that_fails_at_a_point_has_done_what_comes_before_it(
    redis: "Redis",
    valkey_url: str,
    tmp_path: Path,
    point: str,
    verdict: type[Verdict],
    on_the_log: list[str],
    rung: list[set[int]],
) -> None:
    told: list[Verdict] = []
    rang: list[set[int]] = []
    (tmp_path / point).write_text("raise")

    async def main() -> None:
        pool = appending_pool(valkey_url)
        async with Batcher(pool, rang.append, reach=failpoints(tmp_path)) as batcher:
            told.extend(await batcher.append(0, commands("a")))

    asyncio.run(main())

    assert [type(each) for each in told] == [verdict]
    assert stored(redis) == on_the_log
    assert rang == rung
