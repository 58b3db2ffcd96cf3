"""What is acknowledged is on the replicas as well, where they are waited for."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path

import pytest
from redis import Redis

from eventlog import keys
from eventlog.append import Appended, NotAppended, Submission, Unknown, Verdict
from eventlog.batcher import Batcher
from eventlog.clients import appending_pool
from eventlog.replicas import Replicas
from tests.eventlog.replication import Server, replicated, server
from tests.waiting import until

# Seconds: long enough for the primary to have what its replica will not, also on a busy machine.
SHORT = 1.0


def commands(*names: str) -> list[Submission]:
    return [Submission(name, name.encode(), "f") for name in names]


def stored(redis: "Redis") -> list[str]:
    return [fields[b"c"].decode() for _, fields in redis.xrange(keys.log(0))]


def run(
    url: str,
    work: Callable[[Batcher], Coroutine[None, None, None]],
    give_up_after: float = 30.0,
    closed: str | None = None,
    count: int = 1,
) -> None:
    async def main() -> None:
        pool = appending_pool(url)
        replicas = Replicas(count)
        async with Batcher(
            pool, lambda _: None, give_up_after, gate=lambda: closed, replicas=replicas
        ) as batcher:
            await work(batcher)

    asyncio.run(main())


def append(url: str, *names: str, give_up_after: float = 30.0, count: int = 1) -> list[Verdict]:
    told: list[Verdict] = []

    async def work(batcher: Batcher) -> None:
        told.extend(await batcher.append(0, commands(*names)))

    run(url, work, give_up_after, count=count)
    return told


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    with replicated(tmp_path) as made:
        yield made


def test_what_is_acknowledged_is_on_the_replica(pair: tuple[Server, Server]) -> None:
    primary, replica = pair
    seen: list[list[str]] = []

    async def work(batcher: Batcher) -> None:
        for n in range(20):
            await batcher.append(0, commands(f"c{n}"))
            seen.append(stored(replica.redis))

    run(primary.url, work)

    assert seen == [[f"c{m}" for m in range(n + 1)] for n in range(20)]


def test_a_replica_that_stands_still_makes_the_outcome_unknown_and_its_return_known(
    pair: tuple[Server, Server],
) -> None:
    primary, replica = pair
    replica.pause()
    told = append(primary.url, "a", give_up_after=SHORT)
    replica.go_on()
    again = append(primary.url, "a")

    assert [type(each) for each in told] == [Unknown]
    assert "0 replicas of the log's Redis have it in time and 1 must" in str(told[0])
    assert [(type(each), each.known) for each in again] == [(Appended, True)]
    assert stored(replica.redis) == stored(primary.redis) == ["a"]


def test_a_replica_that_comes_back_in_time_is_waited_for(pair: tuple[Server, Server]) -> None:
    primary, replica = pair
    told: list[Verdict] = []

    async def work(batcher: Batcher) -> None:
        replica.pause()
        waiting = asyncio.create_task(batcher.append(0, commands("a", "b")))
        await asyncio.to_thread(
            until, lambda: stored(primary.redis) == ["a", "b"], 30, "it is on the primary"
        )
        assert not waiting.done()
        replica.go_on()
        told.extend(await waiting)

    run(primary.url, work)

    assert [type(each) for each in told] == [Appended, Appended]
    assert stored(replica.redis) == ["a", "b"]


def test_a_repeat_on_a_new_connection_is_not_acknowledged_before_the_replica_has_it(
    pair: tuple[Server, Server],
) -> None:
    """It is answered without a write, and a server waits for a connection's own writes only."""
    primary, replica = pair
    replica.pause()
    told = [*append(primary.url, "a", give_up_after=SHORT)]
    told += append(primary.url, "a", give_up_after=SHORT)

    assert [type(each) for each in told] == [Unknown, Unknown]
    assert stored(primary.redis) == ["a"]


def test_a_refusal_waits_for_nobody(pair: tuple[Server, Server]) -> None:
    primary, replica = pair
    replica.pause()
    told: list[Verdict] = []

    async def work(batcher: Batcher) -> None:
        told.extend(await asyncio.wait_for(batcher.append(0, commands("a")), 20))

    run(primary.url, work, give_up_after=60, closed="too few replicas")

    assert told == [NotAppended("too few replicas")]
    assert primary.redis.keys("*") == []


def test_a_server_without_a_file_of_its_own_waits_for_the_memory_of_its_replicas(
    pair: tuple[Server, Server],
) -> None:
    primary, replica = pair
    primary.redis.config_set("appendonly", "no")
    told = append(primary.url, "a")
    replica.pause()
    paused = append(primary.url, "b", give_up_after=SHORT)

    assert [type(each) for each in told + paused] == [Appended, Unknown]


def test_a_server_too_old_to_wait_for_disks_waits_for_the_memory_of_its_replicas(
    tmp_path: Path,
) -> None:
    with server(tmp_path / "old", "--rename-command", "WAITAOF", "") as old:
        told = append(old.url, "a", give_up_after=SHORT)
        waited = old.redis.info("commandstats")["cmdstat_wait"]["calls"]

    assert [type(each) for each in told] == [Unknown]
    assert waited >= 1


def test_a_replica_that_keeps_nothing_on_disk_does_not_count(pair: tuple[Server, Server]) -> None:
    primary, replica = pair
    replica.redis.config_set("appendonly", "no")
    told = append(primary.url, "a", give_up_after=SHORT)

    assert [type(each) for each in told] == [Unknown]


def test_a_replica_that_syncs_every_second_is_enough(pair: tuple[Server, Server]) -> None:
    primary, replica = pair
    replica.redis.config_set("appendfsync", "everysec")
    told = [append(primary.url, f"c{n}") for n in range(3)]

    assert [type(each) for (each,) in told] == [Appended] * 3
