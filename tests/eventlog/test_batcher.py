"""Appends of one process, batched, on a real server."""

import asyncio
from contextlib import ExitStack

from redis import Redis

from eventlog.append import Appended, NotAppended, Verdict
from eventlog.batcher import CHUNK, Batcher
from eventlog.clients import appending_pool
from runtime.settings import Settings
from runtime.valkey import running_valkey
from tests.eventlog.batching import commands, run, stored


def test_appends_that_arrive_together_are_stored_in_the_order_they_came(
    redis: "Redis", valkey_url: str
) -> None:
    async def work(batcher: Batcher) -> None:
        await asyncio.gather(*(batcher.append(0, commands(f"c{n}")) for n in range(500)))

    run(valkey_url, work)

    assert stored(redis) == [f"c{n}" for n in range(500)]


def test_appends_that_arrive_together_share_a_pipeline(redis: "Redis", valkey_url: str) -> None:
    before = redis.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"]

    async def work(batcher: Batcher) -> None:
        await asyncio.gather(*(batcher.append(0, commands(f"c{n}")) for n in range(500)))

    run(valkey_url, work)

    calls = redis.info("commandstats")["cmdstat_evalsha"]["calls"] - before
    assert 1 <= calls <= 5


def test_a_request_longer_than_a_chunk_keeps_its_order(redis: "Redis", valkey_url: str) -> None:
    names = [f"c{n}" for n in range(3 * CHUNK + 7)]
    told: list[Verdict] = []

    async def work(batcher: Batcher) -> None:
        long = batcher.append(0, commands(*names))
        short = asyncio.create_task(batcher.append(0, commands("short")))
        told.extend(await long)
        await short

    run(valkey_url, work)

    assert [each for each in stored(redis) if each != "short"] == names
    assert all(isinstance(each, Appended) for each in told)


def test_partitions_are_appended_to_in_one_turn(redis: "Redis", valkey_url: str) -> None:
    rung: list[set[int]] = []

    async def work(batcher: Batcher) -> None:
        await asyncio.gather(*(batcher.append(n, commands(f"c{n}")) for n in range(4)))

    run(valkey_url, work, rung.append)

    assert rung == [{0, 1, 2, 3}]
    assert [stored(redis, n) for n in range(4)] == [["c0"], ["c1"], ["c2"], ["c3"]]


def test_the_bell_is_rung_once_while_it_is_up(valkey_url: str) -> None:
    rung: list[set[int]] = []

    async def work(batcher: Batcher) -> None:
        for n in range(3):
            await batcher.append(0, commands(f"c{n}"))

    run(valkey_url, work, rung.append)

    assert rung == [{0}]


def test_a_closed_gate_refuses_what_is_new_and_answers_what_is_known(
    redis: "Redis", valkey_url: str
) -> None:
    told: list[Verdict] = []
    closed: list[str] = []

    async def main() -> None:
        pool = appending_pool(valkey_url)
        gate = lambda: closed[0] if closed else None  # noqa: E731
        async with Batcher(pool, lambda _: None, gate=gate) as batcher:
            told.extend(await batcher.append(0, commands("a")))
            closed.append("the disk is full")
            told.extend(await batcher.append(0, commands("b", "a")))
            closed.clear()
            told.extend(await batcher.append(0, commands("b")))

    asyncio.run(main())

    first, refused, again, later = told
    assert isinstance(first, Appended)
    assert refused == NotAppended("the disk is full")
    assert again == Appended(first.position, known=True, fingerprint="f")
    assert isinstance(later, Appended)
    assert stored(redis) == ["a", "b"]


def test_a_server_that_restarts_meanwhile_is_waited_for(settings: Settings) -> None:
    told: list[Verdict] = []
    before, after = ExitStack(), ExitStack()
    killed = before.enter_context(running_valkey(settings))

    async def work(batcher: Batcher) -> None:
        told.extend(await batcher.append(0, commands("a")))
        killed.kill()
        before.close()
        waiting = asyncio.create_task(batcher.append(0, commands("b")))
        await asyncio.sleep(0)
        # In this thread: the server dies with the thread that started it.
        after.enter_context(running_valkey(settings))
        told.extend(await waiting)

    with before, after:
        run(settings.log_url, work, give_up_after=30)
        with Redis.from_url(settings.log_url) as redis:
            names = stored(redis)

    assert names == ["a", "b"]
    assert [type(each) for each in told] == [Appended, Appended]


def test_a_script_that_the_server_forgot_is_loaded_again(redis: "Redis", valkey_url: str) -> None:
    told: list[Verdict] = []

    async def work(batcher: Batcher) -> None:
        told.extend(await batcher.append(0, commands("a")))
        redis.script_flush()
        told.extend(await batcher.append(0, commands("b")))

    run(valkey_url, work)

    assert [type(each) for each in told] == [Appended, Appended]
    assert stored(redis) == ["a", "b"]
