"""The worker's look over the whole log: what waits, whether it came back shorter, what was lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog
from redis import Redis

from eventlog import backlog, keys
from runtime.positions import Position

# Beyond this part of its memory the log keeps nothing that is applied; the command API goes on
# accepting until somewhat later.
_SCARCE = 0.75

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Sight:
    """One partition of the log as it was seen.

    `head` is the last position given out, `epoch` the newest one, `last` the last entry there is,
    all `None` or 0 before the first; `done` is how far the ledger was told to be. `same_server` is
    whether the server is still the one that began the epoch. `acknowledged` tells, by epochs that
    have ended, the last n that an API process saw acknowledged beyond the epoch's end.
    """

    partition: int
    epoch: int
    head: Position | None
    last: Position | None
    done: Position | None
    same_server: bool
    acknowledged: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Again:
    """An entry that is appended anew; `width` is how many commands it has."""

    id: str
    body: bytes
    fingerprint: str
    width: int = 1


class Lookout:
    def __init__(self, redis: "Redis", partitions: int) -> None:
        self._redis = redis
        self.partitions = partitions
        self.scarce = False
        self._damaged: set[int] = set()
        script = Path(__file__).with_name("fence.lua").read_text("utf-8")
        self._fence = redis.register_script(script)

    def look(self) -> list[Sight]:
        """Look at every partition, in two round trips at most; `scarce` then says whether the
        server is short of memory. A partition whose keys can not be read is left out.
        """
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.info("server")
            pipeline.info("memory")
            for partition in range(self.partitions):
                pipeline.hmget(keys.head(partition), ["run_id", "epoch", "n"])
                pipeline.get(keys.done(partition))
                pipeline.zrange(keys.lost(partition), 0, -1, withscores=True)
            server, memory, *answers = pipeline.execute(raise_on_error=False)
        for each in (server, memory):
            if isinstance(each, Exception):
                raise each
        limit = int(memory.get("maxmemory", 0))
        self.scarce = limit > 0 and int(memory["used_memory"]) > _SCARCE * limit
        run_id = str(server["run_id"]).encode()
        sights: list[Sight] = []
        for partition in range(self.partitions):
            mine = answers[3 * partition : 3 * partition + 3]
            damaged = next((each for each in mine if isinstance(each, Exception)), None)
            if damaged is not None:
                if partition not in self._damaged:
                    log.error(
                        "a partition's keys can not be read",
                        partition=partition,
                        error=str(damaged),
                    )
                self._damaged.add(partition)
                continue
            self._damaged.discard(partition)
            (of, epoch, n), done, lost = mine
            head = None if epoch is None else Position(partition, int(epoch), int(n))
            sights.append(
                Sight(
                    partition,
                    0 if head is None else head.epoch,
                    head,
                    head,
                    None if done is None else Position.from_stream_id(partition, done.decode()),
                    head is None or of == run_id,
                    {int(each): int(score) for each, score in lost},
                )
            )
        return self._with_last(sights)

    def _with_last(self, sights: list[Sight]) -> list[Sight]:
        """Where nothing was appended in the newest epoch yet, find the last entry of older ones."""
        empty = [each for each in sights if each.head is not None and each.head.n == 0]
        if not empty:
            return sights
        with self._redis.pipeline(transaction=False) as pipeline:
            for each in empty:
                pipeline.xrevrange(keys.log(each.partition), count=1)
            answers: list[Any] = pipeline.execute()
        found = {
            each.partition: Position.from_stream_id(each.partition, entries[0][0].decode())
            if entries
            else None
            for each, entries in zip(empty, answers, strict=True)
        }
        return [
            replace(each, last=found[each.partition]) if each.partition in found else each
            for each in sights
        ]

    def epoch_ends(self, partition: int) -> Mapping[int, int]:
        """Tell how far every ended epoch went."""
        ends: Any = self._redis.hgetall(keys.epochs(partition))
        return backlog.epoch_ends(ends)

    def fence(self, checkpoint: Position, *, force: bool, again: Sequence[Again] = ()) -> int:
        """Begin a new epoch beyond the ledger's, where the server is another one or by `force`;
        append entries anew behind the fence; return the epoch.
        """
        partition = checkpoint.partition
        names = [keys.head(partition), keys.log(partition), keys.epochs(partition)]
        names += [keys.command(partition, each.id) for each in again]
        arguments: list[Any] = [checkpoint.epoch, "1" if force else ""]
        for each in again:
            arguments += (each.body, each.fingerprint, each.width)
        epoch: Any = self._fence(names, arguments)
        return int(epoch)
