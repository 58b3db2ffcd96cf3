"""A look at the log every second, and the reason not to accept that follows from it.

How the log's Redis is configured is asked more seldom than whether it still writes to disk.

The reason is handed to the script that appends, so that it is judged where it is atomic. A Redis
that does not answer changes nothing here: then nothing can be appended anyway.
"""

import asyncio
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from eventlog import backlog, durability
from eventlog.age import Age
from eventlog.backlog import Extent
from eventlog.durability import MEMORY_LIMIT, LogDurability
from eventlog.losses import Losses
from runtime.ending import end
from runtime.settings import PREFIX, Durability
from runtime.standstill import Standstill, verdict

# Seconds between two looks, and between two that ask for its configuration too.
_TICK = 1.0
PROBE_EVERY = 30.0

_NOT_YET = (
    "it is not known yet how safely the log is kept, for it has not answered since this process "
    "started: see to the Redis or Valkey that keeps it"
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Demands:
    """What the log has to be like for commands to be accepted: `backlog` is how many may wait, and
    `age` for how many seconds the oldest of them may, `None` for any.
    """

    durability: Durability
    replicas: int
    backlog: int
    age: float | None = None


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many commands wait, for how many seconds the oldest has been seen to, and `still`: by
    partition, for how many seconds any wait without one being applied.
    """

    commands: int
    seconds: float
    still: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class _Seen:
    run_id: str
    facts: LogDurability
    backlog: Backlog


@dataclass(frozen=True, slots=True)
class _Answers:
    """`marks` are those of `backlog`; `facts` only where all was asked."""

    run_id: str
    memory: Mapping[str, Any]
    persistence: Mapping[str, Any]
    marks: list[Any]
    facts: LogDurability | None


class Watch:
    """What was last seen of the log, and what follows from it; it also has `losses` reported."""

    def __init__(
        self,
        redis: Redis,
        partitions: int,
        losses: Losses,
        demands: Demands,
        probe_every: float = PROBE_EVERY,
    ) -> None:
        self._redis = redis
        self._partitions = partitions
        self._losses = losses
        self._demands = demands
        self._probe_every = probe_every
        self._seen: _Seen | None = None
        self._age = Age()
        self._standstill = Standstill()
        self._probed_at = 0.0
        self._why: str | None = _NOT_YET
        self._lasting: str | None = None
        self._troubled = False
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        # Before the first request, so that one that finds everything in order is not refused.
        await self._try_to_look()
        self._task = asyncio.create_task(self._run(), name="watch")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            await end([self._task])

    def why(self) -> str | None:
        """Tell why nothing new is accepted, in a sentence that says how to mend it."""
        return self._why

    def is_lasting(self, why: str) -> bool:
        """Say whether a reason that was told is one for which an operator has to do something."""
        return why == self._lasting

    @property
    def backlog_limit(self) -> int:
        """From how many commands that wait on nothing is accepted."""
        return self._demands.backlog

    def backlog(self) -> Backlog | None:
        """Tell what waits; `None` where the log did not answer at the last look."""
        return None if self._seen is None or self._troubled else self._seen.backlog

    def pump(self) -> str | None:
        """Say that commands wait and nothing moves, where that was seen last."""
        return None if self._seen is None else verdict(self._seen.backlog.still)

    def document(self) -> dict[str, Any] | None:
        """Write out how safely the log is kept; `None` where that is not known yet."""
        if self._seen is None:
            return None
        return self._seen.facts.document(self._demands.durability, self._demands.replicas)

    async def look(self) -> None:
        """Look once. Raises what Redis raises; the reason is then what it was."""
        acknowledged = self._losses.so_far()
        whole = self._is_due()
        while (facts := self._facts(answers := await self._ask(whole=whole))) is None:
            whole = True
        extents = backlog.read(answers.marks)
        waiting = await backlog.count(self._redis, extents)
        now = asyncio.get_running_loop().time()
        still = self._standstill.after(_places(extents, waiting), now)
        told = Backlog(
            sum(waiting),
            self._age.after(extents, waiting, now),
            {partition: still.get(partition, 0.0) for partition in range(len(extents))},
        )
        seen = _Seen(answers.run_id, facts, told)
        self._seen = seen
        why = _reason(seen, self._demands)
        if facts.lasts(self._demands.durability):
            # Kept afterwards: a request that was told so may still be about to be answered.
            self._lasting = why
        self._judge(why)
        heads = [each.head for each in extents if each.head is not None]
        for head in heads:
            self._losses.seen(head)
        await self._losses.report(self._redis, heads, acknowledged)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_TICK)  # the rhythm of looking
            await self._try_to_look()

    async def _try_to_look(self) -> None:
        try:
            await self.look()
        except (RedisError, OSError) as error:
            if not self._troubled:
                log.warning("the log can not be looked at", error=str(error))
            self._troubled = True
        except Exception:
            # A defect of ours must not end the looking.
            log.exception("looking at the log failed")
        else:
            self._troubled = False

    def _is_due(self) -> bool:
        """Say whether it is to be asked again how safely the log is kept: always while it is not
        safe enough, so that it is noticed when it is mended, and where replicas come and go.
        """
        if self._seen is None or self._demands.replicas or _lack(self._seen, self._demands):
            return True
        return asyncio.get_running_loop().time() - self._probed_at >= self._probe_every

    async def _ask(self, *, whole: bool) -> _Answers:
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.info("server")
            pipeline.info("memory")
            pipeline.info("persistence")
            fixed = 3 + backlog.ask(pipeline, self._partitions)
            if whole:
                durability.ask(pipeline)
            answers: list[Any] = await pipeline.execute(raise_on_error=False)
        for answer in answers[:fixed]:
            if isinstance(answer, RedisError):
                raise answer
        facts: LogDurability | None = None
        if whole:
            self._probed_at = asyncio.get_running_loop().time()
            facts = durability.read(answers[fixed:])
        return _Answers(str(answers[0]["run_id"]), answers[1], answers[2], answers[3:fixed], facts)

    def _facts(self, answers: _Answers) -> LogDurability | None:
        """Tell how safely the log is kept; `None` where another server answers than was asked."""
        seen = self._seen
        before = seen.facts if seen is not None and seen.run_id == answers.run_id else None
        facts = answers.facts
        if facts is None:
            if before is None:
                return None
            facts = durability.renewed(before, answers.memory, answers.persistence)
        return durability.following(facts, before)

    def _judge(self, why: str | None) -> None:
        if why is not None and self._why in {None, _NOT_YET}:
            log.error("nothing is accepted", why=why)
        elif why is None and self._why is not None:
            log.info("commands are accepted")
        self._why = why


def _places(extents: Sequence[Extent], waiting: Sequence[int]) -> Mapping[int, Hashable]:
    """Say by partition after what those wait that do: behind this position of this epoch. What a
    lost log had waits no longer.
    """
    return {
        partition: (extent.done, extent.head and extent.head.epoch)
        for partition, (extent, count) in enumerate(zip(extents, waiting, strict=True))
        if count
    }


def _reason(seen: _Seen, demands: Demands) -> str | None:
    return _lack(seen, demands) or _memory(seen) or _backlog(seen, demands) or _late(seen, demands)


def _lack(seen: _Seen, demands: Demands) -> str | None:
    return seen.facts.lack(demands.durability, demands.replicas)


def _memory(seen: _Seen) -> str | None:
    used, limit = seen.facts.used_memory, seen.facts.maxmemory
    if not limit or used * 100 <= limit * MEMORY_LIMIT:
        return None
    return (
        f"the log's Redis has used {used * 100 // limit} % of its maxmemory, and {MEMORY_LIMIT} % "
        "is the limit: it frees memory as commands are applied; or CONFIG SET maxmemory to more"
    )


def _backlog(seen: _Seen, demands: Demands) -> str | None:
    if seen.backlog.commands < demands.backlog:
        return None
    return (
        f"{seen.backlog.commands} commands wait to be applied and {demands.backlog} is the limit: "
        f"see to the workers, or raise {PREFIX}BACKLOG_LIMIT"
    )


def _late(seen: _Seen, demands: Demands) -> str | None:
    if demands.age is None or seen.backlog.seconds < demands.age:
        return None
    return (
        f"a command waits for {seen.backlog.seconds:.0f} s to be applied and {demands.age:g} s is "
        f"the limit: see to the workers, or raise {PREFIX}BACKLOG_AGE"
    )
