"""The document, put together from the table."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, cast

import orjson
from pydantic.json_schema import models_json_schema

from api import schemas
from api.openapi.headers import headers_of
from api.openapi.of_dead import OF_DEAD
from api.openapi.of_imports import OF_IMPORTS
from api.openapi.of_items import OF_ITEMS
from api.openapi.of_pages import OF_PAGES
from api.openapi.parameters import PARAMETERS
from api.openapi.problems import common_problems, problems_of
from api.openapi.shapes import SHAPES
from api.openapi.table import Answer, Body, Link, Operation
from api.scopes import NEEDED
from domain.currencies import ISO_4217

TITLE = "itemledger command API"

OPERATIONS: Sequence[Operation] = (*OF_ITEMS, *OF_IMPORTS, *OF_DEAD, *OF_PAGES)

_REF = "#/components/schemas/{model}"
_MODELS = (
    schemas.CreateBody,
    schemas.ReplaceBody,
    schemas.PatchBody,
    schemas.ReasonBody,
    schemas.RevertBody,
    schemas.ScheduleBody,
    schemas.BatchBody,
    schemas.CreateRow,
    schemas.PutRow,
    schemas.PatchRow,
    schemas.DeleteRow,
)
_SAYS = (
    "Commands in. 202 means: on disk in the log, and applied exactly once; with `Prefer: wait=N` "
    "the answer is the final one, as a synchronous API would have given it. Items, histories and "
    "what became of commands are read from the query API.\n\n"
    "Every error is an `application/problem+json` document (RFC 9457); its `type` leads to a page "
    "that explains it, and `/problems` lists them all. A path that is not here is 404 `not-found`; "
    "a method that a path does not have is 405 `method-not-allowed` with `Allow`. A path may end "
    "with a slash or not. Every answer has `Vary: Origin`, and nothing but pages may be kept."
)
_TAGS: Mapping[str, str] = {
    "items": "Change items: one at a time, by schedule, or many at once.",
    "imports": "Files of any number of rows.",
    "dead": "What to do about commands that met a defect.",
    "health": "Is the process alive, and does it accept.",
    "problems": "What the problem codes mean.",
    "description": "What this service tells of itself.",
}
_BEARER: Mapping[str, Any] = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "A token of `itemledger token create`, or of the identity provider. On "
    "this machine alone the service may run without.",
}


def document(public_url: str) -> bytes:
    """Write the document as JSON; `public_url` is where clients reach this service."""
    paths: dict[str, dict[str, Any]] = {}
    for each in OPERATIONS:
        paths.setdefault(each.path, {})[each.method] = _operation(each)
    return orjson.dumps(
        {
            "openapi": "3.1.0",
            "info": {
                "title": TITLE,
                "version": version("itemledger"),
                "description": _SAYS,
                "license": {"name": "MIT", "identifier": "MIT"},
            },
            "servers": [{"url": public_url}],
            "tags": [{"name": name, "description": says} for name, says in _TAGS.items()],
            "paths": paths,
            "components": {
                "schemas": _schemas(),
                "parameters": PARAMETERS,
                "responses": common_problems(),
                "securitySchemes": {"bearer": _BEARER},
            },
        }
    )


def _operation(operation: Operation) -> dict[str, Any]:
    scopes = NEEDED[operation.method.upper(), operation.path]
    told = f"Scope: {' or '.join(scopes)}." if scopes else "Open to all."
    answers = {str(status): _answer(each) for status, each in operation.answers.items()}
    described: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": f"{operation.says}\n\n{told}".strip(),
        "security": [{"bearer": [scope]} for scope in scopes],
        "parameters": [
            {"$ref": f"#/components/parameters/{name}"} for name in operation.parameters
        ],
        "responses": {**answers, **dict(problems_of(operation, guarded=bool(scopes)))},
    }
    if operation.body is not None:
        described["requestBody"] = _body(operation.body)
    return described


def _body(body: Body) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for media_type, model in body.media_types.items():
        schema: dict[str, Any] = (
            {"type": "string"} if model is None else {"$ref": _REF.format(model=model)}
        )
        example = body.example if model is not None else body.example[media_type]
        content[media_type] = {"schema": schema, "example": example}
    described = {"required": body.required, "content": content}
    return {"description": body.says, **described} if body.says else described


def _answer(answer: Answer) -> dict[str, Any]:
    described: dict[str, Any] = {"description": answer.says}
    if answer.headers or answer.may_have:
        described["headers"] = headers_of(answer.headers, answer.may_have)
    if answer.schema is not None or answer.media_type != "application/json":
        described["content"] = {
            media_type: _content(media_type, answer) for media_type in answer.media_type.split(", ")
        }
    if answer.links:
        described["links"] = {name: _link(each) for name, each in answer.links.items()}
    return described


def _content(media_type: str, answer: Answer) -> dict[str, Any]:
    if media_type != "application/json":
        return {}
    content: dict[str, Any] = {
        "schema": {"$ref": _REF.format(model=answer.schema)} if answer.schema else {}
    }
    return content if answer.example is None else {**content, "example": answer.example}


def _link(link: Link) -> dict[str, Any]:
    return {
        "operationId": link.operation,
        "parameters": dict(link.parameters),
        "description": link.says,
    }


def _schemas() -> dict[str, Any]:
    _, definitions = models_json_schema(
        [(model, "validation") for model in _MODELS], ref_template=_REF
    )
    found: dict[str, Any] = {**_plain(definitions["$defs"]), **SHAPES}
    found["Currency"] = {
        "type": "string",
        "enum": sorted(ISO_4217),
        "description": "A code of ISO 4217.",
        "examples": ["EUR"],
    }
    rows = found["BatchBody"]["properties"]["commands"]
    names = {"create": "CreateRow", "put": "PutRow", "patch": "PatchRow", "delete": "DeleteRow"}
    references = {op: _REF.format(model=model) for op, model in names.items()}
    rows["items"] = {
        "oneOf": [{"$ref": each} for each in references.values()],
        "discriminator": {"propertyName": "op", "mapping": references},
    }
    return found


def _plain(schema: Any) -> Any:
    """Leave out the titles, which say what names say, and write the list of currencies once."""
    match schema:
        case {"enum": _, "title": "Currency"}:
            return {"$ref": _REF.format(model="Currency")}
        case dict():
            members = cast("dict[str, Any]", schema)
            return {
                name: _plain(value)
                for name, value in members.items()
                if name != "title" or not isinstance(value, str)
            }
        case list():
            return [_plain(each) for each in cast("list[Any]", schema)]
        case _:
            return schema
