"""An import as it is told: from what the ledger knows, and what its feeder last said."""

from dataclasses import dataclass
from typing import Any, Literal

from eventlog.inspect import ImportFed
from ledger.imports import Counts, Import
from ledger.reverts import Standing
from runtime.times import rfc3339

# Milliseconds for which a feeder may be silent; then it is gone, and nobody has said so.
_GONE_AFTER = 15_000
# After so many something has come of a revert, unless much waits.
_SLOW_AFTER = 60_000
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
    """An import, its counts, what is known of its feeder, and whether its rows are in force; `fed`
    is `None` where nothing is known.
    """

    of: Import
    counts: Counts
    fed: ImportFed | None
    stands: Standing


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
        "reverted_by": known.stands.by,
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
            return ("done" if done else "running"), _stuck(known, now)
        case "receiving" | "paused":
            if known.fed is not None and known.fed.beat == _NO_FEEDER:
                return "running", None
            if known.fed is None:
                # Nothing is known where Redis is away; it forgets a feeder a day after it was gone.
                silent = now - of.changed_at > _FORGOTTEN_AFTER
            else:
                silent = now - known.fed.beat > _GONE_AFTER
            return ("failed", _ended_early(of.id)) if silent else (of.status, None)


def _stuck(known: Known, now: int) -> str | None:
    """Say what to do where nothing comes of a revert: of what asked for it, only the first part may
    have reached the log.
    """
    of = known.of
    is_begun = of.reverts is not None and of.rows is None and not known.counts.final
    if not is_begun or now - of.begun_at < _SLOW_AFTER:
        return None
    return (
        "nothing has come of it so far: if that stays so, only its beginning reached the log; "
        f"revert import {of.reverts} again, which takes nothing back twice"
    )


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
    """Name where it is told more, and what can be done to it now. To take back again what
    was taken back is allowed, and changes nothing.
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
    if known.stands.by is not None and not known.stands.has_more:
        actions = tuple(each for each in actions if each != "revert")
    return links | {each: f"{command_url}/imports/{import_id}/{each}" for each in actions}
