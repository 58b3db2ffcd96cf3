"""Where tests put what they need for a moment: in memory where there is room, as databases that are
made and dropped a thousand times wear a disk and wait for it.
"""

import os
import shutil
import tempfile
from pathlib import Path

import psutil

_MEMORY = Path("/dev/shm")  # noqa: S108  only folders of random names are made there
_ROOM = 4 * 2**30
_PREFIX = "itemledger-tests-"


def scratch_root() -> Path:
    """Say where it is."""
    try:
        free = shutil.disk_usage(_MEMORY).free
    except OSError:
        free = 0
    in_memory = free >= _ROOM and os.access(_MEMORY, os.W_OK)
    return _MEMORY if in_memory else Path(tempfile.gettempdir())


def make_run_folder(root: Path) -> Path:
    """Make a folder of this process, and remove those that killed runs have left behind."""
    for left in root.glob(f"{_PREFIX}*-*"):
        pid = left.name.removeprefix(_PREFIX).split("-")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=root))
