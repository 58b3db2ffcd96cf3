"""The OpenAPI document: bodies, answers and problems of every route, with examples."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.openapi_security import add_security
from api.schemas import (
    BATCH_LIMIT,
    BatchBody,
    CreateBody,
    CreateRow,
    DeleteRow,
    PatchBody,
    PatchRow,
    PutRow,
    ReasonBody,
    ReplaceBody,
    RevertBody,
    ScheduleBody,
)

_MODELS = (
    CreateBody,
    ReplaceBody,
    PatchBody,
    ReasonBody,
    RevertBody,
    ScheduleBody,
    BatchBody,
    CreateRow,
    PutRow,
    PatchRow,
    DeleteRow,
)
_REF = "#/components/schemas/{model}"

ITEM_EXAMPLE: Mapping[str, Any] = {
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
_BODY_EXAMPLES: Mapping[str, Any] = {
    "CreateBody": {"name": "Elegant Lamp", "price": 12900, "currency": "EUR"},
    "ReplaceBody": {"name": "Elegant Lamp", "description": "Brushed brass.", "price": 12900},
    "PatchBody": {"price": 9900, "reason": "winter sale"},
    "RevertBody": {"to_version": 3, "reason": "wrong price list"},
    "ScheduleBody": {
        "price": 9900,
        "effective_from": "2099-11-27T00:00:00Z",
        "effective_until": "2099-12-01T00:00:00Z",
        "reason": "black week",
    },
    "BatchBody": {
        "commands": [
            {"op": "put", "id": "lamp-1", "name": "Elegant Lamp", "price": 12900},
            {"op": "patch", "id": "lamp-1", "price": 9900, "effective_at": "2026-11-01T00:00:00Z"},
        ]
    },
}
_ACCEPTED_EXAMPLE: Mapping[str, Any] = {
    "command_id": "019aa9b2-6d2e-7c3b-9d0e-6a1b2c3d4e5f",
    "item_id": "lamp-1",
    "status": "accepted",
    "token": "0.1795336455666.1",
    "links": {
        "command": "http://127.0.0.1:8001/commands/019aa9b2-6d2e-7c3b-9d0e-6a1b2c3d4e5f?token=…",
        "item": "http://127.0.0.1:8001/items/lamp-1",
    },
}

_SUMMARIES: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "create": ("Create an item", (201, 202, 400, 409, 413, 415, 422, 503, 504)),
    "replace": (
        "Create, replace or bring back an item",
        (200, 201, 202, 400, 409, 412, 413, 415, 422, 428, 503, 504),
    ),
    "patch": (
        "Change some members of an item (RFC 7396)",
        (200, 202, 400, 404, 409, 410, 412, 413, 415, 422, 428, 503, 504),
    ),
    "delete": ("Delete an item", (202, 204, 400, 404, 409, 410, 412, 422, 428, 503, 504)),
    "restore": (
        "Bring a deleted item back",
        (200, 202, 400, 404, 409, 412, 413, 415, 422, 428, 503, 504),
    ),
    "revert": (
        "Bring back the values of an earlier version",
        (200, 202, 400, 404, 409, 410, 412, 413, 415, 422, 428, 503, 504),
    ),
    "schedule": (
        "Schedule a price, or a sale",
        (201, 202, 400, 404, 409, 410, 412, 413, 415, 422, 503, 504),
    ),
    "unschedule": (
        "Cancel a scheduled price",
        (202, 204, 400, 404, 409, 410, 412, 422, 503, 504),
    ),
    "batch": (
        "Up to 1,000 commands at once, each for itself or all or none",
        (200, 202, 400, 413, 415, 422, 503, 504),
    ),
}
_MEANINGS: Mapping[int, str] = {
    200: "Applied, or nothing to change (with `Prefer: wait`)",
    201: "Created or brought back (with `Prefer: wait`)",
    202: "Accepted: on disk in the log, applied in a moment",
    204: "Deleted or cancelled (with `Prefer: wait`)",
    400: "The body is not JSON, or a header or parameter can not be read",
    404: "No such item",
    409: "The item stands against it",
    410: "The item is deleted",
    412: "The item is not at the version that was expected",
    413: "The body is too large",
    415: "The body is of another media type",
    422: "The body, or the id, is not what is asked for; every wrong spot is named",
    428: "This deployment wants a condition, and there is none",
    503: "Certainly not accepted; Retry-After says when to try again",
    504: "Not known whether it was accepted; the same Idempotency-Key may be sent again",
}
_HEADERS: Mapping[str, str] = {
    "Prefer": "`wait=N` (seconds, at most 30) for the final answer, `return=minimal` for no body.",
    "Idempotency-Key": "The same key and payload is the same command, however often it is sent.",
    "Command-Deadline": "A moment (RFC 3339) after which the command is not wanted any more.",
    "If-Match": 'Only at one of these versions, such as `"7"`, or `*` for any.',
    "If-None-Match": "`*`: create, do not replace.",
}


def described(name: str) -> dict[str, Any]:
    """Give a route its summary and every answer it has, for its decorator."""
    summary, statuses = _SUMMARIES[name]
    return {
        "operation_id": name,
        "summary": summary,
        "tags": ["items"],
        "status_code": 202,
        "responses": {status: _response(name, status) for status in statuses},
    }


def body_of(model: type[BaseModel], *media_types: str) -> dict[str, Any]:
    """Describe a request body, for a route's decorator."""
    content: dict[str, Any] = {"schema": {"$ref": _REF.format(model=model.__name__)}}
    if model.__name__ in _BODY_EXAMPLES:
        content["example"] = _BODY_EXAMPLES[model.__name__]
    kinds = media_types or ("application/json",)
    return {"requestBody": {"required": True, "content": dict.fromkeys(kinds, content)}}


def install(app: FastAPI) -> None:
    """Serve the document with the schemas of the bodies, and the headers, filled in."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
    )
    _, definitions = models_json_schema(
        [(model, "validation") for model in _MODELS], ref_template=_REF
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(definitions["$defs"])
    schemas["BatchBody"]["properties"]["commands"]["items"] = {
        "oneOf": [
            {"$ref": _REF.format(model=each)}
            for each in ("CreateRow", "PutRow", "PatchRow", "DeleteRow")
        ],
        "discriminator": {"propertyName": "op"},
    }
    schemas["BatchBody"]["properties"]["commands"]["maxItems"] = BATCH_LIMIT
    schemas["Problem"] = _PROBLEM
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if operation.get("tags") == ["items"]:
                _add_headers(path, method, operation)
    add_security(document)
    return document


def _add_headers(path: str, method: str, operation: dict[str, Any]) -> None:
    names = ["Prefer", "Idempotency-Key", "Command-Deadline"]
    if "{item_id}" in path:
        names.append("If-Match")
    if method == "put":
        names.append("If-None-Match")
    parameters = operation.setdefault("parameters", [])
    parameters += [
        {
            "name": name,
            "in": "header",
            "required": False,
            "description": _HEADERS[name],
            "schema": {"type": "string"},
        }
        for name in names
    ]
    if operation["operationId"] in {"delete", "restore", "unschedule"}:
        parameters.append(
            {
                "name": "reason",
                "in": "query",
                "required": False,
                "description": "Why; kept in the events.",
                "schema": {"type": "string", "maxLength": 500},
            }
        )


def _response(name: str, status: int) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": _MEANINGS[status]}
    if status >= 400:  # noqa: PLR2004  the line between answers and problems in HTTP
        reference = {"$ref": _REF.format(model="Problem")}
        answer["content"] = {"application/problem+json": {"schema": reference}}
        return answer
    example: Mapping[str, Any] = _ACCEPTED_EXAMPLE if status == 202 else ITEM_EXAMPLE  # noqa: PLR2004
    if name == "batch":
        example = {"results": [{"row": 0, "status": "accepted", "command_id": "…", "item_id": "…"}]}
    if status != 204:  # noqa: PLR2004
        answer["content"] = {"application/json": {"schema": {"type": "object"}, "example": example}}
    return answer


_PROBLEM: Mapping[str, Any] = {
    "type": "object",
    "description": "An error (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "pointer": {"type": "string"},
                    "header": {"type": "string"},
                    "parameter": {"type": "string"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
        "current_version": {"type": "integer"},
        "command_id": {"type": "string"},
    },
}
