"""Where an import stands while it is fed, and a day longer: how its feeder is told to pause or to
end, and how others see that it is alive. What an import came to is in the ledger alone.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import NoScriptError

from eventlog import keys

State = Literal["receiving", "paused", "received", "cancelled", "stopped", "failed"]

FED: tuple[State, ...] = ("receiving", "paused")
KEPT_MS = 24 * 60 * 60 * 1000
# How long a feeder may be silent before another may take its import.
SILENT_MS = 5_000


@dataclass(frozen=True, slots=True)
class ImportState:
    """`beat` is when the feeder was last heard of, 0 where there is none; `rows` counts those that
    it had read by then; the import is `held` until it has let go.
    """

    state: State
    beat: int
    rows: int
    held: bool

    def is_fed(self, now: int) -> bool:
        """Say whether rows may still come: of an import that is cancelled, until its feeder has
        heard of it and let go, or is silent.
        """
        return self.state in FED or (self.held and now - self.beat < SILENT_MS)


@dataclass(frozen=True, slots=True)
class Step:
    """What was tried: `before` is the state it met, `None` where the import was not known; `done`
    whether it was allowed.
    """

    before: State | None
    done: bool


class ImportStates:
    """The states of imports, as API processes use them. Raises what Redis raises."""

    def __init__(self, redis: AsyncRedis) -> None:
        self._redis = redis
        self._text = _script()
        self._sha = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    async def begin(self, import_id: str, feeder: str, now: int) -> Step:
        """Take an import to feed it: not where another does, or where it is cancelled or stopped.
        One that is paused stays so.
        """
        return await self._step(import_id, "begin", feeder, now, SILENT_MS)

    async def beat(self, import_id: str, feeder: str, now: int, rows: int) -> Step:
        """Say that the feeder is alive; not done where it does not have the import any more."""
        return await self._step(import_id, "beat", feeder, now, rows)

    async def move(self, import_id: str, to: State, *since: State, feeder: str = "") -> Step:
        """Go on to a state from one of these."""
        return await self._step(import_id, "move", feeder, to, *since)

    async def give_back(self, import_id: str, feeder: str, before: State | None) -> None:
        """Give an import back that was begun in vain: it is again as it was, or is not known."""
        to = "failed" if before in FED else before or ""
        await self._step(import_id, "give back", feeder, to)

    async def let_go(self, import_id: str, feeder: str) -> Step:
        """Let go of an import: nothing comes of it any more, unless it is taken again."""
        return await self._step(import_id, "let go", feeder)

    async def receive(self, import_id: str) -> None:
        """Put down an import that has nothing to be fed; no feeder was ever heard of."""
        key = keys.import_state(import_id)
        async with self._redis.pipeline() as pipeline:
            pipeline.hset(key, mapping={"state": "received", "feeder": "", "beat": 0, "rows": 0})
            pipeline.pexpire(key, KEPT_MS)
            await pipeline.execute()

    async def read(self, import_id: str) -> ImportState | None:
        found: Any = await self._redis.hgetall(  # pyright: ignore[reportGeneralTypeIssues]
            keys.import_state(import_id)
        )
        return read(found)

    async def _step(self, import_id: str, what: str, feeder: str, *values: str | int) -> Step:
        words = (1, keys.import_state(import_id), what, feeder, KEPT_MS, *values)
        try:
            reply = await self._call("EVALSHA", self._sha, *words)
        except NoScriptError:
            reply = await self._call("EVAL", self._text, *words)
        before, done = reply
        return Step(cast("State", before.decode()) if before else None, bool(done))

    async def _call(self, *words: str | int) -> tuple[bytes, int]:
        return cast(
            "tuple[bytes, int]",
            await self._redis.execute_command(*words),
        )


def stop(redis: "Redis", import_id: str) -> None:
    """Stop an import at its first rejected row, unless it has ended otherwise."""
    key = keys.import_state(import_id)
    redis.eval(_script(), 1, key, "move", "", str(KEPT_MS), "stopped", *FED, "received")


def read(found: Mapping[Any, Any]) -> ImportState | None:
    """Read the fields of an import's hash; `None` where there are none."""
    if b"state" not in found:
        return None
    return ImportState(
        cast("State", found[b"state"].decode()),
        int(found.get(b"beat", 0)),
        int(found.get(b"rows", 0)),
        bool(found.get(b"feeder")),
    )


def _script() -> str:
    return Path(__file__).with_name("import_state.lua").read_text("utf-8")
