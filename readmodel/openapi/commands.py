"""What became of commands and imports."""

from collections.abc import Mapping, Sequence
from typing import Any

from readmodel.import_routes import ROW_STATUSES
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
from readmodel.openapi.table import CURSOR, LIMIT, TOKEN, Parameter, Route, of_import, of_item

_IMPORT_ID = Parameter("import_id", {"type": "string"}, "From the answer to the upload", "path")

_ITEM = {
    "id": ITEM_ID,
    "name": "White hanging heart",
    "description": None,
    "price": 1299,
    "currency": "EUR",
    "version": 2,
    "created_at": AT,
    "updated_at": AT,
    "deleted_at": None,
}
_IMPORT = {
    "import_id": "0193c6a5-9c1e-7b6f-8a1d-2f3e4d5c6b7a",
    "file_name": "prices.csv",
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
    "reverted_by": None,
    "detail": None,
    "begun_at": AT,
    "changed_at": AT,
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

ROUTES: Sequence[Route] = (
    Route(
        "/commands/{command_id}",
        "Read what became of a command",
        "Command",
        (
            Parameter("command_id", {"type": "string"}, "From the answer to the write", "path"),
            Parameter("token", TOKEN, "Consistency-Token of the write: looks faster"),
        ),
        headers=("Retry-After",),
        problems=(400, 404),
        links=of_item("$response.body#/item_id"),
    ),
    Route(
        "/imports",
        "List imports, the newest first",
        "ImportPage",
        (LIMIT, CURSOR),
        headers=("Link",),
        links=of_import("$response.body#/imports/0/import_id"),
    ),
    Route(
        "/imports/{import_id}",
        "Read what becomes of an import",
        "Import",
        (_IMPORT_ID,),
        problems=(400, 404),
        links=of_import("$response.body#/import_id"),
    ),
    Route(
        "/imports/{import_id}/rows",
        "Read what became of the rows of an import, all of them or with limit page by page",
        "ImportRow",
        (
            _IMPORT_ID,
            Parameter("status", {"enum": list(ROW_STATUSES)}, "Only"),
            LIMIT,
            CURSOR,
            Parameter(
                "Accept",
                {"type": "string", "examples": ["text/csv", "application/json"]},
                "Lines of JSON if not said; application/json is always page by page",
                "header",
            ),
        ),
        headers=("Link",),
        problems=(400, 404),
        media_type="application/x-ndjson",
        also={"text/csv": None, "application/json": "ImportRowPage"},
    ),
)

SCHEMAS: Mapping[str, Any] = {
    "Command": shape(
        {
            "command_id": STRING,
            "item_id": STRING,
            "status": {
                "type": "string",
                "description": "accepted (not yet applied), applied, unchanged, rejected, dead (it "
                "met a defect), parked (behind a dead one) or lost (the log came back without it)",
            },
            "outcome": shape(
                {
                    "status": INTEGER,
                    "headers": {"type": "object", "additionalProperties": STRING},
                    "body": {"description": "The item, a problem, or null"},
                },
                {"status": 200, "headers": {"ETag": '"2"'}, "body": _ITEM},
            ),
            "completed_at": TIME,
            "request_id": {**STRING, "description": "The X-Request-ID of the write, if it had one"},
            "trace_id": {**STRING, "description": "The trace of the write, if it was part of one"},
            "since": TIME,
            "token": STRING,
            "links": {"type": "object", "additionalProperties": STRING},
        },
        {
            "command_id": COMMAND_ID,
            "status": "accepted",
            "token": "0.1763798400000.17",
            "links": {"command": f"http://127.0.0.1:8001/commands/{COMMAND_ID}"},
        },
        "item_id",
        "outcome",
        "completed_at",
        "request_id",
        "trace_id",
        "since",
        "token",
    ),
    "Import": shape(
        {
            "import_id": STRING,
            "file_name": {**NULLABLE, "description": "What its sender called the file"},
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
            "actor": STRING,
            "reverts": {**NULLABLE, "description": "The import that this one takes back"},
            "reverted_by": {
                **NULLABLE,
                "description": "The import that took this one back, or is doing so, and was not "
                "taken back itself; with `links.revert`, more rows came in since",
            },
            "detail": NULLABLE,
            "begun_at": {"type": ["string", "null"], "format": "date-time"},
            "changed_at": {"type": ["string", "null"], "format": "date-time"},
            "links": OBJECT,
        },
        _IMPORT,
    ),
    "ImportPage": shape(
        {"imports": list_of({"$ref": "#/components/schemas/Import"}), "next": NULLABLE},
        {"imports": [_IMPORT], "next": None},
    ),
    "ImportRow": shape(
        {
            "row": {"type": "integer", "description": "The line on which it begins, from 1"},
            "status": STRING,
            "item_id": NULLABLE,
            "version": INTEGER,
            "problem": {
                "type": "object",
                "properties": {"status": INTEGER, "code": STRING, "detail": NULLABLE},
            },
        },
        _IMPORT_ROW,
        "version",
        "problem",
    ),
    "ImportRowPage": shape(
        {"rows": list_of({"$ref": "#/components/schemas/ImportRow"}), "next": NULLABLE},
        {"rows": [_IMPORT_ROW], "next": None},
    ),
}
