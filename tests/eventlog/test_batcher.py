"""Appends of one process, batched; on a real server, with and without a connection that fails."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest
from redis import Redis

from eventlog import keys
from eventlog.append import Appended, NotAppended, Submission, Unknown, Verdict
from eventlog.batcher import CHUNK, Batcher
from eventlog.clients import appending_pool
from runtime.failpoints import failpoints
from runtime.settings import Settings
from runtime.valkey import running_valkey


def commands(*names: str) -> list[Submission]:
    return [Submission(name, name.encode(), "f") for name in names]


def stored(redis: "Redis", partition: int = 0) -> list[str]:
    return [fields[b"c"].decode() for _, fields in redis.xrange(keys.log(partition))]


def run(
    url: str,
    work: Callable[[Batcher], Coroutine[None, None, None]],
    ring: Callable[[set[int]], None] = lambda _: None,
    give_up_after: float = 5.0,
) -> None:
    async def main() -> None:
        async with Batcher(appending_pool(url), ring, give_up_after) as batcher:
            await work(batcher)

    asyncio.run(main())


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


class Cutting:
    """A proxy that lets every request through and cuts the connection before some answers."""

    def __init__(self, socket: Path, target: Path, cuts: int, *, swallow: bool = False) -> None:
        self.socket = socket
        self._swallow = swallow
        self._target = target
        self.cuts = cuts
        self._serving: set[asyncio.Task[None] | None] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        server = await asyncio.start_unix_server(self._serve, self.socket)
        async with server:
            yield f"unix://{self.socket}"
            for each in self._serving:
                each.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.add(asyncio.current_task())
        upstream_reader, upstream_writer = await asyncio.open_unix_connection(self._target)
        saw_append = asyncio.Event()

        async def there() -> None:
            while data := await reader.read(1 << 16):
                if b"EVALSHA" in data:
                    saw_append.set()
                    if self._swallow and self.cuts > 0:
                        self.cuts -= 1
                        return
                upstream_writer.write(data)

        async def back() -> None:
            while data := await upstream_reader.read(1 << 16):
                if saw_append.is_set() and self.cuts > 0:
                    self.cuts -= 1
                    return
                writer.write(data)

        tasks = [asyncio.create_task(there()), asyncio.create_task(back())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            for each in (writer, upstream_writer):
                each.close()
            await asyncio.gather(*tasks, return_exceptions=True)


def through_cuts(
    valkey: Settings,
    folder: Path,
    cuts: int,
    work: Callable[[Batcher], Coroutine[None, None, None]],
    give_up_after: float = 5.0,
) -> None:
    async def main() -> None:
        async with Cutting(folder / "cut.sock", valkey.valkey_socket, cuts).running() as url:
            pool = appending_pool(url)
            async with Batcher(pool, lambda _: None, give_up_after) as batcher:
                await work(batcher)

    asyncio.run(main())


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
        proxy = Cutting(tmp_path / "cut.sock", valkey_server.valkey_socket, 1, swallow=True)
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


def test_what_may_have_arrived_once_stays_unknown_when_the_gate_closes_later(
    redis: "Redis", valkey_server: Settings, tmp_path: Path
) -> None:
    told: list[Verdict] = []

    async def work() -> None:
        proxy = Cutting(tmp_path / "cut.sock", valkey_server.valkey_socket, 1, swallow=True)
        async with proxy.running() as url:
            gate = lambda: None if proxy.cuts else "the disk is full"  # noqa: E731
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
