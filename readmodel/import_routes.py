"""The resources of imports: the list, one import, what became of its rows."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from flask import Response, request
from sqlalchemy import Engine

from eventlog.inspect import LogInspector, LogUnavailable
from ledger import imports, reverts
from readmodel import import_rows, params
from readmodel.answers import FRESH_ONLY, answer
from readmodel.import_documents import Known, document
from readmodel.paging import PAGING, Paging
from readmodel.problem_codes import IMPORT_NOT_FOUND
from readmodel.problems import Trouble, problem

# The kinds of values of a place in the list of imports.
BEFORE = (int, str)
_IMPORT_ID = re.compile(r"[A-Za-z0-9._~-]{1,64}")
ROW_STATUSES = (
    "applied",
    "unchanged",
    "rejected",
    "skipped",
    "expired",
    "dead",
    "parked",
)
_ROWS: Mapping[str, params.Reader] = {
    **PAGING,
    "status": params.one_of({each: each for each in ROW_STATUSES}),
}


class ImportRoutes:
    """Answers for imports from `reads`; `inspector` is asked only about those that are still fed,
    and need not answer. `clock` gives milliseconds.
    """

    def __init__(
        self,
        reads: Engine,
        inspector: LogInspector,
        paging: Paging,
        query_url: str,
        command_url: str,
        clock: Callable[[], int],
    ) -> None:
        self._reads = reads
        self._inspector = inspector
        self._paging = paging
        self._query_url = query_url
        self._command_url = command_url
        self._clock = clock

    def imports(self) -> Response:
        given = params.read(request.args, PAGING)
        before = self._paging.place(given, BEFORE, "imports")
        members, last = self.listed(before, given.get("limit", params.DEFAULT_PAGE))
        following = self._paging.following(last, "imports")
        return answer(
            orjson.dumps({"imports": members, "next": following}),
            self._paging.headers("/imports", following),
        )

    def listed(self, before: Any, limit: int) -> tuple[list[dict[str, Any]], Any]:
        """Tell of up to `limit` imports that are older than a place in the list, newest first; and
        the place of the last one where more follow.
        """
        with self._reads.connect() as connection:
            found = imports.newest(connection, before, limit + 1)
            names = [each.id for each in found[:limit]]
            counts = imports.totals(connection, names)
            stand = reverts.standings(connection, names)
        shown = found[:limit]
        fed = self._fed([each.id for each in shown if each.status in {"receiving", "paused"}])
        members = [
            self._document(
                Known(
                    each,
                    counts.get(each.id, imports.Counts()),
                    fed.get(each.id),
                    stand.get(each.id, reverts.Standing()),
                )
            )
            for each in shown
        ]
        return members, [shown[-1].begun_at, shown[-1].id] if len(found) > limit else None

    def import_(self, import_id: str) -> Response:
        params.read(request.args, {})
        return answer(orjson.dumps(self.told(import_id)))

    def told(self, import_id: str) -> dict[str, Any]:
        """Tell of one import. Raises Trouble where there is none."""
        return self._document(self._found(import_id))

    def known(self, import_id: str) -> dict[str, Any] | None:
        """Tell of one import, if anything is known of it."""
        found = self._known(import_id)
        return None if found is None else self._document(found)

    def rows(self, import_id: str) -> Response:
        given = params.read(request.args, _ROWS)
        kind = import_rows.chosen(request.accept_mimetypes)
        status: str | None = given.get("status")
        binding = ("import rows", import_id, status)
        after: str | None = self._paging.place(given, str, *binding)
        self._found(import_id)
        asked = import_rows.Asked(import_id, status, after)
        limit: int | None = given.get("limit")
        headers = {**FRESH_ONLY, "Vary": "Accept"}
        if limit is None and kind is not import_rows.JSON:
            everything = import_rows.everything(self._reads, asked)
            return Response(kind.written(everything), headers=headers, mimetype=kind.media_type)
        limit = limit or params.DEFAULT_PAGE
        found = import_rows.read(self._reads, asked, limit + 1)
        last = found[limit - 1].key if len(found) > limit else None
        following = self._paging.following(last, *binding)
        body = kind.page(found[:limit], following)
        written = answer(
            body, {**self._paging.headers(f"/imports/{import_id}/rows", following), **headers}
        )
        written.mimetype = kind.media_type
        return written

    def _found(self, import_id: str) -> Known:
        found = self._known(import_id)
        if found is None:
            raise Trouble(problem(IMPORT_NOT_FOUND, f"no import {import_id} is known"))
        return found

    def _known(self, import_id: str) -> Known | None:
        if _IMPORT_ID.fullmatch(import_id) is None:
            # Before a database has to look at it: not every one takes every character.
            return None
        with self._reads.connect() as connection:
            found = imports.find(connection, import_id)
            counts = imports.total(connection, import_id)
            stands = reverts.standing(connection, import_id)
        if found is not None and found.status not in {"receiving", "paused"}:
            return Known(found, counts, None, stands)
        fed = self._fed([import_id]).get(import_id)
        if found is None and fed is None:
            return None
        return Known(found or imports.unheard_of(import_id), counts, fed, stands)

    def _fed(self, import_ids: list[str]) -> Mapping[str, Any]:
        try:
            return self._inspector.imports_fed(import_ids) if import_ids else {}
        except LogUnavailable:
            return {}

    def _document(self, known: Known) -> dict[str, Any]:
        return document(known, self._clock(), self._query_url, self._command_url)
