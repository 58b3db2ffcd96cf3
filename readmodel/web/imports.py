"""The pages of imports: all of them, and how far one is, with what became of its rows."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from flask import g
from sqlalchemy import Engine

from ledger import heads
from ledger.imports import file_names
from ledger.reverts import standing
from readmodel import import_rows, params
from readmodel.answers import Answer, answer
from readmodel.import_routes import BEFORE, ROW_STATUSES, ImportRoutes
from readmodel.paging import PAGING, Paging
from readmodel.params import Reader
from readmodel.web import form
from readmodel.web.render import Pages
from runtime.keyed_ids import keyed_id

_PAGE = 25
_ROWS = 50
_LIST: Mapping[str, Reader] = {"cursor": PAGING["cursor"]}
_ONE: Mapping[str, Reader] = {
    "cursor": PAGING["cursor"],
    "status": params.one_of({each: each for each in (*ROW_STATUSES, "all")}),
}
# What is said for programs, and how the page says it, which has no key of yesterday's.
_ANEW = "send the file again: rows that were taken in come out as unchanged"
_PLAINLY = (
    ("send the file again under the same Idempotency-Key to resume", _ANEW),
    ("it had no Idempotency-Key to resume it under: send the whole file", "send the file"),
    ("name another charset in Content-Type", "its characters are written in another way"),
)
_STEPS = ("pause", "resume", "cancel", "revert")
# While it is one of these, it goes on by itself.
_MOVING = ("receiving", "running")
# Then all of its file was received.
_RECEIVED = ("running", "done")


class ImportPages:
    """Shows what `imports` tells, and rows from `reads`."""

    def __init__(self, pages: Pages, imports: ImportRoutes, reads: Engine, paging: Paging) -> None:
        self._pages = pages
        self._imports = imports
        self._reads = reads
        self._paging = paging

    def imports(self) -> Answer:
        given = params.read(form.filled_in(), _LIST)
        members, last = self._imports.listed(
            self._paging.place(given, BEFORE, "imports page"), _PAGE
        )
        return self._pages.page(
            "imports.html",
            {
                "imports": [_shown(each) for each in members],
                "names": self._names(members),
                "next": self._paging.following(last, "imports page"),
            },
        )

    def import_(self, import_id: str) -> Answer:
        given = params.read(form.filled_in(), _ONE)
        # What went wrong is what somebody looks for.
        status: str = given.get("status", "rejected")
        binding = ("import page", import_id, status)
        after: str | None = self._paging.place(given, str, *binding)
        told = _shown(self._imports.told(import_id))
        asked = import_rows.Asked(import_id, None if status == "all" else status, after)
        found = import_rows.read(self._reads, asked, _ROWS + 1)
        last = found[_ROWS - 1].key if len(found) > _ROWS else None
        named = {each.item_id for each in found if each.item_id}
        with self._reads.connect() as connection:
            # Of a row that was rejected, and in a trial run of any, there may be no item.
            there = heads.load(connection, sorted(named)).keys()
            stands = standing(connection, import_id)
        return self._pages.page(
            "import.html",
            {
                "told": told,
                "names": self._names([told]),
                "steps": _steps(told),
                # It may not have got everywhere, or have been taken back itself.
                "by": self._other(stands.by),
                "undone": self._other(stands.undone),
                "status": status,
                "statuses": ("rejected", *(each for each in ROW_STATUSES if each != "rejected")),
                "rows": [import_rows.members(each) for each in found[:_ROWS]],
                "there": there,
                "next": self._paging.following(last, *binding),
            },
        )

    def _other(self, import_id: str | None) -> Mapping[str, Any] | None:
        told = None if import_id is None else self._imports.known(import_id)
        return None if told is None else _shown(told)

    def _names(self, members: Sequence[Mapping[str, Any]]) -> Mapping[str, str | None]:
        """Tell what the files of imports are called that these take back, and that are known."""
        reverted = [each["reverts"] for each in members if each["reverts"]]
        if not reverted:
            return {}
        with self._reads.connect() as connection:
            return file_names(connection, reverted)

    def sent(self, key: str) -> Answer:
        """Tell of the import that whoever asks sends under this key, as programs read it: while it
        is sent, nothing else tells its id. Before anything of it is known, that id alone.
        """
        params.read(form.filled_in(), {})
        import_id = keyed_id(g.caller.subject, "POST", "/imports", key)
        found = self._imports.known(import_id)
        body = orjson.dumps({"import_id": import_id, "import": found})
        return answer(body, {"Cache-Control": "no-store"})


def _shown(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """Add how far it is, and of how many rows, `None` where that is not known; what these are;
    whether it goes on; whether its file had no rows; and what is to be read aloud now.
    """
    final = sum(told[each] for each in ("applied", "unchanged", "rejected", "skipped", "other"))
    detail = told["detail"]
    for said, plainly in _PLAINLY:
        detail = detail and detail.replace(said, plainly)
    if detail:
        detail = detail[0].upper() + detail[1:]
    status = told["status"]
    # Until all of a file is received, or where that ended early, its rows are those that were read.
    whole = told["rows"] if status in _RECEIVED else None
    unit = "item" if told["reverts"] else "row"
    return {
        **told,
        "detail": detail,
        "final": final,
        "unit": unit,
        "aloud": _aloud(told, final, whole, unit),
        "whole": whole,
        "is_empty": status == "done" and whole == 0 and told["reverts"] is None,
        "is_moving": status in _MOVING,
        "is_going": status in _MOVING or status == "paused",
    }


def _steps(told: Mapping[str, Any]) -> list[str]:
    """List what can be done to an import now; a trial run has changed nothing to take back."""
    offered = [each for each in _STEPS if each in told["links"]]
    return [each for each in offered if each != "revert" or not told["dry_run"]]


def _aloud(told: Mapping[str, Any], final: int, whole: int | None, unit: str) -> str:
    """Say how far it is to who does not see it: in words that change at each quarter and at the
    end, for they are read out whenever they do.
    """
    status, applied, rejected = told["status"], told["applied"], told["rejected"]
    if status in _MOVING:
        return f"{min(4 * final // whole, 3) * 25} % done" if whole else "Going on"
    said = f"{status.capitalize()}: {applied:,} {unit if applied == 1 else unit + 's'} applied"
    return f"{said}, {rejected:,} rejected" if rejected else said
