"""The shapes of answers, as JSON Schema, and the examples that run through the document."""

from collections.abc import Mapping
from typing import Any

from domain import rules

COMMAND_ID = "019aa9b2-6d2e-7c3b-9d0e-6a1b2c3d4e5f"
IMPORT_ID = "0193c6a5-9c1e-7b6f-8a1d-2f3e4d5c6b7a"
TOKEN = "0.1795336455666.1"  # noqa: S105  a Consistency-Token is no secret

ITEM: Mapping[str, Any] = {
    "id": "lamp-1",
    "name": "Elegant Lamp",
    "description": "Brushed brass, 40 cm.",
    "price": 12900,
    "currency": "EUR",
    "version": 1,
    "created_at": "2026-11-22T08:00:00.000Z",
    "updated_at": "2026-11-22T08:00:00.000Z",
    "deleted_at": None,
}
_QUERY = "http://127.0.0.1:8001"
ACCEPTED: Mapping[str, Any] = {
    "command_id": COMMAND_ID,
    "item_id": "lamp-1",
    "status": "accepted",
    "token": TOKEN,
    "links": {
        "command": f"{_QUERY}/commands/{COMMAND_ID}?token={TOKEN}",
        "item": f"{_QUERY}/items/lamp-1",
    },
}
SCHEDULE_ACCEPTED: Mapping[str, Any] = {
    **ACCEPTED,
    "links": {
        **ACCEPTED["links"],
        "scheduled_price": f"{_QUERY}/items/lamp-1/scheduled-prices/{COMMAND_ID}",
    },
    "schedule_id": COMMAND_ID,
}
SCHEDULED: Mapping[str, Any] = {
    "id": COMMAND_ID,
    "item_id": "lamp-1",
    "price": 9900,
    "currency": "EUR",
    "effective_from": "2099-11-27T00:00:00.000Z",
    "effective_until": "2099-12-01T00:00:00.000Z",
    "status": "pending",
    "actor": "rosa",
    "reason": "black week",
    "recorded_at": "2026-11-22T08:00:00.000Z",
}
RESULTS: Mapping[str, Any] = {
    "results": [
        {
            "row": 0,
            "status": "accepted",
            "command_id": COMMAND_ID,
            "item_id": "lamp-1",
            "token": "0.1795334400000.1",
        },
        {
            "row": 1,
            "status": "rejected",
            "command_id": None,
            "item_id": "lamp-2",
            "problem": {
                "type": "http://127.0.0.1:8000/problems/invalid-body",
                "title": "The body is not what is asked for here",
                "status": 422,
                "detail": "/commands/1/price: is required",
                "code": "invalid-body",
                "errors": [
                    {
                        "pointer": "/commands/1/price",
                        "code": "required",
                        "detail": "is required",
                    }
                ],
            },
        },
    ]
}
IMPORT: Mapping[str, Any] = {
    "import_id": IMPORT_ID,
    "status": "running",
    "rows": 1_000_000,
    "links": {
        "import": f"{_QUERY}/imports/{IMPORT_ID}",
        "rows": f"{_QUERY}/imports/{IMPORT_ID}/rows",
    },
}
ORDER: Mapping[str, Any] = {
    "command_id": COMMAND_ID,
    "status": "accepted",
    "token": "0.1795334400000.9",
    "links": {"command": f"{_QUERY}/commands/{COMMAND_ID}?token=0.1795334400000.9"},
}
READY: Mapping[str, Any] = {
    "status": "ready",
    "accepting": True,
    "reason": None,
    "checks": {
        "log": "ok",
        "durability": {"level": "fsync", "required": "fsync", "lack": None},
        "pump": "ok",
    },
}

_STRING: Mapping[str, Any] = {"type": "string"}
_URI: Mapping[str, Any] = {"type": "string", "format": "uri"}
_TIME: Mapping[str, Any] = {"type": "string", "format": "date-time"}
_UUID: Mapping[str, Any] = {"type": "string", "format": "uuid"}
_VERSION: Mapping[str, Any] = {"type": "integer", "minimum": 1}


def _closed(properties: Mapping[str, Any], *optional: str, says: str = "") -> Mapping[str, Any]:
    """Describe an object with these members and no others."""
    shape: dict[str, Any] = {
        "type": "object",
        "required": [name for name in properties if name not in optional],
        "properties": dict(properties),
        "additionalProperties": False,
    }
    return {**shape, "description": says} if says else shape


SHAPES: Mapping[str, Any] = {
    "Item": _closed(
        {
            "id": {"type": "string", "pattern": f"^{rules.ID_PATTERN}$"},
            "name": {"type": "string", "minLength": 1, "maxLength": rules.NAME_LIMIT},
            "description": {"type": ["string", "null"], "maxLength": rules.DESCRIPTION_LIMIT},
            "price": {
                "type": "integer",
                "minimum": 0,
                "maximum": rules.PRICE_LIMIT,
                "description": "In minor units (cents).",
            },
            "currency": {"$ref": "#/components/schemas/Currency"},
            "version": _VERSION,
            "created_at": _TIME,
            "updated_at": _TIME,
            "deleted_at": {"type": ["string", "null"], "format": "date-time"},
        },
        says="An item as the command left it.",
    ),
    "ScheduledPrice": _closed(
        {
            "id": _UUID,
            "item_id": {"type": "string", "pattern": f"^{rules.ID_PATTERN}$"},
            "price": {"type": "integer", "minimum": 0, "maximum": rules.PRICE_LIMIT},
            "currency": {"$ref": "#/components/schemas/Currency"},
            "effective_from": _TIME,
            "effective_until": {"type": ["string", "null"], "format": "date-time"},
            "status": {"enum": ["pending", "active", "done", "cancelled"]},
            "actor": _STRING,
            "reason": {"type": ["string", "null"]},
            "recorded_at": _TIME,
        },
        says="A price that takes effect by itself.",
    ),
    "Accepted": _closed(
        {
            "command_id": _UUID,
            "item_id": _STRING,
            "status": {"const": "accepted"},
            "token": {**_STRING, "description": "The Consistency-Token."},
            "links": _closed({"command": _URI, "item": _URI}),
        },
        says="On disk in the log; not applied yet.",
    ),
    "ScheduleAccepted": _closed(
        {
            "command_id": _UUID,
            "item_id": _STRING,
            "status": {"const": "accepted"},
            "token": {**_STRING, "description": "The Consistency-Token."},
            "links": _closed({"command": _URI, "item": _URI, "scheduled_price": _URI}),
            "schedule_id": _UUID,
        },
        says="On disk in the log; not applied yet.",
    ),
    "OrderAnswer": _closed(
        {
            "command_id": {**_UUID, "description": "Of the order itself."},
            "status": {"const": "accepted"},
            "token": {**_STRING, "description": "The Consistency-Token."},
            "links": _closed({"command": _URI}),
        },
        says="An order about a dead command, on disk in the log.",
    ),
    "BatchResults": _closed(
        {"results": {"type": "array", "items": {"$ref": "#/components/schemas/RowResult"}}},
        says="One result a row, in their order.",
    ),
    "RowResult": _closed(
        {
            "row": {"type": "integer", "minimum": 0},
            "status": {
                "enum": [
                    *("accepted", "applied", "unchanged", "rejected", "expired", "dead"),
                    *("skipped", "unknown"),
                ],
                "description": "`accepted` until it is final; `unknown` where it can not be known "
                "whether it was accepted.",
            },
            "command_id": {"type": ["string", "null"]},
            "item_id": {"type": ["string", "null"]},
            "token": {**_STRING, "description": "The row's Consistency-Token."},
            "problem": {"$ref": "#/components/schemas/Problem"},
        },
        "problem",
        "token",
        says="What became of a row; a rejected one never was a command if it has no `command_id`.",
    ),
    "ImportAnswer": _closed(
        {
            "import_id": _UUID,
            "status": {"enum": ["receiving", "running", "paused", "done", "stopped", "cancelled"]},
            "rows": {"type": "integer", "minimum": 0, "description": "Rows received."},
            "links": _closed({"import": _URI, "rows": _URI}),
        },
        "rows",
        says="How far an import is.",
    ),
    "Live": _closed({"status": {"const": "live"}}),
    "Ready": _closed(
        {
            "status": {"const": "ready"},
            "accepting": {"const": True},
            "reason": {"type": "null"},
            "checks": _closed(
                {
                    "log": _STRING,
                    "durability": {"type": ["object", "string"]},
                    "pump": {
                        **_STRING,
                        "description": "Absent where it was asked for writes alone",
                    },
                },
                "pump",
            ),
        }
    ),
    "ProblemCode": _closed(
        {
            "code": _STRING,
            "status": {"type": "integer"},
            "title": _STRING,
            "meaning": _STRING,
            "mend": _STRING,
            "type": _URI,
        },
        says="What a problem code means and what to do about it.",
    ),
    "ProblemCodes": _closed(
        {"problems": {"type": "array", "items": {"$ref": "#/components/schemas/ProblemCode"}}}
    ),
    "Problem": {
        "type": "object",
        "description": "An error (RFC 9457).",
        "required": ["type", "title", "status", "detail", "code"],
        "properties": {
            "type": {**_URI, "description": "Leads to a page that explains the code."},
            "title": _STRING,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": _STRING,
            "code": _STRING,
            "errors": {
                "type": "array",
                "description": "What is wrong where: a JSON Pointer (RFC 6901) into the body, or "
                "the name of a header or a parameter.",
                "items": {
                    "type": "object",
                    "required": ["code", "detail"],
                    "properties": {
                        "pointer": {"type": "string", "pattern": "^(/.*)?$"},
                        "header": _STRING,
                        "parameter": _STRING,
                        "code": _STRING,
                        "detail": _STRING,
                    },
                    "additionalProperties": False,
                },
            },
            "current_version": {**_VERSION, "description": "The item's, where it has one."},
            "command_id": {**_UUID, "description": "Ask the query API for it."},
            "import_id": _UUID,
            "accepting": {"const": False},
            "reason": {"type": ["string", "null"]},
            "checks": {"type": "object"},
        },
    },
}
