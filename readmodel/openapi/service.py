"""The service itself."""

from collections.abc import Mapping, Sequence
from typing import Any

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
_GAP = {
    "partition": 0,
    "epoch": 1763712000000,
    "first": 8,
    "last": 11,
    "kind": "lost",
    "noticed_at": AT,
}

ROUTES: Sequence[Route] = (
    Route("/status", "Read how far the ledger has taken the log", "Status"),
    Route("/health/live", "Is the process alive", "Health"),
    Route("/health/ready", "Can the service answer reads of items", "Health"),
    Route(
        "/problems",
        "List the problem codes",
        None,
        (PAGE_OR_JSON,),
        problems=(),
        media_type="text/html",
        also=("application/json",),
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
        also=("application/json",),
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
            "workers": list_of(OBJECT),
            "durability": {
                "type": ["object", "null"],
                "description": "How safely the log is kept; null where its Redis does not tell. "
                "While lack says something or short_of_memory is true, no command is accepted",
            },
            "projections": list_of(OBJECT),
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
            "totals": OBJECT,
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
            "errors": list_of(
                {"type": "object", "properties": {"parameter": STRING, "code": STRING}}
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
