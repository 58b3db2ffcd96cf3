"""The description of this service for programs: OpenAPI 3.1, written from one table of routes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import orjson

from domain import rules
from readmodel import params
from readmodel.openapi_schemas import ITEM_ID, SCHEMAS
from readmodel.scopes import NEEDED
from runtime.problems import PROBLEM_JSON

TITLE = "itemledger query API"

_MONEY: Mapping[str, Any] = {"type": "integer", "minimum": 0, "maximum": rules.PRICE_LIMIT}
_SORT_NAMES = ("id", "name", "price", "updated_at")


@dataclass(frozen=True, slots=True)
class _Parameter:
    name: str
    schema: Mapping[str, Any]
    says: str
    place: str = "query"


@dataclass(frozen=True, slots=True)
class _Route:
    path: str
    summary: str
    schema: str | None
    parameters: Sequence[_Parameter] = ()
    headers: Sequence[str] = ()
    not_modified: bool = False
    problems: Sequence[int] = (400,)
    media_type: str = "application/json"
    # Other forms of the same, for whoever asks for them by Accept.
    also: Sequence[str] = ()


_ITEM = _Parameter(
    "item_id", {"type": "string", "pattern": f"^{rules.ID_PATTERN}$"}, "Item", "path"
)
_CURSOR = _Parameter(
    "cursor", {"type": "string"}, "`next` of the page before; same filters and sort"
)
_IMPORT = _Parameter("import_id", {"type": "string"}, "From the answer to the upload", "path")
_LIMIT = _Parameter(
    "limit",
    {"type": "integer", "minimum": 1, "maximum": params.PAGE_LIMIT, "default": params.DEFAULT_PAGE},
    "Longest page",
)

_PAGE_OR_JSON = _Parameter(
    "Accept",
    {"type": "string", "examples": ["application/json"]},
    "`application/json` for programs, else a page for people",
    "header",
)

_ROUTES = (
    _Route(
        "/items",
        "List items, page by page",
        "ItemPage",
        (
            _LIMIT,
            _CURSOR,
            _Parameter(
                "sort",
                {
                    "enum": [sign + name for sign in ("", "-") for name in _SORT_NAMES],
                    "default": "id",
                },
                "Order; with - descending. Names are compared case-folded by code point, and "
                "equal values follow the id in the same direction",
            ),
            _Parameter("price_min", _MONEY, "Lowest price, in minor units"),
            _Parameter("price_max", _MONEY, "Highest price, in minor units"),
            _Parameter("currency", {"type": "string", "examples": ["EUR"]}, "ISO 4217 code"),
            _Parameter(
                "updated_since", {"type": "string", "format": "date-time"}, "Changed then or later"
            ),
            _Parameter(
                "ids",
                {"type": "string", "examples": ["85123A,71053"]},
                f"Only these items, separated by commas, at most {params.IDS_LIMIT}",
            ),
            _Parameter(
                "include_deleted", {"type": "boolean", "default": False}, "Deleted ones too"
            ),
        ),
        headers=("Link",),
    ),
    _Route(
        "/items/{item_id}",
        "Read an item",
        "Item",
        (
            _ITEM,
            _Parameter("If-None-Match", {"type": "string"}, "ETags the client has", "header"),
        ),
        headers=("ETag",),
        not_modified=True,
        problems=(400, 404, 410),
    ),
    _Route(
        "/items/{item_id}/history",
        "List what happened to an item, newest first; deleted items have their history too",
        "History",
        (_ITEM, _LIMIT, _CURSOR),
        headers=("Link",),
        problems=(400, 404),
    ),
    _Route(
        "/items/{item_id}/scheduled-prices",
        "List the scheduled prices of an item, newest first",
        "ScheduledPrices",
        (_ITEM, _LIMIT, _CURSOR),
        headers=("Link",),
        problems=(400, 404),
    ),
    _Route(
        "/items/{item_id}/scheduled-prices/{schedule_id}",
        "Read one scheduled price",
        "ScheduledPrice",
        (_ITEM, _Parameter("schedule_id", {"type": "string"}, "From the list", "path")),
        problems=(400, 404),
    ),
    _Route(
        "/commands/{command_id}",
        "Read what became of a command",
        "Command",
        (
            _Parameter("command_id", {"type": "string"}, "From the answer to the write", "path"),
            _Parameter(
                "token",
                {"type": "string", "pattern": r"^[0-9]{1,4}\.[0-9]{1,15}\.[0-9]{1,15}$"},
                "Consistency-Token of the write: looks faster",
            ),
        ),
        headers=("Retry-After",),
        problems=(400, 404),
    ),
    _Route(
        "/imports",
        "List imports, the newest first",
        "ImportPage",
        (_LIMIT, _CURSOR),
        headers=("Link",),
    ),
    _Route(
        "/imports/{import_id}",
        "Read what becomes of an import",
        "Import",
        (_IMPORT,),
        problems=(404,),
    ),
    _Route(
        "/imports/{import_id}/rows",
        "Read what became of the rows of an import, all of them or with limit page by page",
        "ImportRow",
        (
            _IMPORT,
            _Parameter("status", {"enum": ["applied", "unchanged", "rejected", "skipped"]}, "Only"),
            _LIMIT,
            _CURSOR,
            _Parameter(
                "Accept",
                {"type": "string", "examples": ["text/csv", "application/json"]},
                "Lines of JSON if not said; application/json is always page by page",
                "header",
            ),
        ),
        headers=("Link",),
        problems=(400, 404),
        media_type="application/x-ndjson",
        also=("text/csv", "application/json"),
    ),
    _Route("/status", "Read how far the ledger has taken the log", "Status"),
    _Route("/health/live", "Is the process alive", "Health"),
    _Route("/health/ready", "Can the service answer reads of items", "Health"),
    _Route(
        "/problems",
        "List the problem codes",
        None,
        (_PAGE_OR_JSON,),
        problems=(),
        media_type="text/html",
        also=("application/json",),
    ),
    _Route(
        "/problems/{code}",
        "Explain a problem code",
        None,
        (
            _Parameter("code", {"type": "string"}, "The member `code` of a problem", "path"),
            _PAGE_OR_JSON,
        ),
        problems=(404,),
        media_type="text/html",
        also=("application/json",),
    ),
    _Route("/openapi.json", "Read this description", "OpenAPI"),
    _Route("/docs", "Try this service on a page", None, problems=(), media_type="text/html"),
    _Route(
        "/docs/{asset}",
        "Read a file of that page",
        None,
        (_Parameter("asset", {"type": "string"}, "A file that the page names", "path"),),
        problems=(404,),
        media_type="*/*",
    ),
)

_HEADERS: Mapping[str, str] = {
    "ETag": "The version, quoted",
    "Link": 'The next page, rel="next"; absent on the last one',
    "Retry-After": "Seconds to wait before asking again, while the command is accepted",
}
_PROBLEMS: Mapping[int, str] = {
    400: "A parameter is not right",
    401: "It is not known who asks: no token, or one that is not valid",
    403: "The token lacks the scope, which `detail` names",
    404: "Not known here",
    410: "Deleted; `links.history` leads to its history",
    429: "Too many requests of this caller; Retry-After says when to try again",
    500: "The service failed",
    503: "Something the answer needs is not to be had; Retry-After says when to ask again",
}
_ALWAYS = (500, 503)
_GUARDED = (401, 403, 429)
_BEARER: Mapping[str, Any] = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "A token of `itemledger token create`, or of the identity provider. On this "
    "machine alone the service may run without.",
}


def openapi(public_url: str) -> bytes:
    """Write the description as JSON; `public_url` is where clients reach this service."""
    return orjson.dumps(
        {
            "openapi": "3.1.0",
            "info": {
                "title": TITLE,
                "version": version("itemledger"),
                "description": "Items, their history and what became of commands. Reads only; "
                "HEAD works wherever GET does. Errors are problem documents of RFC 9457.",
            },
            "servers": [{"url": public_url}],
            "paths": {
                route.path: {
                    "get": _operation(route),
                    "head": {**_operation(route), "operationId": f"head {route.path}"},
                }
                for route in _ROUTES
            },
            "components": {"schemas": SCHEMAS, "securitySchemes": {"bearer": _BEARER}},
        }
    )


def _operation(route: _Route) -> dict[str, Any]:
    schema = {"type": "string"} if route.schema is None else _reference(route.schema)
    responses: dict[str, Any] = {
        "200": {
            "description": route.summary,
            "headers": {
                name: {"description": _HEADERS[name], "schema": {"type": "string"}}
                for name in route.headers
            },
            "content": {route.media_type: {"schema": schema}, **{each: {} for each in route.also}},
        }
    }
    if route.not_modified:
        responses["304"] = {"description": "The client has this version"}
    scopes = NEEDED[route.path.replace("{", "<").replace("}", ">")]
    for status in (*route.problems, *(_GUARDED if scopes else ()), *_ALWAYS):
        responses[str(status)] = {
            "description": _PROBLEMS[status],
            "content": {PROBLEM_JSON: {"schema": _reference("Problem")}},
        }
    return {
        "operationId": f"get {route.path}",
        "summary": route.summary,
        "description": f"Scope: {' or '.join(scopes)}." if scopes else "Open to all.",
        "security": [{"bearer": [scope]} for scope in scopes],
        "parameters": [_parameter(each) for each in route.parameters],
        "responses": responses,
    }


def _parameter(parameter: _Parameter) -> dict[str, Any]:
    written: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.place == "path",
        "description": parameter.says,
        "schema": parameter.schema,
    }
    if parameter is _ITEM:
        written["example"] = ITEM_ID
    return written


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
