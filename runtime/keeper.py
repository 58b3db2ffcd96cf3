"""Keep one child alive: start it, watch it, start it again, until it is asked to stop."""

import asyncio
import contextlib
import os
import signal
import time
from typing import Literal

import structlog

from runtime.child import Child, Pace
from runtime.heartbeat import Heartbeat
from runtime.starting import Running, Start

_LOOK_EVERY = 0.5


class Keeper:
    """One child and its restarts. Its `run` has to be awaited by somebody, in the main thread."""

    def __init__(self, child: Child, pace: Pace, start: Start) -> None:
        self.child = child
        self.pid: int | None = None
        self.endings = 0
        self._pace = pace
        self._start = start
        self._asked = asyncio.Event()
        self._log = structlog.get_logger().bind(child=child.name)

    def ask_to_stop(self) -> None:
        """End the child, and with it `run`; asking twice is asking once."""
        self._asked.set()

    async def run(self) -> None:
        """Keep the child alive, whatever it dies of, until it is asked to stop."""
        quick_deaths = 0
        while not self._asked.is_set():
            began = time.monotonic()
            ending = await self._run_once()
            if self._asked.is_set():
                return
            quick = time.monotonic() - began < self._pace.settled
            quick_deaths = quick_deaths + 1 if quick else 1
            pause = self._pace.pause(quick_deaths)
            self.endings += 1
            self._log.warning("child ended, restarting", cause=ending, pause_seconds=pause)
            if pause:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._asked.wait(), pause)

    async def _run_once(self) -> str:
        beat = None
        if self.child.heartbeat is not None:
            beat = Heartbeat(self.child.heartbeat, self._pace, time.monotonic())
        try:
            process = await self._start(self.child)
        except OSError as error:
            return f"could not be started: {error}"
        self.pid = process.pid
        self._log.debug("child started", pid=process.pid)
        exited = asyncio.ensure_future(process.wait())
        asked = asyncio.ensure_future(self._asked.wait())
        try:
            cause = await self._watch(process, exited, asked, beat)
        finally:
            asked.cancel()
            # Also when this task itself is cancelled: nothing stays behind.
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            code = await exited
            self.pid = None
            _kill_group(process.pid)
        return cause or _describe(code)

    async def _watch(
        self,
        process: Running,
        exited: asyncio.Future[int],
        asked: asyncio.Future[Literal[True]],
        beat: Heartbeat | None,
    ) -> str | None:
        """Wait until the child has ended, has been stopped, or is to be killed for a cause."""
        look_every = None if beat is None else _LOOK_EVERY
        while True:
            await asyncio.wait(
                {exited, asked}, timeout=look_every, return_when=asyncio.FIRST_COMPLETED
            )
            if exited.done():
                return None
            if asked.done():
                await self._stop(process, exited)
                return None
            if beat is not None and (silence := beat.silence(time.monotonic())):
                self._log.error("child is frozen, killing it", cause=silence, pid=process.pid)
                return silence

    async def _stop(self, process: Running, exited: asyncio.Future[int]) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait({exited}, timeout=self._pace.stop)
        if not exited.done():
            self._log.error(
                "child did not stop in time, killing it",
                pid=process.pid,
                deadline_seconds=self._pace.stop,
            )


def _kill_group(leader: int) -> None:
    """Kill what a child has started and left behind: each leads a process group of its own."""
    # PermissionError is what macOS answers where only zombies are left.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _describe(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
