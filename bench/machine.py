"""What the figures were measured on."""

import os
import platform
import statistics
import subprocess
import time
from importlib.metadata import version
from pathlib import Path

from bench.load import generator_name

ROOT = Path(__file__).parents[1]
_BLOCK = b"\0" * 4096
_SYNCS = 200
_IN_MEMORY = {"tmpfs", "ramfs"}
_LIBRARIES = ("flask", "fastapi", "granian", "gunicorn", "uvicorn", "rq", "sqlalchemy", "redis")


def describe(folder: Path) -> dict[str, str]:
    """Name the machine, its disk, the versions of what was measured, and the commit."""
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "kernel": f"{platform.system()} {platform.release()}",
        "disk": f"{_filesystem(folder)}, 4 KiB append and fdatasync {fdatasync(folder):.2f} ms "
        "(median)",
        "python": platform.python_version(),
        "libraries": ", ".join(f"{name} {version(name)}" for name in _LIBRARIES),
        "load generator": generator_name(),
        "commit": _commit(),
    }


def require_disk(folder: Path) -> None:
    """Refuse a folder in memory: what is on disk before it is answered costs something."""
    if _filesystem(folder) in _IN_MEMORY:
        raise SystemExit(f"{folder} is in memory: name a folder on a disk with --folder")


def fdatasync(folder: Path) -> float:
    """Measure how many milliseconds it takes to append a block so that it stays, in the median."""
    file = folder / "fdatasync"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    times: list[float] = []
    try:
        for _ in range(_SYNCS):
            begun = time.perf_counter()
            os.write(descriptor, _BLOCK)
            os.fdatasync(descriptor)
            times.append(1000 * (time.perf_counter() - begun))
    finally:
        os.close(descriptor)
        file.unlink()
    return statistics.median(times)


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _filesystem(folder: Path) -> str:
    """Name the type of the filesystem: that of the longest mount point above the folder."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    real = folder.resolve()
    above = [(len(m[1]), m[2]) for m in mounts if real.is_relative_to(m[1])]
    return max(above)[1]


def _commit() -> str:
    def git(*words: str) -> str:
        argv = ["git", "-C", str(ROOT), *words]
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no")
    return (git("rev-parse", "--short=10", "HEAD") or "none") + (", and changes" if changed else "")
