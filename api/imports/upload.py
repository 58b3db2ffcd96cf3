"""One upload of an import, from its first byte to its last or to whatever ends it before."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Literal

import structlog
from redis.exceptions import RedisError
from starlette.requests import ClientDisconnect

from api.ids import uuid7
from api.imports.feeder import Feeder, Log, Stuck, Unwanted
from api.imports.formats import Format
from api.imports.lanes import Lost
from api.imports.rows import Given, read_row
from api.imports.splitting import Record
from api.imports.unpacking import Unpacker, Unreadable
from eventlog.envelope import ImportMark, Mark
from eventlog.import_state import FED, ImportStates, State, Step
from runtime.ending import end
from runtime.keyed_ids import uuid8
from runtime.positions import Position

_ENDED_EARLY = "the upload ended early"
DEFECT = "an error of the service, which is in its log, ended the upload"

# How long rows may wait for more of them, how often the import's state is looked at and a sign of
# life given, and how long the reading of rows may keep other requests waiting; in seconds, if not
# said otherwise.
_IDLE = 0.05
_LOOK_EVERY = 0.2
_BEAT_EVERY_MS = 1000
_SLICE = 0.001
# How many bytes are cut into records at once: the shortest lines take no longer than a few slices.
_PIECE = 4096
# A mark that says how an upload failed is not worth a long wait.
_LAST_WORD = 2.0

log = structlog.get_logger()

Clock = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import is to be; what all its rows share. `keyed` where it has an Idempotency-Key,
    under which it can be sent again. `file` is what its sender calls the file.
    """

    given: Given
    dry: bool
    stop: bool
    keyed: bool
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How an upload ended: in which state the import is, with so many rows; `last` is where each
    partition's last entry stands, and the mark that all is received. `again` where the whole of it
    had been received before.
    """

    state: Literal["received", "cancelled", "stopped"]
    rows: int
    last: tuple[Position, ...]
    again: bool


class Taken(Exception):
    """Another upload feeds this import."""


class Over(Exception):
    """The import has ended before this upload began; `state` says how."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.state: State = state


class Broken(Exception):
    """The upload could not be taken to its end, after so many rows; `__cause__` says why."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.rows = rows


class _Told(Exception):
    """The import was cancelled or stopped while it was fed, or taken by another upload."""

    def __init__(self, step: Step) -> None:
        super().__init__(step.before)
        self.step = step


class Upload:
    """Takes one request's stream to the log. `chunks` raises ClientDisconnect where it breaks."""

    def __init__(
        self,
        plan: Plan,
        log_: Log,
        states: ImportStates,
        clock: Clock,
        chunks: AsyncIterator[bytes],
        unpacker: Unpacker,
        format_: Format,
    ) -> None:
        self._plan = plan
        self._id = plan.given.import_id
        self._log = log_
        self._states = states
        self._clock = clock
        self._chunks = chunks
        self._unpacker = unpacker
        self._format = format_
        self._feeder = Feeder(log_, self._id, dry=plan.dry, stop=plan.stop)
        self._name = uuid.uuid4().hex
        self._rows = 0
        self._goes_on = asyncio.Event()
        self._goes_on.set()
        self._slice_over = 0.0
        self._looked = clock()

    async def run(self) -> Ended:
        """Take the upload to its end.

        Raises Taken or Over where it can not begin, Unwanted where nothing new is accepted, and
        BadHeader, all before any row is taken; Broken, from Unreadable, Stuck, Lost,
        ClientDisconnect or a defect of ours, where it ends early; and what Redis raises before it
        has begun.
        """
        blocks = self._blocks()
        try:
            # The columns come first: nothing begins where they are wrong.
            first = await anext(blocks)
        except (Unreadable, ClientDisconnect) as error:
            raise Broken(0) from error
        before = await self._begin()
        try:
            return await self._fed(before, first, blocks)
        finally:
            await self._let_go()

    async def _fed(
        self, before: State | None, first: list[Record], blocks: AsyncIterator[list[Record]]
    ) -> Ended:
        try:
            await self._announce(before)
            await self._feed(first, blocks)
            received = await self._finish()
        except _Told as told:
            return await self._told(told.step)
        except Unwanted:
            await self._give_back(before)
            raise
        except (Unreadable, Stuck, Lost, ClientDisconnect) as error:
            await self._fail(self._why(error))
            raise Broken(self._rows) from error
        except Exception as error:
            # Whatever it is, it must not be a secret, nor keep the import from being sent again.
            log.exception("an upload failed", import_id=self._id, rows=self._rows)
            await self._fail(DEFECT)
            raise Broken(self._rows) from error
        return Ended("received", self._rows, (*self._last(), received), before == "received")

    async def _begin(self) -> State | None:
        step = await self._states.begin(self._id, self._name, self._clock())
        if step.done:
            if step.before == "paused":
                self._goes_on.clear()
            return step.before
        if step.before in FED or step.before is None:
            raise Taken
        raise Over(step.before)

    async def _announce(self, before: State | None) -> None:
        await self._log.say(self._mark("begun"), refusable=True)
        if before in {None, "failed"}:
            # It may have begun, and failed, so long ago that only the ledger knows.
            await self._log.say(self._mark("resumed"), refusable=before is not None)
        else:
            # That it has begun was accepted before: the first that may be refused is yet to come.
            self._feeder.refusable = True

    async def _feed(self, first: list[Record], blocks: AsyncIterator[list[Record]]) -> None:
        watching = asyncio.create_task(self._watch(), name="import state")
        working = {
            asyncio.create_task(self._read(first, blocks), name="import rows"),
            asyncio.create_task(self._feeder.run(), name="import feed"),
        }
        tasks = {watching, *working}
        try:
            while working:
                done, _ = await asyncio.wait(
                    {watching, *working}, return_when=asyncio.FIRST_COMPLETED
                )
                for each in done:
                    each.result()
                working -= done
        finally:
            await end(tasks)
            # What they raised is known, or follows from it.
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _finish(self) -> Position:
        step = await self._insist(
            lambda: self._states.move(self._id, "received", *FED, feeder=self._name)
        )
        if not step.done:
            raise _Told(step)
        refusable = self._feeder.refusable and not self._feeder.last
        return await self._log.say(self._mark("received", rows=self._rows), refusable=refusable)

    async def _read(self, first: list[Record], blocks: AsyncIterator[list[Record]]) -> None:
        await self._take(first)
        async for records in blocks:
            await self._take(records)
        await self._feeder.end()

    async def _take(self, records: list[Record]) -> None:
        now = self._clock()
        for record in records:
            if not self._goes_on.is_set():
                await self._feeder.flush()
                await self._goes_on.wait()
                now = self._clock()
            row = read_row(record, self._format.parse, self._plan.given, now)
            await self._feeder.take(row, len(record.text or b""))
            self._rows += 1
            await self._give_way()

    async def _give_way(self) -> None:
        if time.perf_counter() > self._slice_over:
            await asyncio.sleep(0)  # lets other requests come in between
            self._slice_over = time.perf_counter() + _SLICE

    async def _blocks(self) -> AsyncGenerator[list[Record]]:
        """Give out the records of a little at a time; gzip may hold much in a few bytes."""
        while (chunk := await self._chunk()) is not None:
            for block in self._unpacker.feed(chunk):
                # There may be thousands of lines in it, and no row.
                for start in range(0, len(block), _PIECE):
                    if records := list(self._format.feed(block[start : start + _PIECE])):
                        yield records
                    await self._give_way()
        yield [*self._format.feed(self._unpacker.end()), *self._format.end()]

    async def _chunk(self) -> bytes | None:
        """Wait for what comes next; `None` at the end. Rows do not wait with it for long."""
        coming = asyncio.create_task(_next(self._chunks))
        try:
            while not (await asyncio.wait({coming}, timeout=_IDLE))[0]:
                await self._feeder.flush()
            return coming.result()
        finally:
            coming.cancel()

    async def _watch(self) -> None:
        """Give signs of life, and do what is said of the import. Raises _Told."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)  # between two looks at its state
            try:
                step = await self._look()
                if step.before is None:
                    # The log lost it; the rows are still to be had from here.
                    await self._states.begin(self._id, self._name, self._clock())
            except (RedisError, OSError) as error:
                log.warning("the state of an import is not known", error=str(error))
                continue
            match step.before:
                case "receiving" if step.done:
                    self._goes_on.set()
                case "paused" if step.done:
                    self._goes_on.clear()
                case None:
                    pass
                case _:
                    raise _Told(step)

    async def _look(self) -> Step:
        now = self._clock()
        if abs(now - self._looked) >= _BEAT_EVERY_MS:
            self._looked = now
            return await self._states.beat(self._id, self._name, now, self._rows)
        found = await self._states.read(self._id)
        return Step(None if found is None else found.state, done=True)

    async def _fail(self, why: str) -> None:
        """Say that the upload failed, if that can be said."""
        log.warning("an upload ended early", import_id=self._id, rows=self._rows, why=why)
        try:
            step = await self._states.move(self._id, "failed", *FED, feeder=self._name)
            # Of an import that the log has forgotten nobody else says it.
            if step.done or step.before is None:
                await self._last_word(self._mark("failed", detail=why))
        except (RedisError, OSError) as error:
            log.warning("and that could not be said", error=str(error))

    async def _give_back(self, before: State | None) -> None:
        """Let the import be as it was; where that can not be said it comes out as failed."""
        try:
            await self._states.give_back(self._id, self._name, before)
        except (RedisError, OSError) as error:
            log.warning("an import that is refused stays begun", error=str(error))

    async def _last_word(self, mark: ImportMark) -> None:
        try:
            await replace(self._log, patience=_LAST_WORD).say(mark)
        except Stuck as error:
            log.warning("the end of an upload could not be said", error=str(error))

    async def _let_go(self) -> None:
        try:
            await self._states.let_go(self._id, self._name)
        except (RedisError, OSError) as error:
            # It is silent from now on, which says the same a little later.
            log.warning("that an import is let go could not be said", error=str(error))

    async def _insist(self, step: Callable[[], Awaitable[Step]]) -> Step:
        """Do it, however often it takes. Raises Stuck."""
        deadline = asyncio.get_running_loop().time() + self._log.patience
        while True:
            try:
                return await step()
            except (RedisError, OSError) as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise Stuck(str(error), certain=True) from error
                await asyncio.sleep(_LOOK_EVERY)  # between two looks at its state

    async def _told(self, step: Step) -> Ended:
        rows = self._feeder.rows
        match step.before:
            case "cancelled":
                # Whoever cancelled it could not know how many rows would be on the log.
                await self._last_word(self._mark("cancelled", rows=rows))
            case "stopped":
                pass
            case _:
                raise Taken
        return Ended(step.before, rows, self._last(), again=False)

    def _why(self, error: Unreadable | Stuck | Lost | ClientDisconnect) -> str:
        match error:
            case ClientDisconnect():
                return f"{_ENDED_EARLY}; {resuming(keyed=self._plan.keyed)}"
            case Stuck():
                how = resuming(keyed=self._plan.keyed)
                return f"the log took nothing ({error!s:.600}); {how}"
            case Unreadable() | Lost():
                return str(error)[:1000]

    def _last(self) -> tuple[Position, ...]:
        return tuple(self._feeder.last.values())

    def _mark(self, mark: Mark, *, rows: int = 0, detail: str | None = None) -> ImportMark:
        now = self._clock()
        plan = self._plan
        return ImportMark(
            # Whoever takes an import up again begins no other.
            uuid8(self._id, "begun") if mark == "begun" else uuid7(now),
            self._id,
            mark,
            plan.given.actor,
            now,
            rows,
            detail,
            plan.dry,
            plan.stop,
            file=plan.file if mark == "begun" else None,
        )


def resuming(*, keyed: bool) -> str:
    """Say how to go on with an upload that ended."""
    if keyed:
        return "send the file again under the same Idempotency-Key to resume"
    return (
        "it had no Idempotency-Key to resume it under: send the whole file again, and rows that "
        "were taken come out as unchanged"
    )


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    return await anext(chunks, None)
