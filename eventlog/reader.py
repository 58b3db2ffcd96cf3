"""The worker's side of the log: read after a position, and tidy up behind what is applied."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import structlog
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import OutOfMemoryError, RedisError

from eventlog import keys, moves, notices
from eventlog.lookout import Lookout
from eventlog.marks import Marks
from eventlog.moves import Move
from eventlog.notices import Notice
from runtime.positions import Position

# An id is remembered until its command is applied, and this many seconds more: long enough for
# our own repeats. After that its outcome in SQL does the rest.
_REMEMBER_SECONDS = 600
_REMEMBER_SCARCELY = 60
# Log entries are kept this long behind the checkpoint: a database that was set back finds them.
KEEP_MS = 15 * 60 * 1000
_MARK_EVERY_MS = 1000
_SCAN = 1000
# In a pattern these stand for themselves.
_GLOB = str.maketrans({"{": "[{]", "}": "[}]"})

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An entry at the position of its last command; `width` is how many it says to have."""

    position: Position
    body: bytes
    width: int = 1


# A position and a fingerprint.
Correction = tuple[Position, str] | None


@dataclass(frozen=True, slots=True)
class Settled:
    """A partition is applied up to here; `ids` are those of its entries; `corrected` tells where
    and with which fingerprint a command was accepted first that came again with another one, `None`
    where that is not known.
    """

    upto: Position
    ids: AbstractSet[str]
    corrected: Mapping[str, Correction]


class LogReader:
    def __init__(self, redis: "Redis", partitions: int) -> None:
        self.redis = redis
        self.partitions = partitions
        self._expire = Path(__file__).with_name("expire.lua").read_text("utf-8")
        self.lookout = Lookout(redis, partitions)
        self.marks = Marks(redis, uuid.uuid4().hex)
        self._marked_at: dict[int, int] = {}
        self._trimmed_at: dict[int, int] = {}
        # Set while the server is short of memory: what is applied leaves the log at once.
        self.scarce = False

    def begin(self, partitions: Sequence[int]) -> list[Position]:
        """Begin to read partitions, and tell up to where each was tidied up after its commits.

        From now on an append to one of them rings; so this comes before reading them.
        """
        with self.redis.pipeline(transaction=False) as pipeline:
            for each in partitions:
                pipeline.delete(keys.bell(each))
                pipeline.get(keys.done(each))
            answers: list[Any] = pipeline.execute()
        return [
            Position.from_stream_id(partition, (done or b"0-0").decode())
            for partition, done in zip(partitions, answers[1::2], strict=True)
        ]

    def after(self, position: Position, count: int) -> list[LogEntry]:
        """Read up to `count` entries that follow the position."""
        return self.after_each([position], [count])[0]

    def after_each(
        self, positions: Sequence[Position], counts: Sequence[int]
    ) -> list[list[LogEntry]]:
        """Read up to so many entries that follow each of the positions."""
        with self.redis.pipeline(transaction=False) as pipeline:
            for each, count in zip(positions, counts, strict=True):
                pipeline.xrange(keys.log(each.partition), min=f"({each.stream_id}", count=count)
            answers: list[Any] = pipeline.execute()
        return [
            _entries(position.partition, found)
            for position, found in zip(positions, answers, strict=True)
        ]

    def wait(
        self, positions: Sequence[Position], count: int, milliseconds: int
    ) -> dict[int, list[LogEntry]]:
        """Wait until something follows one of these positions; read up to `count` entries of each
        partition that has some.
        """
        partitions = {keys.log(each.partition).encode(): each.partition for each in positions}
        streams: Any = {keys.log(each.partition): each.stream_id for each in positions}
        answer: Any = self.redis.xread(streams, count=count, block=milliseconds)
        return {
            (partition := partitions[name]): _entries(partition, found)
            for name, found in answer or ()
        }

    def tell(self, moved: Sequence[Move], told: Sequence[Notice]) -> None:
        """After a commit: tell who reads and who waits. Nothing of it is written to disk."""
        if moved or told:
            with self.redis.pipeline(transaction=False) as pipeline:
                # Who is answered may read at once.
                moves.publish(pipeline, moved)
                notices.publish(pipeline, told)
                pipeline.execute()

    def settle(self, settled: Sequence[Settled], now: int) -> None:
        """Let ids be forgotten that are applied, and mark the positions done.

        A full server takes no marks. Then, and where memory is scarce, what is applied leaves the
        log at once: room for new commands matters more than the entries kept for a database that
        is set back.
        """
        with self.redis.pipeline(transaction=False) as pipeline:
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
        # What is forgotten here the outcome in SQL still knows.
        kept = _REMEMBER_SCARCELY if self.scarce else _REMEMBER_SECONDS
        corrected = settled.corrected
        plain = [keys.command(partition, each) for each in settled.ids - corrected.keys()]
        if plain:
            # Sent with its text, which is short: a server that was restarted knows no script.
            pipeline.execute_command("EVAL", self._expire, len(plain), *plain, kept)
        for command_id in settled.ids & corrected.keys():
            key = keys.command(partition, command_id)
            if (correct := corrected[command_id]) is None:
                # It is asked about again, and told again by what the outcome in SQL knows.
                pipeline.delete(key)
            else:
                first, fingerprint = correct
                pipeline.set(key, f"{first.stream_id} {fingerprint}", ex=kept, xx=True)
        # A clock that was set back must not keep marks from being made.
        if not 0 <= now - self._marked_at.get(partition, 0) < _MARK_EVERY_MS:
            pipeline.zadd(keys.marks(partition), {settled.upto.stream_id: now})
            self._marked_at[partition] = now
        pipeline.set(keys.done(partition), settled.upto.stream_id)

    def forget_lost(self, partition: int, epoch: int, first_n: int, last_n: int) -> None:
        """Forget the ids of commands at lost positions, so that they can be accepted again."""
        pattern = keys.command(partition, "*").translate(_GLOB)
        names: list[bytes] = []
        found: Iterator[bytes] = cast("Any", self.redis).scan_iter(match=pattern, count=_SCAN)
        for name in found:
            names.append(name)
            if len(names) >= _SCAN:
                self._forget_among(names, epoch, first_n, last_n)
                names = []
        if names:
            self._forget_among(names, epoch, first_n, last_n)

    def _forget_among(self, names: list[bytes], epoch: int, first_n: int, last_n: int) -> None:
        with self.redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.get(name)
            answers: list[Any] = pipeline.execute()
        lost: list[bytes] = []
        for name, answer in zip(names, answers, strict=True):
            position = Position.from_stream_id(0, (answer or b"0-0").split(b" ")[0].decode())
            if position.epoch == epoch and first_n <= position.n <= last_n:
                lost.append(name)
        if lost:
            self.redis.delete(*lost)

    def may_trim(self, partition: int, now: int) -> bool:
        """Say whether trimming is worth a round trip: not after every batch."""
        if 0 <= now - self._trimmed_at.get(partition, 0) < _MARK_EVERY_MS:
            return False
        self._trimmed_at[partition] = now
        return True

    def trim_at_once(self, upto: Position) -> None:
        """Forget log entries up to a position that is applied and told, but not that one."""
        self.redis.xtrim(keys.log(upto.partition), minid=upto.stream_id, approximate=False)

    def trim(self, checkpoint: Position, now: int) -> None:
        """Forget log entries that were applied longer ago than they are kept, and that the ledger
        still has: one that was set back may need them again.
        """
        partition = checkpoint.partition
        old: Any = self.redis.zrange(
            keys.marks(partition), now - KEEP_MS, 0, desc=True, byscore=True, offset=0, num=1
        )
        if not old:
            return
        mark = min(checkpoint, Position.from_stream_id(partition, old[0].decode()))
        # MINID keeps the entry of that id itself, so the last one that was applied stays readable.
        with self.redis.pipeline(transaction=False) as pipeline:
            pipeline.xtrim(keys.log(partition), minid=mark.stream_id, approximate=True)
            pipeline.zremrangebyscore(keys.marks(partition), 0, now - KEEP_MS)
            pipeline.execute()


def _entries(partition: int, found: Any) -> list[LogEntry]:
    # An entry without our field is none of ours: it comes out unreadable.
    return [
        LogEntry(
            Position.from_stream_id(partition, entry_id.decode()),
            fields.get(b"c", b"") if fields else b"",
            _width(fields[b"w"]) if fields and b"w" in fields else 1,
        )
        for entry_id, fields in found
    ]


def _width(said: bytes) -> int:
    return int(said) if said.isdigit() and int(said) else 1
