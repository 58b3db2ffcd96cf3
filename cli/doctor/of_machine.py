"""This machine: the data folder and its disk, and how many files a process may open."""

import os
import resource
import shutil
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

from cli.doctor.finding import Check, Doubt, Fault, Finding, Fine, Told, told
from runtime.settings import PREFIX, Settings

# Where several machines may write, SQLite's WAL and the append-only file's fsync do not hold.
_OVER_THE_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "fuse.sshfs", "fuse.glusterfs", "ceph"}
)
_MIB = 1 << 20
# Free bytes and percent of a disk.
_LEAST_FREE, _LITTLE_FREE_PERCENT = 64 * _MIB, 5
# What a process opens beside a follower each: connections, stores, its own files.
_OPENED = 200


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """The folder of whatever is embedded. `file_system` is its kind, `None` where it is not told;
    `denied` names what this user may not write. Sizes are bytes.
    """

    folder: Path
    denied: Path | None
    file_system: str | None
    free: int
    size: int


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """How many files a process may open, and how many followers it is to serve."""

    open_files: int
    followers: int


def _rights(facts: FolderFacts) -> Finding:
    if facts.denied is None:
        return Fine(f"{facts.folder} can be written")
    return Fault(
        f"this user may not write {facts.denied}",
        f"chown it to the user that runs `itemledger up`, or name another folder with {PREFIX}DATA",
    )


def _file_system(facts: FolderFacts) -> Finding | None:
    if facts.file_system is None:
        return None
    if facts.file_system in _OVER_THE_NETWORK:
        return Fault(
            f"{facts.folder} is on a network file system ({facts.file_system}), where SQLite's "
            "locks and fsync do not hold",
            f"name a folder on a disk of this machine with {PREFIX}DATA, or use PostgreSQL",
        )
    return Fine(facts.file_system)


def _disk(facts: FolderFacts) -> Finding:
    percent = 100 * facts.free // max(1, facts.size)
    seen = f"{facts.free // _MIB:,} MiB free ({percent} %)"
    mend = f"make room on the disk of {facts.folder}, or move the folder to a larger one"
    if facts.free < _LEAST_FREE:
        return Fault(f"{seen}: nothing can be accepted or applied", mend)
    return Doubt(seen, mend) if percent < _LITTLE_FREE_PERCENT else Fine(seen)


def _open_files(facts: ProcessFacts) -> Finding:
    needed = facts.followers + _OPENED
    if facts.open_files >= needed:
        return Fine(f"up to {facts.open_files:,} at once")
    return Doubt(
        f"{facts.open_files:,}, and {facts.followers} followers alone need {needed}",
        f"`ulimit -n {max(4096, needed)}` before the start (systemd: LimitNOFILE=), or set "
        f"{PREFIX}FOLLOWERS_LIMIT lower",
    )


OF_FOLDER = (
    Check("folder: rights", _rights),
    Check("folder: file system", _file_system),
    Check("folder: disk", _disk),
)
OF_PROCESS = (Check("open files", _open_files),)


def look(settings: Settings) -> Generator[Told]:
    """Look at the data folder, where anything is embedded, and at the limits of a process."""
    folder = settings.data.absolute()
    if (settings.redis_url is None or settings.database_url is None) and folder.exists():
        usage = shutil.disk_usage(folder)
        facts = FolderFacts(folder, _denied(folder), _kind(folder), usage.free, usage.total)
        yield from told(OF_FOLDER, facts)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield from told(OF_PROCESS, ProcessFacts(soft, settings.followers_limit))


def _denied(folder: Path) -> Path | None:
    inside = (folder / "itemledger.db", folder / "valkey")
    return next(
        (each for each in (folder, *inside) if each.exists() and not os.access(each, os.W_OK)), None
    )


def _kind(folder: Path) -> str | None:
    mounts = Path("/proc/self/mounts")
    if not mounts.exists():
        return None
    return file_system_of(folder.resolve(), mounts.read_text("utf-8", "replace").splitlines())


def file_system_of(folder: Path, mounts: Iterable[str]) -> str | None:
    """Find the kind of the mount nearest above a folder, in lines as /proc/self/mounts has them."""
    found: dict[Path, str] = {}
    for line in mounts:
        _, place, kind, *_ = line.split(" ")
        # proc(5): a space in a path is written in octal.
        found[Path(place.replace("\\040", " "))] = kind
    nearest = (each for each in (folder, *folder.parents) if each in found)
    return next((found[each] for each in nearest), None)
