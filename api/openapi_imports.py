"""The routes of imports in the OpenAPI document."""

from collections.abc import Mapping, Sequence
from typing import Any

_PROBLEM: Mapping[str, Any] = {
    "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
}
_ID = "0193c6a5-9c1e-7b6f-8a1d-2f3e4d5c6b7a"
_EXAMPLE: Mapping[str, Any] = {
    "import_id": _ID,
    "status": "running",
    "rows": 1000000,
    "links": {
        "import": f"http://127.0.0.1:8001/imports/{_ID}",
        "rows": f"http://127.0.0.1:8001/imports/{_ID}/rows",
    },
}
_MEANINGS: Mapping[int, str] = {
    200: "Every row is final (with `Prefer: wait`)",
    202: "Every row is on disk in the log; Location tells what becomes of them",
    400: "A parameter or header can not be read",
    404: "No such import was begun in the last 24 hours",
    409: "The import runs, or is over",
    415: "Neither NDJSON nor CSV, or of an unknown encoding or charset",
    422: "The columns are not right, the upload can not be read, or the key is another import's",
    503: "Not accepted, or given up in the middle; the same Idempotency-Key goes on",
    504: "Given up in the middle; the same Idempotency-Key goes on",
}
_SUMMARIES: Mapping[str, tuple[str, Sequence[int]]] = {
    "import": ("Import a file of any number of rows", (200, 202, 400, 409, 415, 422, 503, 504)),
    "pause": ("Let an import wait", (202, 400, 404, 409, 503)),
    "resume": ("Let an import go on that waits", (202, 400, 404, 409, 503)),
    "cancel": ("End an import; what it changed stays", (202, 400, 404, 409, 503)),
    "revert": (
        "Bring every item that an import changed back to its state before it",
        (202, 400, 404, 409, 422, 503),
    ),
}
_REASON = ("reason", "Why; kept in the events.", {"type": "string", "maxLength": 500})
_PARAMETERS: Sequence[tuple[str, str, Mapping[str, Any]]] = (
    (
        "map",
        "`member:column` with commas in between: which is which. A price can be multiplied.",
        {
            "type": "string",
            "examples": ["id:StockCode,name:Description,price:UnitPrice*100"],
        },
    ),
    ("dry_run", "Change nothing; tell what would.", {"type": "boolean", "default": False}),
    (
        "on_error",
        "After a rejected row: go on, or skip all others.",
        {"enum": ["skip", "stop"], "default": "skip"},
    ),
    _REASON,
)
_HEADERS = (
    (
        "Idempotency-Key",
        "The same key goes on with an import that was broken off.",
        {"type": "string"},
    ),
    ("Prefer", "`wait=N`: seconds, at most 30, until every row is final.", {"type": "string"}),
)
_BODY: Mapping[str, Any] = {
    "required": True,
    "description": "Rows as in a batch; `op` is put if not said. May be sent with "
    "`Content-Encoding: gzip`.",
    "content": {
        "application/x-ndjson": {
            "schema": {"type": "string"},
            "example": '{"id": "lamp-1", "name": "Elegant Lamp", "price": 12900}\n',
        },
        "text/csv": {
            "schema": {"type": "string"},
            "example": "id,name,price\nlamp-1,Elegant Lamp,12900\n",
        },
    },
}


def described(name: str) -> dict[str, Any]:
    """Give a route its summary and every answer it has, for its decorator."""
    summary, statuses = _SUMMARIES[name]
    in_query = _PARAMETERS if name == "import" else (_REASON,)
    in_headers = {"import": _HEADERS, "revert": _HEADERS[:1]}.get(name, ())
    extra: dict[str, Any] = {
        "parameters": [
            {"name": each, "in": place, "required": False, "description": says, "schema": schema}
            for place, several in (("query", in_query), ("header", in_headers))
            for each, says, schema in several
        ]
    }
    if name == "import":
        extra["requestBody"] = _BODY
    return {
        "operation_id": name if name == "import" else f"{name}_import",
        "summary": summary,
        "tags": ["imports"],
        "status_code": 202,
        "responses": {status: _response(status) for status in statuses},
        "openapi_extra": extra,
    }


def _response(status: int) -> dict[str, Any]:
    content = (
        {"application/json": {"schema": {"type": "object"}, "example": _EXAMPLE}}
        if status < 400  # noqa: PLR2004  the line between answers and problems in HTTP
        else _PROBLEM
    )
    return {"description": _MEANINGS[status], "content": content}
