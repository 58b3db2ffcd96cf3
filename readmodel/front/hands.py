"""Threads that work for the loop: what may take a while, or waits for the database."""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

import structlog

log = structlog.get_logger("readmodel")

Done = TypeVar("Done")


class Hands:
    """At most so many threads, each made when there is work for it and not before.

    The standard library's pool does the same at twice the cost, and at the end of the process waits
    for whatever is still at work. To be used from one loop.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._work: SimpleQueue[tuple[asyncio.Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._threads = 0
        # What was begun or waits, and has not come back.
        self._under_way = 0

    def do(self, work: Callable[[], Done]) -> asyncio.Future[Done]:
        """Have something done; the future comes to what it returns, or raises what it raises. It is
        done also where nobody waits for it any more. Raises RuntimeError, and does nothing, where
        the system lets us have no thread at all.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Done] = loop.create_future()
        if self._threads < min(self._under_way + 1, self._most):
            self._begin(loop)
        self._under_way += 1
        self._work.put((done, work))
        return done

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Make a thread; where there is none to be had those that there are have more to do."""
        name = f"hand-{self._threads + 1}"
        try:
            threading.Thread(target=self._run, args=(loop,), name=name, daemon=True).start()
        except RuntimeError as error:
            if not self._threads:
                raise
            log.warning("no thread is to be had", threads=self._threads, error=str(error))
        else:
            self._threads += 1

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            done, work = self._work.get()
            result: Any = None
            error: BaseException | None = None
            try:
                result = work()
            except BaseException as raised:  # noqa: BLE001  it is raised where it is waited for
                error = raised
            try:
                loop.call_soon_threadsafe(self._come_back, done, result, error)
            except RuntimeError:
                return  # The loop has ended, and the process with it.
            # Nothing of it is kept until there is work again.
            del done, work, result, error

    def _come_back(
        self, done: asyncio.Future[Any], result: Any, error: BaseException | None
    ) -> None:
        self._under_way -= 1
        if done.done():
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)
