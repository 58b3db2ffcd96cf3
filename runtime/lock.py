"""The data folder belongs to one `up` at a time."""

import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path

_INTERVAL = 0.05


class FolderInUse(Exception):
    """Another process has the data folder; `str()` names both."""


@dataclass(frozen=True, slots=True)
class FolderLock:
    """A taken lock. A child that inherits the descriptor keeps it taken for as long as it lives."""

    folder: Path
    descriptor: int

    def release(self) -> None:
        """Let go of it here; it stays taken while a child still has the descriptor."""
        os.close(self.descriptor)


def lock_folder(folder: Path, patience: float = 3.0) -> FolderLock:
    """Make the folder if need be and take its lock, trying for `patience` seconds.

    Raises FolderInUse where another process keeps it, and OSError where the folder is not ours.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(descriptor, folder, patience)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    except BaseException:
        os.close(descriptor)
        raise
    return FolderLock(folder, descriptor)


def is_taken(folder: Path) -> bool:
    """Say whether some process keeps the lock of a folder; not where this user may not see it."""
    try:
        descriptor = os.open(folder / "lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        # Had for a moment only: whoever wants it meanwhile tries again.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _take(descriptor: int, folder: Path, patience: float) -> None:
    # Tried again and again: an `up` that was killed a moment ago may still have a dying Valkey,
    # and flock knows no time-out.
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                holder = os.pread(descriptor, 20, 0).decode() or "unknown"
                raise FolderInUse(
                    f"the data folder {folder.absolute()} is in use by another `itemledger up` "
                    f"(process {holder}): stop that one, or give this one a folder with --data"
                ) from None
            time.sleep(_INTERVAL)  # flock can wait for ever or not at all, never for a time
        else:
            return
