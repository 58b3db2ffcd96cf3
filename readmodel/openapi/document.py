"""The whole description, put together from the tables."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import orjson

from readmodel.openapi import commands, feed, items, service, time_travel, views
from readmodel.openapi.shapes import ITEM_ID
from readmodel.openapi.table import ITEM, OWN_WRITES, Link, Parameter, Route, next_page
from readmodel.scopes import NEEDED
from runtime.problems import PROBLEM_JSON

TITLE = "itemledger query API"

_TABLES = (items, time_travel, views, feed, commands, service)
_ROUTES = tuple(route for table in _TABLES for route in table.ROUTES)
_SCHEMAS: Mapping[str, Any] = {
    name: schema for table in _TABLES for name, schema in table.SCHEMAS.items()
}

_HEADERS: Mapping[str, str] = {
    "ETag": "Of an item its version, quoted, and of a diff both; of lists, of pages of the feed, "
    "and of what a view answers by itself, a weak one",
    "Export-Items": "How many items the export has: with fewer it broke off",
    "Link": 'Of a list the next page, rel="next", absent on the last one; the feed always has it. '
    "Of a state asked for by version or moment those around it, and the list of all (RFC 7089). "
    'Of an export, the feed that goes on after it, rel="changes"',
    "Preference-Applied": "The preference that was honoured, such as wait=20",
    "Memento-Datetime": "When the state took effect that was asked for by version or moment",
    "Content-Location": "The URL of that state itself, where it was asked for by a moment",
    "Retry-After": "Seconds to wait before asking again, while the command is accepted",
    "Projection-Lag": "Where the token's command is not in the answer yet: seconds that what was "
    "read is behind, or `unknown`",
}
_PROBLEMS: Mapping[int, str] = {
    400: "A parameter is not right",
    401: "It is not known who asks: no token, or one that is not valid",
    403: "The token lacks the scope, which `detail` names",
    404: "Not known here",
    406: "To be had in none of the forms that Accept names",
    409: "The command of the token was lost with the log's Redis: send it again; or a cursor is "
    "ahead, since the database was set back",
    410: "Deleted, or deleted then; `links.history` leads to its history",
    429: "Too many requests of this caller; Retry-After says when to try again",
    500: "The service failed",
    503: "Something the answer needs is not to be had; Retry-After says when to ask again",
}
_LOST = 409
_ALWAYS = (500, 503)
_FRESHNESS = ("Projection-Lag", "Preference-Applied")
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
                    "get": _with_links(_operation(route), route),
                    "head": {**_operation(route), "operationId": f"head {route.path}"},
                }
                for route in _ROUTES
            },
            "components": {"schemas": _SCHEMAS, "securitySchemes": {"bearer": _BEARER}},
        }
    )


def _operation(route: Route) -> dict[str, Any]:
    schema = {"type": "string"} if route.schema is None else _reference(route.schema)
    scopes = NEEDED[route.path.replace("{", "<").replace("}", ">")]
    # Who needs just this reads items and events, and may want to see a write of their own.
    of_views = scopes == ("items:read",)
    responses: dict[str, Any] = {
        "200": {
            "description": route.summary,
            "headers": {
                name: {"description": _HEADERS[name], "schema": {"type": "string"}}
                for name in (*route.headers, *(_FRESHNESS if of_views else ()))
            },
            "content": {route.media_type: {"schema": schema}, **{each: {} for each in route.also}},
        }
    }
    if route.not_modified:
        responses["304"] = {"description": "The client has this version"}
    problems = {*route.problems, *((400, _LOST) if of_views else ())}
    for status in (*sorted(problems), *(_GUARDED if scopes else ()), *_ALWAYS):
        responses[str(status)] = {
            "description": _PROBLEMS[status],
            "content": {PROBLEM_JSON: {"schema": _reference("Problem")}},
        }
    return {
        "operationId": f"get {route.path}",
        "summary": route.summary,
        "description": f"Scope: {' or '.join(scopes)}." if scopes else "Open to all.",
        "security": [{"bearer": [scope]} for scope in scopes],
        "parameters": [
            _parameter(each)
            for each in (*route.parameters, *(_own_writes(route) if of_views else ()))
        ],
        "responses": responses,
    }


def _with_links(operation: dict[str, Any], route: Route) -> dict[str, Any]:
    """Add links, which lead on from a body: HEAD has none."""
    links = {**next_page(route), **route.links}
    if links:
        operation["responses"]["200"]["links"] = {name: _link(each) for name, each in links.items()}
    return operation


def _own_writes(route: Route) -> list[Parameter]:
    """Tell what reads take besides; a route may say more of one of them itself."""
    said = {each.name for each in route.parameters}
    return [each for each in OWN_WRITES if each.name not in said]


def _parameter(parameter: Parameter) -> dict[str, Any]:
    written: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.place == "path",
        "description": parameter.says,
        "schema": parameter.schema,
    }
    if parameter is ITEM:
        written["example"] = ITEM_ID
    return written


def _link(link: Link) -> dict[str, Any]:
    return {
        "operationId": f"get {link.path}",
        "parameters": link.parameters,
        "description": link.says,
    }


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
