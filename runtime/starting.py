"""Start a child: as a program of its own, unless somebody knows a shorter way."""

import asyncio
from asyncio.subprocess import DEVNULL
from collections.abc import Awaitable, Callable
from typing import Protocol

from runtime.child import Child
from runtime.tether import tethered


class Running(Protocol):
    """A child that runs, or has ended and is not collected yet."""

    @property
    def pid(self) -> int: ...

    async def wait(self) -> int:
        """Wait until it has ended; return its exit code, or minus the signal that killed it."""
        ...

    def terminate(self) -> None:
        """Send SIGTERM. Raises ProcessLookupError where it has ended."""
        ...

    def kill(self) -> None:
        """Send SIGKILL. Raises ProcessLookupError where it has ended."""
        ...


Start = Callable[[Child], Awaitable[Running]]


async def execute(child: Child, stdout: int | None = None) -> Running:
    """Run the child's program, in a session of its own; it can not outlive this process. `stdout`
    is a file descriptor, and ours where it is not given. Raises OSError where it cannot be run.
    """
    return await asyncio.create_subprocess_exec(
        *tethered(child.argv),
        env=child.env,
        stdin=DEVNULL,
        stdout=stdout,
        pass_fds=child.inherited,
        start_new_session=True,
    )
