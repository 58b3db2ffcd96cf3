"""The service itself."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from ledger.projections import State
from readmodel.openapi.shapes import AT, INTEGER, ITEM_ID, OBJECT, STRING, TIME, list_of, shape
from readmodel.openapi.table import PAGE_OR_JSON, Parameter, Route

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
_WORKER = {"name": "worker-4711", "state": "working", "why": None, "since": AT, "seen": AT}
_BUILD = {
    "view": "items",
    "state": "building",
    "position": 412_000,
    "events": 1_000_000,
    "percent": 41.2,
    "rate": 38_000,
    "seconds_left": 15.5,
    "detail": None,
}
_PROJECTION = {
    "projection": "items",
    "partition": 0,
    "offset": 21,
    "lag": 0,
    "lag_seconds": 0.0,
    "state": "in step",
    "error": None,
}
_GAP = {
    "partition": 0,
    "epoch": 1763712000000,
    "first": 8,
    "last": 11,
    "kind": "lost",
    "noticed_at": AT,
}

_PROBLEM_CODE: Mapping[str, Any] = shape(
    {
        "code": STRING,
        "status": INTEGER,
        "title": STRING,
        "meaning": STRING,
        "mend": {"type": "string", "description": "What to do about it"},
        "type": {"type": "string", "format": "uri", "description": "Where this is told"},
    },
    {
        "code": "item-not-found",
        "status": 404,
        "title": "No such item",
        "meaning": "There never was an item of this id.",
        "mend": "Create it first, or look at the id again: ids tell upper from lower case.",
        "type": "http://127.0.0.1:8001/problems/item-not-found",
    },
)

_FOR = Parameter(
    "for",
    {"type": "string", "enum": ["reads"]},
    "`reads`: can this process answer reads of items, whatever becomes of what waits",
)

ROUTES: Sequence[Route] = (
    Route("/status", "Read how far the ledger has taken the log", "Status"),
    Route("/metrics", "Read figures as Prometheus does", None, media_type="text/plain"),
    Route("/health/live", "Is the process alive", "Health"),
    Route("/health/ready", "Is all in order", "Health", (_FOR,)),
    Route(
        "/problems",
        "List the problem codes",
        None,
        (PAGE_OR_JSON,),
        problems=(),
        media_type="text/html",
        also={"application/json": "ProblemCodes"},
    ),
    Route(
        "/problems/{code}",
        "Explain a problem code",
        None,
        (
            Parameter("code", {"type": "string"}, "The member `code` of a problem", "path"),
            PAGE_OR_JSON,
        ),
        problems=(404,),
        media_type="text/html",
        also={"application/json": "ProblemCode"},
    ),
    Route("/openapi.json", "Read this description", "OpenAPI"),
    Route("/docs", "Try this service on a page", None, problems=(), media_type="text/html"),
    Route(
        "/docs/{asset}",
        "Read a file of that page",
        None,
        (Parameter("asset", {"type": "string"}, "A file that the page names", "path"),),
        problems=(404,),
        media_type="*/*",
    ),
)

SCHEMAS: Mapping[str, Any] = {
    "Status": shape(
        {
            "partitions": {
                **list_of(OBJECT),
                "description": "head and checkpoint are of the epoch; lag counts what waits in "
                "older ones too",
            },
            "pump": {
                "type": "string",
                "description": "ok, or that commands wait and nothing has moved for 10 s or more",
            },
            "workers": list_of(OBJECT),
            "durability": {
                "type": ["object", "null"],
                "description": "How safely the log is kept; null where its Redis does not tell. "
                "While lack says something or short_of_memory is true, no command is accepted",
            },
            "projections": list_of(
                shape(
                    {
                        "projection": STRING,
                        "partition": INTEGER,
                        "offset": INTEGER,
                        "lag": {"type": "integer", "description": "Events that it has not taken"},
                        "lag_seconds": {
                            "type": "number",
                            "description": "How old the oldest of them is",
                        },
                        "state": {
                            "enum": ["in step", "behind", "detached"],
                            "description": "detached: left behind since an error of its own",
                        },
                        "error": {
                            "type": ["string", "null"],
                            "description": "What that error was, in a line",
                        },
                    },
                    _PROJECTION,
                )
            ),
            "builds": list_of(
                shape(
                    {
                        "view": STRING,
                        "state": {
                            "enum": [each for each in get_args(State) if each != "idle"],
                            "description": "What becomes of the tables beside the live ones",
                        },
                        "position": {"type": "integer", "description": "Events taken"},
                        "events": {"type": "integer", "description": "Of how many"},
                        "percent": {"type": "number"},
                        "rate": {"type": ["number", "null"], "description": "Events a second"},
                        "seconds_left": {"type": ["number", "null"]},
                        "detail": {"type": ["string", "null"]},
                    },
                    _BUILD,
                )
            ),
            "dead": {"type": "integer", "description": "Commands that hit a defect"},
            "parked": {"type": "integer", "description": "Commands that wait behind a dead one"},
            "gaps": list_of(
                shape(
                    {
                        "partition": INTEGER,
                        "epoch": INTEGER,
                        "first": INTEGER,
                        "last": INTEGER,
                        "kind": {
                            "enum": ["lost", "kept"],
                            "description": "kept: only the log lost it, the ledger has it",
                        },
                        "noticed_at": TIME,
                    },
                    _GAP,
                )
            ),
            "totals": shape(
                {
                    "events": INTEGER,
                    "outcomes": {
                        "type": "integer",
                        "description": "Commands, and rows of imports, that have become final",
                    },
                },
                {"events": 21, "outcomes": 17},
            ),
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
            "pump": "ok",
            "workers": [_WORKER],
            "durability": _DURABILITY,
            "projections": [_PROJECTION],
            "builds": [_BUILD],
            "dead": 0,
            "parked": 0,
            "gaps": [_GAP],
            "totals": {"events": 21, "outcomes": 17},
        },
    ),
    "Health": shape(
        {
            "status": STRING,
            "checks": {
                "type": "object",
                "description": "ok or what is wrong, for each; of durability the facts",
            },
            "degraded": {
                "type": "array",
                "items": STRING,
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
                "pump": "ok",
            },
        },
        "checks",
        "degraded",
    ),
    "OpenAPI": {"type": "object"},
    "Problem": shape(
        {
            "type": {"type": "string", "format": "uri"},
            "title": STRING,
            "status": INTEGER,
            "detail": STRING,
            "code": STRING,
            "errors": {
                **list_of(
                    {
                        "type": "object",
                        "properties": {
                            "parameter": STRING,
                            "header": STRING,
                            "code": STRING,
                            "detail": STRING,
                        },
                        "required": ["code", "detail"],
                    }
                ),
                "description": "Every parameter that is not right, or the header",
            },
            "current_version": {"type": "integer", "description": "The last one of the item"},
            "version": {"type": "integer", "description": "The one at which it is deleted"},
            "links": {
                "type": "object",
                "additionalProperties": {"type": "string", "format": "uri"},
            },
            "checks": {
                "type": "object",
                "description": "Of what is not ready: each, and how it is",
            },
        },
        {
            "type": "http://127.0.0.1:8001/problems/item-not-found",
            "title": "No such item",
            "status": 404,
            "detail": f"there is no item {ITEM_ID}",
            "code": "item-not-found",
        },
        "errors",
        "current_version",
        "version",
        "links",
        "checks",
    ),
    "ProblemCode": _PROBLEM_CODE,
    "ProblemCodes": shape(
        {"problems": list_of({"$ref": "#/components/schemas/ProblemCode"})},
        {"problems": _PROBLEM_CODE["examples"]},
    ),
}
