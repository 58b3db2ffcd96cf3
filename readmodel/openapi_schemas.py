"""The shapes of this service's answers, as JSON Schema with an example each."""

from collections.abc import Mapping
from typing import Any

ITEM_ID = "85123A"
_COMMAND_ID = "019c2f8e-7f6a-7c3e-9a55-0d7c1b5f3a10"
_AT = "2026-11-22T08:00:00.000Z"

_STRING: Mapping[str, Any] = {"type": "string"}
_INTEGER: Mapping[str, Any] = {"type": "integer"}
_NULLABLE: Mapping[str, Any] = {"type": ["string", "null"]}
_TIME: Mapping[str, Any] = {"type": "string", "format": "date-time"}
_OBJECT: Mapping[str, Any] = {"type": "object"}

_ITEM = {
    "id": ITEM_ID,
    "name": "White hanging heart",
    "description": None,
    "price": 1299,
    "currency": "EUR",
    "version": 2,
    "created_at": _AT,
    "updated_at": _AT,
    "deleted_at": None,
}
_EVENT = {
    "version": 2,
    "type": "ItemRepriced",
    "changes": {"price": {"from": 999, "to": 1299}},
    "actor": "anonymous",
    "reason": "autumn prices",
    "command_id": _COMMAND_ID,
    "recorded_at": _AT,
    "effective_at": _AT,
}
_SCHEDULED = {
    "id": _COMMAND_ID,
    "item_id": ITEM_ID,
    "price": 999,
    "currency": "EUR",
    "effective_from": "2026-11-27T00:00:00.000Z",
    "effective_until": "2026-12-01T00:00:00.000Z",
    "status": "pending",
    "actor": "anonymous",
    "reason": "black week",
    "recorded_at": _AT,
}
_DURABILITY = {
    "level": "fsync",
    "required": "fsync",
    "lack": None,
    "appendonly": True,
    "appendfsync": "always",
    "eviction": "noeviction",
    "used_memory": 10_485_760,
    "maxmemory": 4_294_967_296,
    "replicas": 0,
    "wait_replicas": 0,
    "short_of_memory": False,
}
_WORKER = {"name": "worker-4711", "state": "working", "why": None, "since": _AT, "seen": _AT}
_GAP = {
    "partition": 0,
    "epoch": 1763712000000,
    "first": 8,
    "last": 11,
    "kind": "lost",
    "noticed_at": _AT,
}
_IMPORT = {
    "import_id": "0193c6a5-9c1e-7b6f-8a1d-2f3e4d5c6b7a",
    "status": "done",
    "dry_run": False,
    "on_error": "skip",
    "rows": 78_311,
    "applied": 78_294,
    "unchanged": 0,
    "rejected": 17,
    "skipped": 0,
    "other": 0,
    "actor": "anonymous",
    "reverts": None,
    "detail": None,
    "begun_at": _AT,
    "changed_at": _AT,
    "links": {
        "import": "http://127.0.0.1:8001/imports/0193c6a5-9c1e-7b6f-8a1d-2f3e4d5c6b7a",
        "rows": "http://127.0.0.1:8001/imports/0193c6a5-9c1e-7b6f-8a1d-2f3e4d5c6b7a/rows",
        "revert": "http://127.0.0.1:8000/imports/0193c6a5-9c1e-7b6f-8a1d-2f3e4d5c6b7a/revert",
    },
}
_IMPORT_ROW = {
    "row": 2721,
    "status": "rejected",
    "item_id": None,
    "problem": {
        "status": 422,
        "code": "invalid-body",
        "detail": "id: an id is 1 to 64 of A-Z a-z 0-9 . _ ~ - and begins with a letter or a digit",
    },
}


def _shape(
    properties: Mapping[str, Any], example: Mapping[str, Any], *optional: str
) -> Mapping[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "examples": [example],
    }


def _list_of(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "array", "items": schema}


SCHEMAS: Mapping[str, Any] = {
    "Item": _shape(
        {
            "id": _STRING,
            "name": _STRING,
            "description": _NULLABLE,
            "price": {"type": "integer", "description": "In minor units"},
            "currency": _STRING,
            "version": _INTEGER,
            "created_at": _TIME,
            "updated_at": _TIME,
            "deleted_at": {"type": ["string", "null"], "format": "date-time"},
        },
        _ITEM,
    ),
    "ItemPage": _shape(
        {"items": _list_of({"$ref": "#/components/schemas/Item"}), "next": _NULLABLE},
        {"items": [_ITEM], "next": None},
    ),
    "ScheduledPrice": _shape(
        {
            "id": _STRING,
            "item_id": _STRING,
            "price": {"type": "integer", "description": "In minor units"},
            "currency": _STRING,
            "effective_from": _TIME,
            "effective_until": {"type": ["string", "null"], "format": "date-time"},
            "status": {
                "enum": ["pending", "active", "done", "cancelled"],
                "description": "`active` is a sale that has begun and not ended",
            },
            "actor": _STRING,
            "reason": _NULLABLE,
            "recorded_at": _TIME,
        },
        _SCHEDULED,
    ),
    "ScheduledPrices": _shape(
        {
            "scheduled_prices": _list_of({"$ref": "#/components/schemas/ScheduledPrice"}),
            "next": _NULLABLE,
        },
        {"scheduled_prices": [_SCHEDULED], "next": None},
    ),
    "History": _shape(
        {
            "events": _list_of(
                _shape(
                    {
                        "version": _INTEGER,
                        "type": _STRING,
                        "changes": {
                            "type": "object",
                            "description": "Only what changed, by field",
                            "additionalProperties": {
                                "type": "object",
                                "properties": {"from": {}, "to": {}},
                                "required": ["from", "to"],
                            },
                        },
                        "actor": _STRING,
                        "reason": _NULLABLE,
                        "command_id": _STRING,
                        "recorded_at": _TIME,
                        "effective_at": _TIME,
                    },
                    _EVENT,
                )
            ),
            "next": _NULLABLE,
        },
        {"events": [_EVENT], "next": None},
    ),
    "Command": _shape(
        {
            "command_id": _STRING,
            "item_id": _STRING,
            "status": {
                "type": "string",
                "description": "accepted (not yet applied), applied, unchanged, rejected, dead (it "
                "met a defect), parked (behind a dead one) or lost (the log came back without it)",
            },
            "outcome": _shape(
                {
                    "status": _INTEGER,
                    "headers": {"type": "object", "additionalProperties": _STRING},
                    "body": {"description": "The item, a problem, or null"},
                },
                {"status": 200, "headers": {"ETag": '"2"'}, "body": _ITEM},
            ),
            "completed_at": _TIME,
            "since": _TIME,
            "token": _STRING,
            "links": {"type": "object", "additionalProperties": _STRING},
        },
        {
            "command_id": _COMMAND_ID,
            "status": "accepted",
            "token": "0.1763798400000.17",
            "links": {"command": f"http://127.0.0.1:8001/commands/{_COMMAND_ID}"},
        },
        "item_id",
        "outcome",
        "completed_at",
        "since",
        "token",
    ),
    "Status": _shape(
        {
            "partitions": {
                **_list_of(_OBJECT),
                "description": "head and checkpoint are of the epoch; lag counts what waits in "
                "older ones too",
            },
            "workers": _list_of(_OBJECT),
            "durability": {
                "type": ["object", "null"],
                "description": "How safely the log is kept; null where its Redis does not tell. "
                "While lack says something or short_of_memory is true, no command is accepted",
            },
            "projections": _list_of(_OBJECT),
            "dead": {"type": "integer", "description": "Commands that hit a defect"},
            "parked": {"type": "integer", "description": "Commands that wait behind a dead one"},
            "gaps": _list_of(
                _shape(
                    {
                        "partition": _INTEGER,
                        "epoch": _INTEGER,
                        "first": _INTEGER,
                        "last": _INTEGER,
                        "kind": {
                            "enum": ["lost", "kept"],
                            "description": "kept: only the log lost it, the ledger has it",
                        },
                        "noticed_at": _TIME,
                    },
                    _GAP,
                )
            ),
            "totals": _OBJECT,
        },
        {
            "partitions": [
                {
                    "partition": 0,
                    "epoch": 1763798400000,
                    "head": 17,
                    "checkpoint": 17,
                    "lag": 0,
                    "lag_seconds": 0.0,
                }
            ],
            "workers": [_WORKER],
            "durability": _DURABILITY,
            "projections": [{"projection": "items", "partition": 0, "offset": 21, "lag": 0}],
            "dead": 0,
            "parked": 0,
            "gaps": [_GAP],
            "totals": {"events": 21, "outcomes": 17},
        },
    ),
    "Health": _shape(
        {
            "status": _STRING,
            "checks": {
                "type": "object",
                "description": "ok or what is wrong, for each; of durability the facts",
            },
            "degraded": {
                "type": "array",
                "items": _STRING,
                "description": "Checks that are not in order and that reads do without",
            },
        },
        {
            "status": "ready",
            "checks": {
                "database": "ok",
                "schema": "ok",
                "log": "ok",
                "durability": _DURABILITY,
                "workers": "ok",
            },
        },
        "checks",
        "degraded",
    ),
    "Import": _shape(
        {
            "import_id": _STRING,
            "status": {
                "enum": [
                    "receiving",
                    "running",
                    "paused",
                    "done",
                    "stopped",
                    "cancelled",
                    "failed",
                ]
            },
            "dry_run": {"type": "boolean"},
            "on_error": {"enum": ["skip", "stop"]},
            "rows": {
                "type": ["integer", "null"],
                "description": "How many were read, so far or in all",
            },
            **{
                name: {"type": "integer", "description": f"Rows {says}"}
                for name, says in (
                    ("applied", "that changed their item, or would"),
                    ("unchanged", "that changed nothing"),
                    ("rejected", "that were refused"),
                    ("skipped", "that came after the import had been stopped or cancelled"),
                    ("other", "that are set aside for a defect"),
                )
            },
            "actor": _STRING,
            "reverts": {**_NULLABLE, "description": "The import that this one takes back"},
            "detail": _NULLABLE,
            "begun_at": {"type": ["string", "null"], "format": "date-time"},
            "changed_at": {"type": ["string", "null"], "format": "date-time"},
            "links": _OBJECT,
        },
        _IMPORT,
    ),
    "ImportPage": _shape(
        {"imports": _list_of({"$ref": "#/components/schemas/Import"}), "next": _NULLABLE},
        {"imports": [_IMPORT], "next": None},
    ),
    "ImportRow": _shape(
        {
            "row": {"type": "integer", "description": "The line on which it begins, from 1"},
            "status": _STRING,
            "item_id": _NULLABLE,
            "version": _INTEGER,
            "problem": {
                "type": "object",
                "properties": {"status": _INTEGER, "code": _STRING, "detail": _NULLABLE},
            },
        },
        _IMPORT_ROW,
        "version",
        "problem",
    ),
    "OpenAPI": {"type": "object"},
    "Problem": _shape(
        {
            "type": {"type": "string", "format": "uri"},
            "title": _STRING,
            "status": _INTEGER,
            "detail": _STRING,
            "code": _STRING,
            "errors": _list_of(
                {"type": "object", "properties": {"parameter": _STRING, "code": _STRING}}
            ),
        },
        {
            "type": "http://127.0.0.1:8001/problems/item-not-found",
            "title": "No such item",
            "status": 404,
            "detail": f"there is no item {ITEM_ID}",
            "code": "item-not-found",
        },
        "errors",
    ),
}
