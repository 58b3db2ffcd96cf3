"""The whole description, put together from the tables."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import orjson

from readmodel.openapi import commands, feed, items, service, time_travel, views
from readmodel.openapi.headers import HEADERS, OF_PROBLEMS, headers_of
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

_PROBLEMS: Mapping[int, str] = {
    400: "A parameter is not right",
    401: "It is not known who asks: no token, or one that is not valid",
    403: "The token lacks the scope, which `detail` names; or, where there are no tokens, a page "
    "of another origin asks",
    404: "Not known here",
    406: "To be had in none of the forms that Accept names",
    409: "The command of the token was lost with the log's Redis: send it again; or a cursor is "
    "ahead, since the database was set back",
    410: "Deleted, or deleted then; `links.history` leads to its history",
    413: "The request has a body, and a large one",
    414: "The path and the query are longer than 8 KiB",
    421: "There are no tokens here, and the service is not known under the name that Host says",
    429: "Too many requests of this caller; Retry-After says when to try again",
    431: "The headers are larger than 32 KiB",
    500: "The service failed",
    503: "Something the answer needs is not to be had; Retry-After says when to ask again",
}
_LOST = 409
# Whatever is asked for: what no request may be, and what can go wrong with any.
_ALWAYS = (403, 413, 414, 421, 431, 500, 503)
_GUARDED = (401, 429)
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
            "components": {
                "schemas": _SCHEMAS,
                "headers": HEADERS,
                "responses": {
                    _name(status, of_views=of_views): _problem(status, of_views=of_views)
                    for status in _PROBLEMS
                    for of_views in (False, True)
                },
                "securitySchemes": {"bearer": _BEARER},
            },
        }
    )


def _operation(route: Route) -> dict[str, Any]:
    scopes = NEEDED[route.path.replace("{", "<").replace("}", ">")]
    # Who needs just this reads items and events, and may want to see a write of their own.
    of_views = scopes == ("items:read",)
    responses: dict[str, Any] = {
        "200": {
            "description": route.summary,
            "headers": headers_of(route.headers, of_views=of_views),
            "content": {
                media_type: {"schema": _schema(name)}
                for media_type, name in {route.media_type: route.schema, **route.also}.items()
            },
        }
    }
    if route.not_modified:
        responses["304"] = {
            "description": "The client has this version",
            "headers": headers_of(route.headers, of_views=of_views),
        }
    problems = {*route.problems, *((400, _LOST) if of_views else ()), *_ALWAYS}
    for status in sorted({*problems, *(_GUARDED if scopes else ())}):
        name = _name(status, of_views=of_views)
        responses[str(status)] = {"$ref": f"#/components/responses/{name}"}
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


def _name(status: int, *, of_views: bool) -> str:
    return f"{status}-of-views" if of_views else str(status)


def _problem(status: int, *, of_views: bool) -> dict[str, Any]:
    return {
        "description": _PROBLEMS[status],
        "headers": headers_of(OF_PROBLEMS.get(status, ()), of_views=of_views),
        "content": {PROBLEM_JSON: {"schema": _reference("Problem")}},
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


def _schema(name: str | None) -> dict[str, str]:
    """Refer to a schema; without one it is text."""
    return {"type": "string"} if name is None else _reference(name)


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
