"""An import as it is told: from what the ledger knows, and what its feeder last said."""

from dataclasses import dataclass
from typing import Any, Literal

from eventlog.inspect import ImportFed
from ledger.imports import Counts, Import
from runtime.times import rfc3339

# Milliseconds for which a feeder may be silent; then it is gone, and nobody has said so.
_GONE_AFTER = 15_000
_FORGOTTEN_AFTER = 24 * 60 * 60 * 1000
# An import that has nothing to be fed, as a revert, is silent from the beginning.
_NO_FEEDER = 0
_ENDED_EARLY = "the upload ended early; "
_RESUME = "send the file again under the same Idempotency-Key to resume"
_ANEW = (
    "it had no Idempotency-Key to resume it under: send the whole file again, and rows that were "
    "taken come out as unchanged"
)
# Where an id has its version, and the one of those that are derived from a key.
_VERSION_AT, _KEYED = 14, "8"

Status = Literal["receiving", "running", "paused", "done", "stopped", "cancelled", "failed"]


@dataclass(frozen=True, slots=True)
class Known:
    """An import, its counts, and what is known of its feeder; `fed` is `None` where that is
    nothing. `reverted_by` is the id of the import that took it back.
    """

    of: Import
    counts: Counts
    fed: ImportFed | None
    reverted_by: str | None = None


def document(known: Known, now: int, query_url: str, command_url: str) -> dict[str, Any]:
    of, counts = known.of, known.counts
    status, detail = _status(known, now)
    return {
        "import_id": of.id,
        "file_name": of.file,
        "status": status,
        "dry_run": of.dry,
        "on_error": "stop" if of.stop else "skip",
        "rows": _rows(known),
        "applied": counts.applied,
        "unchanged": counts.unchanged,
        "rejected": counts.rejected,
        "skipped": counts.skipped,
        "other": counts.other,
        "actor": of.actor,
        "reverts": of.reverts,
        "reverted_by": known.reverted_by,
        "detail": detail,
        "begun_at": rfc3339(of.begun_at) if of.begun_at else None,
        "changed_at": rfc3339(of.changed_at) if of.changed_at else None,
        "links": _links(known, status, query_url, command_url),
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
            if known.fed is not None and known.fed.beat == _NO_FEEDER:
                return "running", None
            if known.fed is None:
                # Nothing is known where Redis is away; it forgets a feeder a day after it was gone.
                silent = now - of.changed_at > _FORGOTTEN_AFTER
            else:
                silent = now - known.fed.beat > _GONE_AFTER
            return ("failed", _ended_early(of.id)) if silent else (of.status, None)


def _ended_early(import_id: str) -> str:
    keyed = import_id[_VERSION_AT : _VERSION_AT + 1] == _KEYED
    return _ENDED_EARLY + (_RESUME if keyed else _ANEW)


def _rows(known: Known) -> int | None:
    """Say how many rows there are: as many as have a result at least, until all are received."""
    of, fed = known.of, known.fed
    if of.status == "received":
        return of.rows
    said = [of.rows] if of.rows is not None else []
    if fed is not None and fed.beat != _NO_FEEDER:
        said.append(fed.rows)
    return max(*said, known.counts.final) if said else None


def _links(known: Known, status: Status, query_url: str, command_url: str) -> dict[str, str]:
    """Name where it is told more, and what can be done to it now. To take back again what was taken
    back is allowed, and changes nothing.
    """
    import_id = known.of.id
    links = {
        "import": f"{query_url}/imports/{import_id}",
        "rows": f"{query_url}/imports/{import_id}/rows",
    }
    actions = {
        "receiving": ("pause", "cancel"),
        "paused": ("resume", "cancel"),
        "failed": ("cancel", "revert"),
    }.get(status, ("revert",))
    if known.reverted_by is not None:
        actions = tuple(each for each in actions if each != "revert")
    return links | {each: f"{command_url}/imports/{import_id}/{each}" for each in actions}
