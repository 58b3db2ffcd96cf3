"""An import as it is told: from what the ledger knows, and what its feeder last said."""

from dataclasses import dataclass
from typing import Any, Literal

from eventlog.inspect import ImportFed
from ledger.imports import Counts, Import
from runtime.times import rfc3339

# Milliseconds for which a feeder may be silent; then it is gone, and nobody has said so.
_GONE_AFTER = 15_000
_ENDED_EARLY = (
    "the upload ended early; send the file again under the same Idempotency-Key to resume"
)

Status = Literal["receiving", "running", "paused", "done", "stopped", "cancelled", "failed"]


@dataclass(frozen=True, slots=True)
class Known:
    """An import, its counts, and what is known of its feeder; `fed` is `None` where that is
    nothing.
    """

    of: Import
    counts: Counts
    fed: ImportFed | None


def document(known: Known, now: int, query_url: str, command_url: str) -> dict[str, Any]:
    of, counts = known.of, known.counts
    status, detail = _status(known, now)
    rows = of.rows
    if rows is None and known.fed is not None:
        rows = known.fed.rows
    return {
        "import_id": of.id,
        "status": status,
        "dry_run": of.dry,
        "on_error": "stop" if of.stop else "skip",
        "rows": rows,
        "applied": counts.applied,
        "unchanged": counts.unchanged,
        "rejected": counts.rejected,
        "skipped": counts.skipped,
        "other": counts.other,
        "actor": of.actor,
        "reverts": of.reverts,
        "detail": detail,
        "begun_at": rfc3339(of.begun_at) if of.begun_at else None,
        "changed_at": rfc3339(of.changed_at) if of.changed_at else None,
        "links": _links(of.id, status, query_url, command_url),
    }


def _status(known: Known, now: int) -> tuple[Status, str | None]:
    """Say where it is; with a reason, where there is one."""
    of, counts = known.of, known.counts
    match of.status:
        case "cancelled" | "failed":
            return of.status, of.detail
        case _ if counts.stopped:
            return "stopped", "a row was rejected, and the import stops at the first one"
        case "received":
            done = of.rows is not None and counts.final >= of.rows
            return ("done" if done else "running"), None
        case "receiving" | "paused":
            silent = known.fed is not None and now - known.fed.beat > _GONE_AFTER
            return ("failed", _ENDED_EARLY) if silent else (of.status, None)


def _links(import_id: str, status: Status, query_url: str, command_url: str) -> dict[str, str]:
    """Name where it is told more, and what can be done to it now."""
    links = {
        "import": f"{query_url}/imports/{import_id}",
        "rows": f"{query_url}/imports/{import_id}/rows",
    }
    actions = {
        "receiving": ("pause", "cancel"),
        "paused": ("resume", "cancel"),
        "failed": ("cancel", "revert"),
    }.get(status, ("revert",))
    return links | {each: f"{command_url}/imports/{import_id}/{each}" for each in actions}
