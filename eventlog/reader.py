"""The worker's side of the log: read after a position, and tidy up behind what is applied."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import NoScriptError, OutOfMemoryError, RedisError

from eventlog import keys, notices
from eventlog.lookout import Lookout
from eventlog.notices import Notice
from runtime.positions import Position

# An id is remembered until its command is applied, and this many seconds more: long enough for
# our own repeats, and for a key of a client's, whose other payload has to be refused, a day.
REMEMBER_SECONDS = 600
REMEMBER_KEY_SECONDS = 86_400
_REMEMBER_SCARCELY = 60
# Log entries are kept this long behind the checkpoint: a database that was set back finds them.
KEEP_MS = 15 * 60 * 1000
_MARK_EVERY_MS = 1000

log = structlog.get_logger()


_BEGIN_ALONE = """
local times = 1
local seen = redis.call('HMGET', KEYS[1], 'at', 'times')
if seen[1] == ARGV[1] then times = tonumber(seen[2]) + 1 end
redis.call('HSET', KEYS[1], 'at', ARGV[1], 'times', times)
return times
"""


@dataclass(frozen=True, slots=True)
class LogEntry:
    position: Position
    body: bytes


@dataclass(frozen=True, slots=True)
class Begun:
    """How many times a batch was begun, this time included; `alone` where one of its commands was
    begun by itself and has not come to its end; `done` is how far the commits were tidied up after.
    """

    times: int
    alone: bool
    done: Position


@dataclass(frozen=True, slots=True)
class Settled:
    """A partition is applied up to here; `remembered` says for each of its command ids for how many
    seconds more it is known.
    """

    upto: Position
    remembered: Mapping[str, int]


class LogReader:
    def __init__(self, redis: "Redis", partitions: int) -> None:
        self._redis = redis
        self.partitions = partitions
        self.lookout = Lookout(redis, partitions)
        self._begin = Path(__file__).with_name("begin.lua").read_text("utf-8")
        self._begin_sha = hashlib.sha1(self._begin.encode(), usedforsecurity=False).hexdigest()
        self._begin_alone = redis.register_script(_BEGIN_ALONE)
        self._marked_at: dict[int, int] = {}
        self._trimmed_at: dict[int, int] = {}
        # Set while the server is short of memory: what is applied leaves the log at once.
        self.scarce = False

    def begin(self, checkpoints: Sequence[Position]) -> list[Begun]:
        """Begin to read what follows each of the positions, and say what became of that before.

        From now on an append to one of the partitions rings; so this comes before reading them.
        """
        try:
            answers = self._begun(checkpoints)
        except NoScriptError:
            self._redis.script_load(self._begin)
            answers = self._begun(checkpoints)
        begun: list[Begun] = []
        for checkpoint, (times, *places) in zip(checkpoints, answers, strict=True):
            alone, done = (
                Position.from_stream_id(checkpoint.partition, each.decode() or "0-0")
                for each in places
            )
            begun.append(Begun(int(times), int(times) > 0 and alone > checkpoint, done))
        return begun

    def _begun(self, checkpoints: Sequence[Position]) -> list[Any]:
        names = [keys.bell, keys.head, keys.log, keys.begun, keys.alone, keys.done]
        with self._redis.pipeline(transaction=False) as pipeline:
            for each in checkpoints:
                of_partition = [name(each.partition) for name in names]
                pipeline.evalsha(self._begin_sha, len(names), *of_partition, each.stream_id)
            return pipeline.execute()

    def begin_alone(self, position: Position) -> int:
        """Mark that a command is begun by itself, and say how many times it was."""
        times: Any = self._begin_alone([keys.alone(position.partition)], [position.stream_id])
        return int(times)

    def ended_alive(self, partition: int) -> None:
        """Take back the marks of a batch that failed without taking its process with it."""
        self._redis.delete(keys.begun(partition), keys.alone(partition))

    def after(self, position: Position, count: int) -> list[LogEntry]:
        """Read up to `count` entries that follow the position."""
        return self.after_each([position], count)[0]

    def after_each(self, positions: Sequence[Position], count: int) -> list[list[LogEntry]]:
        """Read up to `count` entries that follow each of the positions."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for each in positions:
                pipeline.xrange(keys.log(each.partition), min=f"({each.stream_id}", count=count)
            answers: list[Any] = pipeline.execute()
        return [
            [
                # An entry without our field is none of ours: it comes out unreadable.
                LogEntry(
                    Position.from_stream_id(position.partition, entry_id.decode()),
                    fields.get(b"c", b"") if fields else b"",
                )
                for entry_id, fields in found
            ]
            for position, found in zip(positions, answers, strict=True)
        ]

    def epoch_ends(self, partition: int) -> Mapping[int, int]:
        """Tell how far every ended epoch went."""
        ends: Any = self._redis.hgetall(keys.epochs(partition))
        return {int(epoch): int(n) for epoch, n in ends.items()}

    def done(self, partition: int) -> Position | None:
        """Tell up to where the partition was tidied up after its commits."""
        mark: Any = self._redis.get(keys.done(partition))
        return None if mark is None else Position.from_stream_id(partition, mark.decode())

    def tidy(self, settled: Sequence[Settled], told: Sequence[Notice], now: int) -> None:
        """After a commit: tell who waits, let ids be forgotten, mark the positions done.

        A full server takes no marks. Then, and where memory is scarce, what is applied leaves the
        log at once: room for new commands matters more than the entries kept for a database that
        is set back.
        """
        with self._redis.pipeline(transaction=False) as pipeline:
            notices.publish(pipeline, told)
            for each in settled:
                self._settle(pipeline, each, now)
            answers = pipeline.execute(raise_on_error=False)
        errors = [each for each in answers if isinstance(each, RedisError)]
        full = any(isinstance(each, OutOfMemoryError) for each in errors)
        if full:
            log.warning("redis is full: applied commands are trimmed at once")
        if full or self.scarce:
            for each in settled:
                self.trim_at_once(each.upto)
        if errors and not full:
            raise errors[0]

    def _settle(self, pipeline: "Pipeline", settled: Settled, now: int) -> None:
        partition = settled.upto.partition
        for command_id, seconds in settled.remembered.items():
            # What is forgotten here the outcome in SQL still knows.
            kept = min(seconds, _REMEMBER_SCARCELY) if self.scarce else seconds
            pipeline.expire(keys.command(partition, command_id), kept)
        # A clock that was set back must not keep marks from being made.
        if not 0 <= now - self._marked_at.get(partition, 0) < _MARK_EVERY_MS:
            pipeline.zadd(keys.marks(partition), {settled.upto.stream_id: now})
            self._marked_at[partition] = now
        pipeline.set(keys.done(partition), settled.upto.stream_id)

    def may_trim(self, partition: int, now: int) -> bool:
        """Say whether trimming is worth a round trip: not after every batch."""
        if 0 <= now - self._trimmed_at.get(partition, 0) < _MARK_EVERY_MS:
            return False
        self._trimmed_at[partition] = now
        return True

    def trim_at_once(self, upto: Position) -> None:
        """Forget log entries up to a position that is applied and told, but not that one."""
        self._redis.xtrim(keys.log(upto.partition), minid=upto.stream_id, approximate=False)

    def trim(self, partition: int, now: int) -> None:
        """Forget log entries that were applied longer ago than they are kept."""
        old: Any = self._redis.zrange(
            keys.marks(partition), now - KEEP_MS, 0, desc=True, byscore=True, offset=0, num=1
        )
        if not old:
            return
        mark = Position.from_stream_id(partition, old[0].decode())
        # MINID keeps the entry of that id itself, so the last one that was applied stays readable.
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.xtrim(keys.log(partition), minid=mark.stream_id, approximate=True)
            pipeline.zremrangebyscore(keys.marks(partition), 0, now - KEEP_MS)
            pipeline.execute()
