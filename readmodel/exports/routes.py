"""The resource of the export: `/exports/items`, streamed, with the cursor that goes on after it."""

from collections.abc import Mapping
from threading import Semaphore

from flask import Response, request
from sqlalchemy import Engine

from readmodel import params
from readmodel.answers import FRESH_ONLY
from readmodel.cursors import FeedCursors
from readmodel.exports.forms import CSV, NDJSON, Form
from readmodel.exports.snapshot import Snapshot
from readmodel.exports.stream import Stream
from readmodel.negotiation import choose
from readmodel.problem_codes import TOO_MANY_EXPORTS
from readmodel.problems import Trouble, problem
from readmodel.reads import Reads, live_slots
from readmodel.views import catalogue, items

# Each keeps a snapshot, a connection and a thread for as long as its client takes.
AT_ONCE = 4
# The number of items, so that a client can tell that it has them all.
COUNT_HEADER = "Export-Items"

_FORMS: Mapping[str, Form] = {form.name: form for form in (NDJSON, CSV)}
_BY_MEDIA_TYPE: Mapping[str, Form] = {form.media_type: form for form in (NDJSON, CSV)}
_PARAMETERS: Mapping[str, params.Reader] = {
    "format": params.one_of(_FORMS),
    "include_deleted": params.flag,
}
_RETRY_AFTER = {"Retry-After": "5"}


class ExportRoutes:
    """Answers from `snapshots`, an engine whose connections each read one snapshot; the feed is
    under `public_url`.
    """

    def __init__(
        self, snapshots: Engine, reads: Reads, cursors: FeedCursors, public_url: str
    ) -> None:
        self._reads = reads
        self._snapshots = snapshots
        self._cursors = cursors
        self._public_url = public_url
        self._places = Semaphore(AT_ONCE)

    def items(self) -> Response:
        given = params.read(request.args, _PARAMETERS)
        asked: Form | None = given.get("format")
        form = asked or _BY_MEDIA_TYPE[choose(tuple(_BY_MEDIA_TYPE))]
        include_deleted: bool = given.get("include_deleted", False)
        if not self._places.acquire(blocking=False):
            detail = f"{AT_ONCE} exports are running, which is as many as may be at once"
            raise Trouble(problem(TOO_MANY_EXPORTS, detail), {**FRESH_ONLY, **_RETRY_AFTER})
        try:
            with self._reads.snapshot(items.NAME):
                # The client's own write is there: every later moment has it too.
                pass
            snapshot = Snapshot(self._snapshots, self._places.release)
        except BaseException:
            self._places.release()
            raise
        return self._begin(snapshot, form, include_deleted=include_deleted)

    def _begin(self, snapshot: Snapshot, form: Form, *, include_deleted: bool) -> Response:
        try:
            with snapshot.used() as connection:
                slot = live_slots(connection, [items.NAME])[items.NAME]
                place = catalogue.place(connection, slot)
                extent = catalogue.extent(connection, slot, include_deleted=include_deleted)
        except BaseException:
            snapshot.close()
            raise
        changes = f"{self._public_url}/changes?after={self._cursors.write(place)}"
        headers = {
            **FRESH_ONLY,
            "Vary": "Accept",
            "Content-Type": form.content_type,
            "Content-Disposition": f'attachment; filename="items.{form.name}"',
            "Link": f'<{changes}>; rel="changes"',
            COUNT_HEADER: str(extent.count),
        }
        length = form.length(extent.count, extent.size)
        if length is not None:
            headers["Content-Length"] = str(length)
        body = Stream(snapshot, slot, form, include_deleted=include_deleted)
        return Response(body, headers=headers)
