"""How safely the log is kept, as those who operate it read it."""

from collections.abc import Iterator, Mapping
from typing import Any

from readmodel.web.sizes import size

_LEVELS: Mapping[str, str] = {
    "fsync": "on disk before it is answered (fsync)",
    "everysec": "on disk within about a second (everysec)",
    "none": "not promised: what was accepted may be lost (none)",
}
_SYNCS: Mapping[str | None, str] = {
    "always": "fsync always",
    "everysec": "fsync every second",
    "no": "fsync whenever the system does it",
    None: "it does not tell when it syncs",
}


def rows(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Write what `/status` tells of durability: names, and what they are."""
    yield "A command is", _LEVELS[told["level"]]
    yield "At least wanted", told["required"]
    sync = told["appendfsync"]
    yield "Append-only file", f"on, {_SYNCS.get(sync, sync)}" if told["appendonly"] else "off"
    used, limit = told["used_memory"], told["maxmemory"]
    short = ", too little is left" if told["short_of_memory"] else ""
    if limit:
        part = f" ({used / limit:.0%})" if used * 100 >= limit else ""
        yield "Memory", f"{size(used)} of {size(limit)}{part}{short}"
        kept = told["eviction"] == "noeviction"
        full = "it takes nothing more" if kept else "it throws away what it has"
        yield "When memory is full", f"{full} ({told['eviction']})"
    else:
        yield "Memory", f"{size(used)}, without a limit"
    wanted = told["wait_replicas"]
    waits = f"{wanted:,} must have a command before its answer" if wanted else "none is waited for"
    yield "Replicas", f"{told['replicas']:,} online; {waits}"
