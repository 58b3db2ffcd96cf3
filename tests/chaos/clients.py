"""Clients that write, read back and remember nothing but what they do next."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.history import History
from tests.chaos.wire import Reply, Wire
from tests.chaos.wishes import Op, Wish, key_of

HOT = 8
COLD = 10_000
_GONE, _OK, _ABSENT = 410, 200, 404


@dataclass(slots=True)
class Client:
    """One sequential client. It numbers its commands; after an answer that leaves open what became
    of a command it repeats that under its key, or gives up and goes on under another number.
    """

    wire: Wire
    history: History
    dice: random.Random
    stop: asyncio.Event
    pace: float
    workload: str
    proc: int = 0
    _count: int = 0
    made: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.proc = self.history.process()

    def wish(self, op: Op, item: str | None, **more: Any) -> Wish:
        self._count += 1
        tok = f"{self.proc}:{self._count}"
        values = more.pop("fields", None)
        if values is None and op in {"create", "put", "patch"}:
            # The name is the token: an item's names, in order, are the trail of its commands.
            values = {"name": tok}
            if op != "patch":
                values["price"] = self.dice.randrange(5)
            if self.dice.random() < 0.1:
                values["description"] = f"said with {tok}"
        return Wish(tok, op, item, values or {}, **more)

    def maybe_key(self, wish: Wish, share: float) -> str | None:
        return key_of(wish) if self.dice.random() < share else None

    async def write(self, wish: Wish, *, key: str | None, wait: int = 0) -> Reply:
        return await self._until_known(
            [wish], key, wait, lambda: self.wire.single(wish, key, wait), batch=False
        )

    async def write_batch(self, wishes: Sequence[Wish], *, key: str | None, wait: int = 0) -> Reply:
        return await self._until_known(
            wishes, key, wait, lambda: self.wire.batch(wishes, key, wait), batch=True
        )

    async def _until_known(
        self,
        wishes: Sequence[Wish],
        key: str | None,
        wait: int,
        send: Callable[[], Awaitable[Reply]],
        *,
        batch: bool,
    ) -> Reply:
        persistent = key is not None and self.dice.random() < 0.5
        while True:
            number = self.history.invoke(
                self.proc,
                "write",
                w=self.workload,
                key=key,
                wait=wait,
                batch=batch,
                rows=[wish.line() for wish in wishes],
            )
            reply = await send()
            self.history.end(
                number,
                self.proc,
                reply.ending,
                "write",
                w=self.workload,
                status=reply.status,
                rows=reply.rows,
                error=reply.error,
            )
            if not reply.uncertain or not persistent or self.stop.is_set():
                break
            await self.rest(0.3)
        if reply.uncertain:
            self.proc = self.history.process()
        elif reply.ending != "ok":
            await self.rest(0.2)
        return reply

    async def read(self, item: str) -> dict[str, Any] | None:
        """Read an item; what the answer says of it, `None` where there was none."""
        number = self.history.invoke(self.proc, "read", w=self.workload, item=item)
        answer = await self.wire.get(f"/items/{item}")
        if isinstance(answer, str):
            self.history.end(number, self.proc, "fail", "read", item=item, error=answer)
            return None
        status, document = answer
        if status not in {_OK, _GONE, _ABSENT}:
            self.history.end(number, self.proc, "fail", "read", item=item, status=status)
            return None
        said = {"status": status, "ver": document.get("version", document.get("current_version"))}
        if status == _OK:
            said["doc"] = document
        self.history.end(number, self.proc, "ok", "read", item=item, **said)
        return said

    async def rest(self, seconds: float) -> None:
        """Pause for about so long, or until the run is over."""
        pause = self.dice.uniform(0.5, 1.5) * seconds * self.pace
        try:
            await asyncio.wait_for(self.stop.wait(), pause)
        except TimeoutError:
            return
