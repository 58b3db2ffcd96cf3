"""The past of an item: what differs between two of its states, and its prices."""

from collections.abc import Mapping, Sequence
from typing import Any

from readmodel import json_patch, params
from readmodel.openapi.shapes import INTEGER, NULLABLE, STRING, TIME, list_of, shape
from readmodel.openapi.table import CURSOR, IF_NONE_MATCH, ITEM, LIMIT, Parameter, Route
from readmodel.price_routes import DEFAULT_WINDOW
from readmodel.views.prior_price import PROOF_LIMIT

_BEFORE = "2025-09-01T08:00:00.000Z"
_AT = "2025-11-28T00:00:00.000Z"
_WINDOW_START = "2025-10-29T00:00:00.000Z"
_PRICE = {
    "price": 1299,
    "currency": "EUR",
    "from": _BEFORE,
    "until": _AT,
    "version": 2,
}
_OPEN_PRICE = {"price": 999, "currency": "EUR", "from": _AT, "until": None, "version": 3}
_PATCH = [
    {"op": "replace", "path": "/price", "value": 999},
    {"op": "replace", "path": "/version", "value": 3},
    {"op": "replace", "path": "/updated_at", "value": _AT},
]


def _moment(example: str) -> Mapping[str, Any]:
    return {"type": "string", "format": "date-time", "examples": [example]}


def _version(example: int) -> Mapping[str, Any]:
    return {"type": "integer", "minimum": 0, "examples": [example]}


_INTERVAL: Mapping[str, Any] = shape(
    {
        "price": {"type": "integer", "description": "In minor units"},
        "currency": STRING,
        "from": TIME,
        "until": {
            "type": ["string", "null"],
            "format": "date-time",
            "description": "It is in force until just before; null while it still is",
        },
        "version": {"type": "integer", "description": "The item's, that brought this price"},
    },
    _PRICE,
)

ROUTES: Sequence[Route] = (
    Route(
        "/items/{item_id}/diff",
        "Read what makes one state of an item into another, as a JSON Patch (RFC 6902)",
        "JsonPatch",
        (
            ITEM,
            Parameter(
                "from",
                _version(2),
                "A version, lower or higher than the other; 0 is nothing, null in JSON. Default: "
                "the one before `to`",
            ),
            Parameter("to", _version(3), "A version, or 0. Default: the current one"),
            IF_NONE_MATCH,
        ),
        headers=("ETag",),
        not_modified=True,
        problems=(400, 404),
        media_type=json_patch.MEDIA_TYPE,
    ),
    Route(
        "/items/{item_id}/prices",
        "List which price of an item was in force when, oldest first; of deleted items, too",
        "Prices",
        (
            ITEM,
            Parameter(
                "from", _moment(_WINDOW_START), "Only what was in force at this moment or later"
            ),
            Parameter("to", _moment(_AT), "Only what was in force before this moment"),
            LIMIT,
            CURSOR,
        ),
        headers=("Link",),
        problems=(400, 404),
    ),
    Route(
        "/items/{item_id}/prior-price",
        "Read the lowest price of an item that was in force in a window before a moment",
        "PriorPrice",
        (
            ITEM,
            Parameter(
                "at",
                _moment(_AT),
                "End of the window, which it does not belong to: when a reduction begins, and not "
                "later than now. The currency is the one in force at this moment. Default: now",
            ),
            Parameter(
                "window",
                {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": params.WINDOW_LIMIT,
                    "default": DEFAULT_WINDOW,
                },
                "Length of the window, in days of 24 hours",
            ),
        ),
        problems=(400, 404),
    ),
)

SCHEMAS: Mapping[str, Any] = {
    "JsonPatch": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "op": {"const": "replace"},
                "path": {
                    "type": "string",
                    "description": "A JSON Pointer (RFC 6901); empty, it is the whole document",
                },
                "value": {},
            },
            "required": ["op", "path", "value"],
        },
        "examples": [_PATCH],
    },
    "Prices": shape(
        {"prices": list_of(_INTERVAL), "next": NULLABLE},
        {"prices": [_PRICE, _OPEN_PRICE], "next": None},
    ),
    "PriorPrice": shape(
        {
            "price": {"type": "integer", "description": "The lowest one, in minor units"},
            "currency": STRING,
            "from": {**TIME, "description": "When the lowest price came into force"},
            "version": INTEGER,
            "window_start": TIME,
            "window_end": TIME,
            "window_complete": {
                "type": "boolean",
                "description": "False where the item was created after the window's start",
            },
            "proof": {
                **list_of(_INTERVAL),
                "description": "What was in force in the window in this currency, oldest first; "
                f"of more than {PROOF_LIMIT} the lowest ones. None of them goes on after the "
                "window's end here",
            },
            "proof_complete": {
                "type": "boolean",
                "description": "False where there were more; none of those was lower",
            },
        },
        {
            "price": 1299,
            "currency": "EUR",
            "from": _BEFORE,
            "version": 2,
            "window_start": _WINDOW_START,
            "window_end": _AT,
            "window_complete": True,
            "proof": [_PRICE],
            "proof_complete": True,
        },
    ),
}
