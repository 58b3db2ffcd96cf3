"""A nursery as its supervisor sees it: children that are forked there, and kept as any other.

What is forked becomes the supervisor's own child, so that a nursery that dies takes nobody along,
and whoever it was to fork is started as a program of its own meanwhile. Elsewhere than on Linux all
are.
"""

import asyncio
import ctypes
import os
import signal
import socket
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import orjson
import structlog

from runtime.child import Child
from runtime.forking import ANSWER
from runtime.starting import Running, execute
from runtime.tether import tethered

log = structlog.get_logger()

_PR_SET_CHILD_SUBREAPER = 36
# Seconds for an answer: the first ones wait for what has to be loaded.
_LOADING, _PATIENCE = 60.0, 5.0


@dataclass(frozen=True, slots=True)
class _Nurse:
    process: asyncio.subprocess.Process
    socket: socket.socket


class Nursery:
    """Forks the children of one supervisor that have a word, for the `async with` block. `argv` is
    the program, which is given the number of its socket, and `env` holds nothing that a child may
    not know. Without a program every child is executed.
    """

    def __init__(self, argv: Sequence[str], env: Mapping[str, str]) -> None:
        self._argv = argv
        self._env = env
        self._nurse: _Nurse | None = None
        self._is_open = False
        self._patience = _LOADING
        self._one_at_a_time = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self._is_open = bool(self._argv) and is_possible()
        if self._is_open:
            self._nurse = await self._begin()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_open = False
        if self._nurse is not None:
            await _end(self._nurse)

    async def start(self, child: Child, stdout: int | None = None) -> Running:
        """Fork the child, or execute its program where that cannot be. `stdout` is where it writes
        to, if not where we do. Raises OSError where neither can be.
        """
        if child.word is None or not self._is_open:
            return await execute(child, stdout)
        async with self._one_at_a_time:
            pid = None
            if self._nurse is not None:
                with _taking_in():
                    pid = await self._forked(self._nurse, child, stdout)
            else:
                self._nurse = await self._begin()
        return await execute(child, stdout) if pid is None else Forked(pid)

    async def _forked(self, nurse: _Nurse, child: Child, stdout: int | None) -> int | None:
        """Have the child forked and return its id; `None` where it is not. A nursery that does not
        do what it should is ended, and another begun for those who come later.
        """
        told = {"word": child.word, "argv": child.argv, "env": dict(child.env)}
        try:
            async with asyncio.timeout(self._patience):
                files = [] if stdout is None else [stdout]
                socket.send_fds(nurse.socket, [orjson.dumps(told)], files)
                answer = await asyncio.get_running_loop().sock_recv(nurse.socket, ANSWER.size)
        except asyncio.CancelledError:
            # Whom it may fork now is not to be taken for another one.
            self._nurse = None
            await _end(nurse)
            raise
        except (OSError, TimeoutError) as error:
            log.warning("the nursery does not answer", cause=str(error) or type(error).__name__)
            answer = b""
        if not answer:
            self._nurse = None
            answer = await _end(nurse)
            self._nurse = await self._begin()
        pid, has_loaded_all = ANSWER.unpack(answer or ANSWER.pack(0, False))
        if has_loaded_all:
            self._patience = _PATIENCE
        if pid < 0:
            log.warning("the nursery cannot fork", cause=os.strerror(-pid))
        return pid if pid > 0 else None

    async def _begin(self) -> _Nurse | None:
        """Start a nursery, if that can be: it is not needed, only faster."""
        self._patience = _LOADING
        try:
            ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with its:
                process = await asyncio.create_subprocess_exec(
                    *tethered([*self._argv, str(its.fileno())]),
                    env=self._env,
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=[its.fileno()],
                    start_new_session=True,
                )
        except OSError as error:
            log.warning("there is no nursery", cause=str(error))
            return None
        ours.setblocking(False)
        return _Nurse(process, ours)


async def _end(nurse: _Nurse) -> bytes:
    """End a nursery, and return what it has answered and nobody has read."""
    with suppress(ProcessLookupError):
        nurse.process.kill()
    await nurse.process.wait()
    with nurse.socket:
        try:
            return nurse.socket.recv(ANSWER.size)
        except OSError:
            # There is nothing: it has not even read what it was asked for, or it has told all.
            return b""


class Forked:
    """A process that was forked elsewhere and is our child."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None
        self._file = os.pidfd_open(pid)
        self._ended = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(self._file, self._collect)

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        # Not collected, it still has its number to itself.
        if self._ended.done():
            raise ProcessLookupError
        os.kill(self.pid, number)

    def _collect(self) -> None:
        asyncio.get_running_loop().remove_reader(self._file)
        os.close(self._file)
        _, status = os.waitpid(self.pid, 0)
        self._ended.set_result(os.waitstatus_to_exitcode(status))


@contextmanager
def _taking_in() -> Generator[None]:
    """Be the parent of whoever loses theirs and descends from us; only for the block, as nobody
    here collects those that are left behind otherwise.
    """
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 0)


def is_possible() -> bool:
    """Say whether this system lets one process have another fork its children."""
    if sys.platform != "linux":
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True
