"""Inside a nursery: load once what many processes need, then fork them when they are asked for.

A process that is forked has what was loaded before in the same pages of memory, and starts at once.
It is handed over to the supervisor that has asked for it, as if that had started it: its parent is
ended before it begins, and the supervisor takes in who loses a parent. Linux only.

The nursery has one thread, as what it loads does nothing when it is imported; with more it would
not fork, as what those were just doing would stay half done in the other process for ever.
"""

import errno
import gc
import os
import select
import socket
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import orjson

from runtime.tether import die_with
from runtime.title import set_title

# A request is one message: what is to be forked, its environment, and maybe where it writes to.
MOST_BYTES = 1 << 20
# The answer to it: a process id, or minus the number of an error; and whether all is loaded.
ANSWER = struct.Struct("i?")
_PID = struct.Struct("i")
_GO = b"g"


@dataclass(frozen=True, slots=True)
class Room:
    """Processes by their words, and the modules that have to be loaded before one is forked."""

    words: frozenset[str]
    modules: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Request:
    word: str
    argv: Sequence[str]
    env: Mapping[str, str]
    stdout: int | None


def tend(supervisor: socket.socket, rooms: Sequence[Room]) -> str | None:
    """Load and fork until the supervisor is gone, and return `None` then. In each process that is
    forked it returns, too: the word of what that is to be.
    """
    # What is loaded here stays: whoever looks through it for garbage has pages of its own then.
    gc.disable()
    asked: _Request | None = None
    ready: frozenset[str] = frozenset()
    for room in rooms:
        for module in room.modules:
            import_module(module)
            if asked is None and select.select([supervisor], [], [], 0)[0]:
                asked = _receive(supervisor)
                if asked is None:
                    return None
            if asked is not None and asked.word in ready:
                if _fork(supervisor, asked, has_loaded_all=False):
                    return asked.word
                asked = None
        ready |= room.words
    while True:
        request = asked or _receive(supervisor)
        if request is None:
            return None
        if _fork(supervisor, request, has_loaded_all=True):
            return request.word
        asked = None


def _receive(supervisor: socket.socket) -> _Request | None:
    message, files, _, _ = socket.recv_fds(supervisor, MOST_BYTES, 1)
    if not message:
        return None
    told = orjson.loads(message)
    return _Request(told["word"], told["argv"], told["env"], files[0] if files else None)


def _fork(supervisor: socket.socket, request: _Request, *, has_loaded_all: bool) -> bool:
    """Return True in the process that was asked for, once it has been handed over."""
    gc.freeze()
    starter = os.getppid()
    told, telling = os.pipe()
    waits, goes = os.pipe()
    between = _forked()
    if between == 0:
        supervisor.close()
        os.close(told)
        os.close(goes)
        child = _forked()
        if child != 0:
            os.write(telling, _PID.pack(child))
            os._exit(0)
        os.close(telling)
        _begin(request, starter, waits)
        return True
    for each in (telling, waits, request.stdout):
        if each is not None:
            os.close(each)
    pid = between
    if between > 0:
        (pid,) = _PID.unpack(os.read(told, _PID.size) or _PID.pack(-errno.ECHILD))
        # From here on its parent is gone, and it is the supervisor's.
        os.waitpid(between, 0)
    supervisor.send(ANSWER.pack(pid, has_loaded_all))
    # It may have been killed already.
    with suppress(BrokenPipeError):
        os.write(goes, _GO)
    os.close(told)
    os.close(goes)
    return False


def _forked() -> int:
    """Fork; return what `os.fork` does, or minus the number of the error that stands in the way."""
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        return -errno.EDEADLK
    try:
        return os.fork()
    except OSError as error:
        return -(error.errno or errno.EAGAIN)


def _begin(request: _Request, starter: int, waits: int) -> None:
    """Become a process like any other, once the supervisor knows of it."""
    os.setsid()
    if os.read(waits, 1) != _GO:
        # Nobody would keep it.
        os._exit(1)
    os.close(waits)
    die_with(starter)
    if request.stdout is not None:
        os.dup2(request.stdout, 1)
        os.close(request.stdout)
    os.environ.clear()
    os.environ.update(request.env)
    set_title(request.argv)
    gc.enable()
