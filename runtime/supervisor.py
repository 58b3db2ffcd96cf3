"""Keep a handful of child processes alive, and stop them in order."""

import asyncio
from types import TracebackType
from typing import Self

import structlog

from runtime.child import Child, Pace
from runtime.keeper import Keeper
from runtime.starting import Start, execute


class Supervisor:
    """Children that live until the `async with` block ends, whatever happens to them.

    Leaving the block stops them by their `stop_order`, those of equal order together; one that has
    its turn later is still kept alive meanwhile.
    """

    def __init__(self, pace: Pace | None = None, start: Start = execute) -> None:
        self._pace = pace or Pace()
        self._start = start
        self._keepers: list[tuple[Keeper, asyncio.Task[None]]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stop()

    def start(self, child: Child) -> Keeper:
        """Start a child and keep it alive from now on."""
        keeper = Keeper(child, self._pace, self._start)
        self._keepers.append((keeper, asyncio.create_task(keeper.run(), name=child.name)))
        return keeper

    async def run_until(self, asked: asyncio.Event) -> None:
        """Wait until `asked` is set; raise what a keeper raises: only a bug ends one before."""
        waiting = asyncio.ensure_future(asked.wait())
        try:
            done, _ = await asyncio.wait(
                {waiting, *(task for _, task in self._keepers)},
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            waiting.cancel()
        for task in done - {waiting}:
            task.result()

    async def _stop(self) -> None:
        log = structlog.get_logger()
        for order in sorted({keeper.child.stop_order for keeper, _ in self._keepers}):
            turn = [pair for pair in self._keepers if pair[0].child.stop_order == order]
            for keeper, _ in turn:
                log.info("stopping", child=keeper.child.name)
                keeper.ask_to_stop()
            results = await asyncio.gather(*(task for _, task in turn), return_exceptions=True)
            for result in results:
                # The others still have to be stopped.
                if isinstance(result, BaseException):
                    log.error("a child was not kept as it should be", exc_info=result)
