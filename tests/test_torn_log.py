"""The end of the log torn off, as by a power cut: what lies before the cut is there."""

import os
import random
import secrets
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis

from eventlog import keys
from runtime.settings import Settings
from tests.torn import PARTITIONS, Acknowledged, append, append_file, server_on_copy, write_log

# How many cuts: a sample, unless all are asked for.
CUTS = int(os.environ.get("TORN_CUTS", "60"))
_CALLS = 1200
_TAIL = 64 * 1024


@dataclass(frozen=True, slots=True)
class Written:
    data: Path
    told: Sequence[Acknowledged]
    size: int
    dice: random.Random


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    seed = secrets.randbelow(1_000_000)
    dice = random.Random(seed)  # noqa: S311  a seed that can be given again
    data = tmp_path_factory.mktemp("log")
    told = write_log(data, _CALLS, dice)
    # pytest shows this where a test fails.
    sys.stdout.write(f"seed {seed}\n")
    return Written(data, told, append_file(data).stat().st_size, dice)


@pytest.mark.timeout(1800)
def test_a_log_cut_anywhere_keeps_what_was_acknowledged_before_the_cut(
    written: Written, tmp_path: Path, settings: Settings
) -> None:
    """`settings` only keeps the environment of the tests away from the servers."""
    assert len(written.told) > _CALLS
    for number, cut in enumerate(_cuts(written)):
        with server_on_copy(written.data, tmp_path / f"{number}", cut) as redis:
            last = {
                partition: _holds_what_was_told(redis, written.told, partition, cut)
                for partition in range(PARTITIONS)
            }
            for partition in range(PARTITIONS):
                _goes_on_in_a_new_epoch(redis, written.told, partition, last[partition])


def _cuts(written: Written) -> Iterator[int]:
    """Every byte of the last call, as far as that goes, and random ones of the tail."""
    *_, before = (each.size for each in written.told if each.size < written.size)
    last_call = range(before, written.size + 1)
    yield from (last_call if len(last_call) < CUTS // 2 else _spread(written.dice, last_call))
    for _ in range(CUTS - min(len(last_call), CUTS // 2)):
        yield written.dice.randrange(written.size - _TAIL, written.size)


def _spread(dice: random.Random, numbers: range) -> list[int]:
    return dice.sample(numbers, CUTS // 2)


def _holds_what_was_told(
    redis: "Redis", told: Sequence[Acknowledged], partition: int, cut: int
) -> str:
    """Compare a partition with what was told, and return the id of its last entry."""
    stored = [at.decode() for at, _ in redis.xrange(keys.log(partition))]
    of_partition = [each for each in told if each.position.partition == partition]
    expected = [each.position.stream_id for each in of_partition if each.size <= cut]
    assert stored == expected, f"cut at {cut}"
    found = redis.mget([keys.command(partition, each.id) for each in of_partition])
    known = [None if each is None else each.decode().split(" ")[0] for each in found]
    assert known == expected + [None] * (len(of_partition) - len(expected)), f"cut at {cut}"
    head = redis.hmget(keys.head(partition), ["epoch", "n"])
    assert b"-".join(head).decode() == stored[-1]
    return stored[-1]


def _goes_on_in_a_new_epoch(
    redis: "Redis", told: Sequence[Acknowledged], partition: int, last: str
) -> None:
    given_out = {each.position for each in told}
    # A client whose command was lost repeats it under the same id.
    lost = [each.id for each in told if each.position.partition == partition][-1]
    known = redis.get(keys.command(partition, lost))
    new = append(redis, partition, ["after the cut", lost])
    assert new[0] not in given_out
    assert new[0].n == 1
    epoch, n = last.split("-")
    assert new[0].epoch > max(each.position.epoch for each in told)
    assert new[1] in given_out if known else new[1] not in given_out
    ends = redis.hgetall(keys.epochs(partition))
    assert ends == {epoch.encode(): n.encode()}
