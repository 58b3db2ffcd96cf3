"""Start processes that cannot outlive the harness, whatever ends it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

# Reads process groups, one a line, and kills them all when the harness closes the pipe or dies.
_REAPER = """
import os, signal, sys
groups = [int(line) for line in sys.stdin]
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
"""


class Processes:
    """What the harness has started; a child process of ours sees to it that all of it ends."""

    def __init__(self) -> None:
        self._reaper = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _REAPER],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        self._pumps: list[threading.Thread] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._reaper.stdin is not None
        self._reaper.stdin.close()
        self._reaper.wait()
        for pump in self._pumps:
            pump.join(5)

    def start(
        self,
        argv: Sequence[str],
        log: Path,
        env: Mapping[str, str] | None = None,
        *,
        user: str | None = None,
        restore_signals: bool = True,
        stdin: int = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """Start a process as the leader of a group of its own.

        What it says goes through a pipe: a limit on its files must not hit its log.
        """
        process = subprocess.Popen(
            argv,
            env=None if env is None else dict(env),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=user,
            restore_signals=restore_signals,
            cwd="/",
        )
        assert self._reaper.stdin is not None
        self._reaper.stdin.write(f"{process.pid}\n".encode())
        self._reaper.stdin.flush()
        pump = threading.Thread(target=_pump, args=(process, log), daemon=True)
        pump.start()
        self._pumps.append(pump)
        return process


def _pump(process: subprocess.Popen[bytes], log: Path) -> None:
    assert process.stdout is not None
    with process.stdout, log.open("ab") as file:
        while chunk := os.read(process.stdout.fileno(), 1 << 16):
            file.write(chunk)
            file.flush()


def send(process: psutil.Process | None, number: int) -> bool:
    """Send a signal and say whether there was somebody to take it."""
    if process is None:
        return False
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)
        return True
    return False


def end(process: subprocess.Popen[bytes], patience: float = 10.0) -> int:
    """Ask a process to end, kill it where it does not, and return its exit code."""
    process.terminate()
    try:
        return process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def end_now(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def matching(parent: int, wanted: Callable[[Sequence[str]], bool]) -> list[psutil.Process]:
    """List the children of a process whose command line is wanted."""
    found: list[psutil.Process] = []
    try:
        children: list[Any] = psutil.Process(parent).children()
    except psutil.NoSuchProcess:
        return []
    for each in children:
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if wanted(each.cmdline()):
                found.append(each)
    return found
