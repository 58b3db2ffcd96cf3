"""The forms in which a page of the feed comes: a document, lines, or a batch of CloudEvents."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from readmodel.cursors import FeedCursors
from readmodel.feed.cloudevents import BATCH, cloud_event
from readmodel.feed.schemas import SchemaUrls
from readmodel.feed.told import Told, tell
from readmodel.views.change_rows import ChangeRow
from readmodel.views.changes import Stretch
from runtime.times import rfc3339

JSON = "application/json"
NDJSON = "application/x-ndjson"
FORMS = (JSON, BATCH, NDJSON)


@dataclass(frozen=True, slots=True)
class Change:
    """An event of the feed, and the cursor right after it; `row` is as it is stored."""

    cursor: str
    row: ChangeRow
    told: Told


class Forms:
    """Writes pages; schemas and sources are under `public_url`."""

    def __init__(self, cursors: FeedCursors, public_url: str) -> None:
        self._cursors = cursors
        self._schemas = SchemaUrls(public_url)
        self._source = f"{public_url}/changes"

    def page(self, media_type: str, stretch: Stretch) -> bytes:
        """Write a page in one of FORMS."""
        changes = self.changes(stretch)
        if media_type == NDJSON:
            return b"".join(self.line(each) for each in changes)
        if media_type == BATCH:
            return orjson.dumps([self.cloud_event(each) for each in changes])
        document = {
            "changes": [self.document(each) for each in changes],
            "next": self._cursors.write(stretch.end),
            "behind": stretch.behind,
        }
        return orjson.dumps(document)

    def changes(self, stretch: Stretch) -> Iterator[Change]:
        """Make the changes of a stretch, each with the cursor that goes on right after it."""
        for row, place in zip(stretch.rows, stretch.places(), strict=True):
            yield Change(self._cursors.write(place), row, tell(row.type, row.data))

    def line(self, change: Change) -> bytes:
        return orjson.dumps(self.document(change), option=orjson.OPT_APPEND_NEWLINE)

    def document(self, change: Change) -> Mapping[str, Any]:
        """Write a change as its JSON object."""
        row, told = change.row, change.told
        return {
            "cursor": change.cursor,
            "partition": row.partition,
            "offset": row.offset,
            "item_id": row.item_id,
            "version": row.version,
            "type": told.name,
            "data": orjson.Fragment(told.data),
            "command_id": row.command_id,
            "actor": row.actor,
            "reason": row.reason,
            "recorded_at": rfc3339(row.recorded_at),
            "effective_at": rfc3339(row.effective_at),
            "schema": None if told.shape is None else self._schemas.of(told.shape),
        }

    def cloud_event(self, change: Change) -> Mapping[str, Any]:
        """Write a change as a CloudEvent."""
        shape = change.told.shape
        schema = None if shape is None else self._schemas.of(shape)
        return cloud_event(change.row, change.told, change.cursor, self._source, schema)
