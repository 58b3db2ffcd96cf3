"""The feed, the schemas of its events, and the export that it goes on after."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from ledger.shapes import NEWEST, SHAPES
from readmodel.exports.forms import CSV, NDJSON
from readmodel.feed.cloudevents import BATCH
from readmodel.feed.forms import FORMS
from readmodel.feed.reading import HEAD
from readmodel.feed.routes import DEFAULT_LIMIT, LIMIT
from readmodel.openapi.shapes import (
    AT,
    COMMAND_ID,
    INTEGER,
    ITEM_ID,
    NULLABLE,
    OBJECT,
    STRING,
    TIME,
    list_of,
    shape,
)
from readmodel.openapi.table import ITEM, Parameter, Route
from runtime.preferences import WAIT_LIMIT

_CURSOR = "4711-4702.o0qkB1dzhYwu7x0yQhlD5q0bSx6cEiTMP6Yc6FpLkTY"
_SCHEMA_URL = "http://127.0.0.1:8001/schemas/events/ItemRepriced/v2"
_CHANGE = {
    "cursor": _CURSOR,
    "partition": 1,
    "offset": 4702,
    "item_id": ITEM_ID,
    "version": 2,
    "type": "ItemRepriced",
    "data": {"price": 1299, "currency": "EUR", "schedule_id": None},
    "command_id": COMMAND_ID,
    "actor": "anonymous",
    "reason": "autumn prices",
    "recorded_at": AT,
    "effective_at": AT,
    "schema": _SCHEMA_URL,
}
_NAMES = tuple(NEWEST)
_SOME_NAMES = f"({'|'.join(_NAMES)})"
_TYPES: Mapping[str, Any] = {
    "type": "string",
    "pattern": f"^{_SOME_NAMES}(,{_SOME_NAMES})*$",
    "examples": ["ItemRepriced,ItemDeleted"],
}

_CLOUD_EVENT: Mapping[str, Any] = shape(
    {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "description": "Partition and offset"},
        "source": {"type": "string", "description": "The feed, the partition as its fragment"},
        "type": STRING,
        "subject": {"type": "string", "description": "The item's id"},
        "time": {**TIME, "description": "When the ledger recorded it"},
        "datacontenttype": {"const": "application/json"},
        "dataschema": {
            "type": "string",
            "format": "uri",
            "description": "The JSON Schema of `data`; absent where a newer release wrote it",
        },
        "sequence": {"type": "string", "description": "The offset; sorts as text in its source"},
        "partitionkey": {"type": "string", "description": "The item's id"},
        "itemversion": {"type": "integer", "description": "Of the item, after this change"},
        "effectiveat": TIME,
        "commandid": STRING,
        "cursor": {"type": "string", "description": "Goes on right after this change"},
        "actor": STRING,
        "reason": STRING,
        "data": {"type": "object", "description": "As `dataschema` says"},
    },
    {
        "specversion": "1.0",
        "id": "1-4702",
        "source": "http://127.0.0.1:8001/changes#1",
        "type": "itemledger.ItemRepriced.v2",
        "subject": ITEM_ID,
        "time": AT,
        "datacontenttype": "application/json",
        "dataschema": _SCHEMA_URL,
        "sequence": "0000000000000004702",
        "partitionkey": ITEM_ID,
        "itemversion": 2,
        "effectiveat": AT,
        "commandid": COMMAND_ID,
        "cursor": _CURSOR,
        "actor": "anonymous",
        "reason": "autumn prices",
        "data": _CHANGE["data"],
    },
    "dataschema",
    "reason",
)

ROUTES: Sequence[Route] = (
    Route(
        "/changes",
        "Follow what happens to items: every event, in order per item",
        "Changes",
        (
            Parameter(
                "after",
                {"type": "string", "examples": [HEAD]},
                "The cursor of a change, of `next`, or of an export: what follows it. "
                f"`{HEAD}`: what follows everything there is. Left out: from the beginning. A "
                "cursor may be used with other filters",
            ),
            Parameter(
                "limit",
                {"type": "integer", "minimum": 1, "maximum": LIMIT, "default": DEFAULT_LIMIT},
                "Longest page. With a filter it may be shorter, or empty, with more behind it",
            ),
            Parameter(
                "types",
                _TYPES,
                f"Only events of these types, with commas: {', '.join(_NAMES)}",
            ),
            Parameter("item_id", ITEM.schema, "Only events of this item"),
            Parameter(
                "Prefer",
                {"type": "string", "examples": ["wait=20"]},
                f"`wait=N`: at the head, wait up to N seconds (at most {WAIT_LIMIT}) for the first "
                "event. Where many wait already it comes at once, without Preference-Applied",
                "header",
            ),
            Parameter(
                "Accept",
                {"type": "string", "examples": list(FORMS)},
                "A document (if not said), a batch of CloudEvents 1.0, or a change a line",
                "header",
            ),
            Parameter("If-None-Match", {"type": "string"}, "ETags the client has", "header"),
        ),
        headers=("Link", "ETag", "Preference-Applied"),
        not_modified=True,
        problems=(400, 406, 409),
        also={BATCH: "CloudEvents", NDJSON.media_type: None},
    ),
    Route(
        "/exports/items",
        "Export all items as they stand at one moment, with the cursor of the feed that goes on "
        "right after it",
        None,
        (
            Parameter(
                "format", {"enum": [NDJSON.name, CSV.name]}, "The form, whatever Accept says"
            ),
            Parameter("include_deleted", {"type": "boolean", "default": False}, "Deleted ones too"),
            Parameter(
                "Accept",
                {"type": "string", "examples": [NDJSON.media_type, CSV.media_type]},
                "An item a line, as JSON (if not said) or CSV",
                "header",
            ),
        ),
        headers=("Link", "Export-Items", "Content-Disposition"),
        problems=(400, 406),
        media_type=NDJSON.media_type,
        also={CSV.media_type: None},
    ),
    Route(
        "/changes/stream",
        "Follow what happens to items as Server-Sent Events: each has a cursor as its id, and a "
        "change as its data",
        "ChangeEvent",
        (
            Parameter(
                "after",
                {"type": "string", "examples": [HEAD]},
                f"As of the page by page feed; `{HEAD}` is what follows everything there is",
            ),
            Parameter(
                "types",
                _TYPES,
                "Only events of these types, with commas",
            ),
            Parameter("item_id", ITEM.schema, "Only events of this item"),
            Parameter(
                "Last-Event-ID",
                {"type": "string"},
                "The last id that came: goes on after it, whatever `after` says",
                "header",
            ),
        ),
        problems=(400, 409),
        media_type="text/event-stream",
    ),
    Route("/schemas/events", "List the JSON Schemas of events", "EventSchemas"),
    Route(
        "/schemas/events/{type_name}/{version}",
        "Read the JSON Schema of the data of an event type, in one version; it never changes",
        "JsonSchema",
        (
            Parameter("type_name", {"enum": list(_NAMES)}, "The event type", "path"),
            Parameter(
                "version",
                {"enum": sorted({f"v{each.version}" for each in SHAPES})},
                "Its version",
                "path",
            ),
        ),
        problems=(400, 404),
        media_type="application/schema+json",
    ),
)

SCHEMAS: Mapping[str, Any] = {
    "Change": shape(
        {
            "cursor": {"type": "string", "description": "Goes on right after this change"},
            "partition": INTEGER,
            "offset": {"type": "integer", "description": "Without gaps in its partition, from 1"},
            "item_id": STRING,
            "version": {"type": "integer", "description": "Of the item, after this change"},
            "type": STRING,
            "data": {"type": "object", "description": "As `schema` says"},
            "command_id": STRING,
            "actor": STRING,
            "reason": NULLABLE,
            "recorded_at": TIME,
            "effective_at": TIME,
            "schema": {
                "type": ["string", "null"],
                "format": "uri",
                "description": "The JSON Schema of `data`; null where a newer release wrote it",
            },
        },
        _CHANGE,
    ),
    "ChangeEvent": {
        **shape(
            {
                "id": {"type": "string", "description": "The cursor of the change"},
                "data": {
                    "type": "string",
                    "contentMediaType": "application/json",
                    "contentSchema": {"$ref": "#/components/schemas/Change"},
                },
            },
            {"id": _CURSOR, "data": orjson.dumps(_CHANGE).decode()},
        ),
        "description": "One event of the stream (HTML standard, 9.2), its fields as members",
    },
    "Changes": shape(
        {
            "changes": list_of({"$ref": "#/components/schemas/Change"}),
            "next": {"type": "string", "description": "Where to go on: there always is one"},
            "behind": {
                "type": "integer",
                "description": "Events of the ledger after this page; 0 at the head",
            },
        },
        {"changes": [_CHANGE], "next": _CURSOR, "behind": 0},
    ),
    "CloudEvents": list_of(_CLOUD_EVENT),
    "EventSchemas": shape(
        {
            "schemas": list_of(
                shape(
                    {
                        "type": STRING,
                        "version": INTEGER,
                        "newest": {"type": "boolean"},
                        "schema": {"type": "string", "format": "uri"},
                    },
                    {"type": "ItemRepriced", "version": 2, "newest": True, "schema": _SCHEMA_URL},
                )
            )
        },
        {
            "schemas": [
                {"type": "ItemRepriced", "version": 2, "newest": True, "schema": _SCHEMA_URL}
            ]
        },
    ),
    "JsonSchema": {
        **OBJECT,
        "description": "A JSON Schema, draft 2020-12",
        "examples": [NEWEST["ItemRepriced"].schema(_SCHEMA_URL)],
    },
}
