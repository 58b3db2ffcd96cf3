"""A log that is set back: its positions are never given out twice, and what is missing is told."""

import asyncio
import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import OutOfMemoryError

from eventlog import keys
from eventlog.append import Appended, Submission, evalsha, load_script, read_reply
from eventlog.losses import Loss, Losses
from eventlog.witness import witnessing
from runtime.positions import Position
from runtime.settings import Settings
from runtime.valkey import running_valkey

# Further than any clock: an epoch beyond it comes from what is known, never from the time.
AHEAD = 9_000_000_000_000_000


@dataclass(slots=True)
class Process:
    """An API process as far as the log knows it: it appends, remembers and reports."""

    redis: "Redis"
    url: str
    losses: Losses = field(default_factory=Losses)
    appended: list[Position] = field(default_factory=list)
    sent: int = 0

    def append(self, count: int = 1) -> list[Position]:
        names = [f"c{self.sent + n}" for n in range(count)]
        self.sent += count
        return self.send(names)

    def send(self, names: Sequence[str]) -> list[Position]:
        script = load_script()
        self.redis.script_load(script.text)
        commands = [Submission(name, name.encode(), "f") for name in names]
        words = evalsha(script, 0, commands, None, self.losses.floor(0))
        _, verdicts = read_reply(0, self.redis.execute_command(*words))
        told = [each for each in verdicts if isinstance(each, Appended)]
        positions = [each.position for each in told]
        self.appended += [each.position for each in told if not each.known]
        self.losses.acknowledged(positions)
        return positions

    def head(self) -> list[Position]:
        epoch, n = self.redis.hmget(keys.head(0), "epoch", "n")
        return [] if epoch is None else [Position(0, int(epoch), int(n))]

    def report(self) -> list[Loss]:
        async def main() -> list[Loss]:
            before = self.losses.so_far()
            async with AsyncRedis.from_url(self.url) as redis:
                return await self.losses.report(redis, self.head(), before)

        return asyncio.run(main())

    def told(self) -> dict[int, int]:
        """What the worker is told: by epochs, the last n that was acknowledged."""
        lost = self.redis.zrange(keys.lost(0), 0, -1, withscores=True)
        return {int(epoch): int(n) for epoch, n in lost}

    def state(self) -> dict[bytes, bytes]:
        return {each: self.redis.dump(each) for each in self.redis.keys("*")}

    def set_back(self, state: dict[bytes, bytes]) -> None:
        self.redis.flushall()
        for key, value in state.items():
            self.redis.restore(key, 0, value)


@pytest.fixture
def process(redis: "Redis", valkey_url: str) -> Process:
    return Process(redis, valkey_url)


def test_nothing_is_lost_by_a_restart(process: Process) -> None:
    process.append(3)
    process.redis.hset(keys.head(0), "run_id", "before the restart")
    process.append()

    assert process.report() == []
    assert process.told() == {}


def test_what_was_acknowledged_beyond_the_end_of_its_epoch_is_told(process: Process) -> None:
    first = process.append(2)
    earlier = process.state()
    process.append(3)
    process.set_back(earlier)
    process.append()
    epoch = first[0].epoch

    assert process.report() == [Loss(0, epoch, 2, 5)]
    assert process.told() == {epoch: 5}
    assert process.report() == []


def test_an_epoch_that_is_gone_with_all_that_was_in_it_is_told(process: Process) -> None:
    process.append(2)
    earlier = process.state()
    process.redis.hset(keys.head(0), "run_id", "another")
    second = process.append(2)
    process.set_back(earlier)
    process.append()

    process.report()

    assert process.told() == {second[0].epoch: 2}


def test_a_log_that_is_set_back_further_tells_of_epochs_that_were_in_order_before(
    process: Process,
) -> None:
    first = process.append(2)
    earlier = process.state()
    process.append(1)
    process.redis.hset(keys.head(0), "run_id", "another")
    second = process.append(2)
    assert process.report() == []
    process.set_back(earlier)
    process.append()
    process.report()

    assert process.told() == {first[0].epoch: 3, second[0].epoch: 2}


def test_an_empty_log_or_one_that_went_back_is_told_before_its_epoch_has_ended(
    process: Process,
) -> None:
    (first,) = process.append(1)
    earlier = process.state()
    process.append(2)
    process.set_back(earlier)
    back = process.report()
    told_back = process.told()
    process.redis.flushall()
    empty = process.report()
    told_empty = process.told()
    (after,) = process.append()

    assert (back, empty) == ([Loss(0, first.epoch, 1, 3)], [Loss(0, first.epoch, 0, 3)])
    assert told_back == told_empty == {first.epoch: 3}
    assert after.epoch > first.epoch
    assert process.report() == []


def test_a_log_that_went_back_by_epochs_is_told_of_each(process: Process) -> None:
    (first,) = process.append(1)
    earlier = process.state()
    process.append(2)
    process.redis.hset(keys.head(0), "run_id", "another")
    second = process.append(2)
    process.set_back(earlier)
    process.report()

    assert process.told() == {first.epoch: 3, second[0].epoch: 2}


def test_what_is_told_is_told_again_until_the_fence_is_up(process: Process) -> None:
    (first,) = process.append()
    process.redis.flushall()
    process.report()
    process.redis.flushall()

    assert process.report() == []
    assert process.told() == {first.epoch: 1}
    process.append()
    process.redis.delete(keys.lost(0))
    process.report()
    process.redis.delete(keys.lost(0))
    assert process.report() == []
    assert process.told() == {}


def test_a_head_without_its_key_loses_no_epoch_whose_end_is_on_record(process: Process) -> None:
    process.append(2)
    process.redis.hset(keys.head(0), "run_id", "another")
    (second,) = process.append()
    process.redis.delete(keys.head(0))
    process.report()

    assert process.told() == {second.epoch: 1}


def test_what_is_acknowledged_while_the_head_is_read_is_no_loss(
    process: Process, valkey_url: str
) -> None:
    process.append(1)

    async def main() -> list[Loss]:
        before, heads = process.losses.so_far(), process.head()
        await asyncio.to_thread(process.append, 2)
        async with AsyncRedis.from_url(valkey_url) as redis:
            return await process.losses.report(redis, heads, before)

    assert asyncio.run(main()) == []
    assert process.told() == {}


def test_what_could_not_be_told_is_told_the_next_time(process: Process) -> None:
    process.append(2)
    process.redis.flushall()
    process.append()
    process.redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(OutOfMemoryError):
            process.report()
    finally:
        process.redis.config_set("maxmemory", "0")

    assert len(process.report()) == 1
    assert list(process.told().values()) == [2]


def test_what_is_heard_of_late_is_compared_again(process: Process) -> None:
    (first,) = process.append()
    process.redis.hset(keys.head(0), "run_id", "another")
    process.append()
    assert process.report() == []
    process.losses.acknowledged([Position(0, first.epoch, 9)])

    assert process.report() == [Loss(0, first.epoch, 1, 9)]


def test_a_repeat_of_what_an_earlier_process_appended_counts_as_acknowledged(
    process: Process,
) -> None:
    process.append(4)
    earlier_process, process.losses = process.losses, Losses()
    process.send(["c3"])
    process.redis.flushall()
    process.append()

    assert [each.acknowledged for each in process.report()] == [4]
    assert earlier_process.floor(0) is not None


@pytest.mark.parametrize("seed", range(25))
def test_whatever_the_log_is_set_back_to_no_position_is_given_out_twice_and_all_missing_is_told(
    process: Process, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311  a test repeats by its seed
    process.redis.hset(keys.head(0), mapping={"run_id": "another", "epoch": AHEAD, "n": 7})
    states = [process.state()]
    for _ in range(30):
        match chance.choice(("append", "append", "keep", "set back", "restart", "wipe", "report")):
            case "append":
                process.append(chance.randint(1, 4))
            case "keep":
                states.append(process.state())
            case "set back":
                process.set_back(chance.choice(states))
            case "restart":
                if process.head():
                    process.redis.hset(keys.head(0), "run_id", f"of {chance.random()}")
            case "wipe":
                process.redis.flushall()
            case _:
                process.report()
    # A fence behind whatever was last.
    process.append()
    process.report()

    assert len(process.appended) == len(set(process.appended))
    entries = {entry.decode() for entry, _ in process.redis.xrange(keys.log(0))}
    told = process.told()
    ends = process.redis.hgetall(keys.epochs(0))
    missing = [each for each in process.appended if each.stream_id not in entries]
    assert missing
    for each in missing:
        assert int(ends.get(str(each.epoch).encode(), 0)) < each.n <= told.get(each.epoch, 0)


def test_an_older_file_of_the_server_gives_no_position_out_twice(settings: Settings) -> None:
    folder, copy = settings.data / "valkey", settings.data / "copy"
    url = settings.log_url
    with running_valkey(settings), Redis.from_url(url) as redis:
        process = Process(redis, url)
        # Ahead of the clock, as if that were set back together with the data.
        redis.hset(keys.head(0), mapping={"run_id": "another", "epoch": AHEAD, "n": 0})
        first = process.append(2)
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*.sock"))
    with running_valkey(settings) as valkey, Redis.from_url(url) as process.redis:
        second = process.append(3)
        valkey.kill()
        valkey.wait()
    shutil.rmtree(folder)
    copy.rename(folder)
    with running_valkey(settings), Redis.from_url(url) as process.redis:
        third = process.append(1)
        found = process.report()

    assert len(set(first + second + third)) == 6
    assert found == [Loss(0, second[0].epoch, 0, 3)]


def test_the_next_process_tells_what_one_that_died_had_seen(
    process: Process, tmp_path: Path
) -> None:
    with witnessing(tmp_path / "witness", "redis://a", 1) as witness:
        process.losses = Losses(witness)
        first = process.append(2)
        earlier = process.state()
        process.append(3)
    process.set_back(earlier)
    with witnessing(tmp_path / "witness", "redis://another", 1) as witness:
        process.losses = Losses(witness)
        assert process.report() == []
    with witnessing(tmp_path / "witness", "redis://a", 1) as witness:
        process.losses = Losses(witness)
        process.append()
        process.report()

    assert process.told() == {first[0].epoch: 5}
