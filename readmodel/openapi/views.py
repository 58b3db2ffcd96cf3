"""What views answer by themselves."""

from collections.abc import Mapping, Sequence
from typing import Any

from readmodel.openapi.shapes import INTEGER, STRING, list_of, shape
from readmodel.openapi.table import Parameter, Route
from readmodel.views import stats

_IF_NONE_MATCH = Parameter("If-None-Match", {"type": "string"}, "ETags the client has", "header")
_DAY = {"type": "string", "format": "date"}
_OF_STATS = [
    Parameter(name, {**_DAY, "examples": ["2026-11-22"]}, says)
    for name, says in stats.PARAMETERS.items()
]
_DAY_OR_NULL = {"type": ["string", "null"], "format": "date"}

_ITEMS = {"live": 3877, "deleted": 12}
_BUCKET = {"from": 200, "below": 500, "items": 1204}
_BUCKETS = shape({"from": INTEGER, "below": INTEGER, "items": INTEGER}, _BUCKET)
_CURRENCY = {"currency": "GBP", "items": 3877, "prices": [_BUCKET]}
_OF_A_DAY = {"day": "2026-11-22", "events": 31, "types": {"ItemCreated": 11, "ItemRepriced": 20}}

ROUTES: Sequence[Route] = (
    Route(
        "/stats",
        "Count items, live ones by price, and the events of each day",
        "Stats",
        (*_OF_STATS, _IF_NONE_MATCH),
        headers=("ETag",),
        not_modified=True,
    ),
    Route(
        "/views/{name}",
        "Ask a view that has no path of its own",
        "ViewAnswer",
        (
            Parameter(
                "name",
                {"type": "string", "examples": [stats.NAME]},
                "The view",
                "path",
            ),
            Parameter(
                "parameters",
                {"type": "object", "additionalProperties": {"type": "string"}},
                "Those of the view, each a parameter of its own; a 400 names them",
            ),
            _IF_NONE_MATCH,
        ),
        headers=("ETag",),
        not_modified=True,
        problems=(400, 404),
    ),
)

SCHEMAS: Mapping[str, Any] = {
    "Stats": shape(
        {
            "items": shape({"live": INTEGER, "deleted": INTEGER}, _ITEMS),
            "currencies": {
                **list_of(
                    shape(
                        {
                            "currency": STRING,
                            "items": INTEGER,
                            "prices": list_of(
                                shape(
                                    {"from": INTEGER, "below": INTEGER, "items": INTEGER}, _BUCKET
                                )
                            ),
                        },
                        _CURRENCY,
                    )
                ),
                "description": "Live items by currency, and by price in minor units: buckets of 1, "
                "2 and 5 times each power of ten; those without items are left out",
            },
            "from": {**_DAY_OR_NULL, "description": "The first day that was looked at"},
            "to": {**_DAY_OR_NULL, "description": "The last one; null where nothing ever happened"},
            "days": {
                **list_of(
                    shape(
                        {
                            "day": _DAY,
                            "events": INTEGER,
                            "types": {"type": "object", "additionalProperties": INTEGER},
                        },
                        _OF_A_DAY,
                    )
                ),
                "description": "Events by the day (UTC) on which they were recorded, oldest first; "
                "days without any are left out",
            },
        },
        {
            "items": _ITEMS,
            "currencies": [_CURRENCY],
            "from": "2026-10-24",
            "to": "2026-11-22",
            "days": [_OF_A_DAY],
        },
    ),
    "ViewAnswer": {"description": "What the view says"},
}
