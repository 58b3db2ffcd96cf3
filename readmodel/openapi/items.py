"""Items, their history and their scheduled prices."""

from collections.abc import Mapping, Sequence
from typing import Any

from domain import rules
from domain.currencies import ISO_4217
from readmodel import params
from readmodel.memento import LINK_FORMAT
from readmodel.openapi.shapes import (
    AT,
    COMMAND_ID,
    INTEGER,
    ITEM_ID,
    NULLABLE,
    STRING,
    TIME,
    list_of,
    shape,
)
from readmodel.openapi.table import (
    CURSOR,
    IF_NONE_MATCH,
    ITEM,
    LIMIT,
    MONEY,
    Parameter,
    Route,
    of_item,
)
from readmodel.views.history import FIELDS
from runtime.times import HTTP_DATE_PATTERN

_SOME_FIELDS = f"({'|'.join(FIELDS)})"
_SORT_NAMES = ("id", "name", "price", "updated_at")

_ITEM = {
    "id": ITEM_ID,
    "name": "White hanging heart",
    "description": None,
    "price": 1299,
    "currency": "EUR",
    "version": 2,
    "created_at": AT,
    "updated_at": AT,
    "deleted_at": None,
}
_EVENT = {
    "version": 2,
    "type": "ItemRepriced",
    "changes": {"price": {"from": 999, "to": 1299}},
    "actor": "anonymous",
    "reason": "autumn prices",
    "command_id": COMMAND_ID,
    "recorded_at": AT,
    "effective_at": AT,
}
_SCHEDULED = {
    "id": COMMAND_ID,
    "item_id": ITEM_ID,
    "price": 999,
    "currency": "EUR",
    "effective_from": "2026-11-27T00:00:00.000Z",
    "effective_until": "2026-12-01T00:00:00.000Z",
    "status": "pending",
    "actor": "anonymous",
    "reason": "black week",
    "recorded_at": AT,
}

ROUTES: Sequence[Route] = (
    Route(
        "/items",
        "List items, page by page",
        "ItemPage",
        (
            LIMIT,
            CURSOR,
            Parameter(
                "q",
                {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": params.QUERY_LIMIT,
                    "examples": ["white heart"],
                },
                "Words that all begin a word of the name or the description, in any case",
            ),
            Parameter(
                "total",
                {"enum": ["none", "exact"], "default": "none"},
                "With `exact` all items of the list are counted, too",
            ),
            Parameter(
                "sort",
                {
                    "enum": [sign + name for sign in ("", "-") for name in _SORT_NAMES],
                    "default": "id",
                },
                "Order; with - descending. Names are compared case-folded by code point, and "
                "equal values follow the id in the same direction",
            ),
            Parameter("price_min", MONEY, "Lowest price, in minor units"),
            Parameter("price_max", MONEY, "Highest price, in minor units"),
            Parameter("currency", {"$ref": "#/components/schemas/Currency"}, "ISO 4217 code"),
            Parameter(
                "updated_since", {"type": "string", "format": "date-time"}, "Changed then or later"
            ),
            Parameter(
                "ids",
                {
                    "type": "string",
                    "pattern": f"^{rules.ID_PATTERN}(,{rules.ID_PATTERN})*$",
                    "examples": ["85123A,71053"],
                },
                f"Only these items, separated by commas, at most {params.IDS_LIMIT}",
            ),
            Parameter("include_deleted", {"type": "boolean", "default": False}, "Deleted ones too"),
            Parameter(
                "as_of",
                {"type": "string", "format": "date-time"},
                "Items as they were at this moment, by effective_at; words, filters, sort and "
                "what is deleted go by what was then",
            ),
            IF_NONE_MATCH,
        ),
        headers=("ETag", "Link"),
        not_modified=True,
        links=of_item("$response.body#/items/0/id"),
    ),
    Route(
        "/items/{item_id}",
        "Read an item, as it is or as it was",
        "Item",
        (
            ITEM,
            Parameter(
                "version",
                {"type": "integer", "minimum": 1, "examples": [1]},
                "The item as it was at this version; not together with `as_of`",
            ),
            Parameter(
                "as_of",
                {"type": "string", "format": "date-time", "examples": [AT]},
                "The item as it was at this moment, by `effective_at`",
            ),
            Parameter(
                "Accept-Datetime",
                {
                    "type": "string",
                    "pattern": f"^{HTTP_DATE_PATTERN}$",
                    "examples": ["Sun, 22 Nov 2026 08:00:00 GMT"],
                },
                "The item as it was in this second, or its first state where that is later (RFC "
                "7089). Not looked at where `version` or `as_of` is given",
                "header",
            ),
            IF_NONE_MATCH,
        ),
        headers=("ETag", "Memento-Datetime", "Content-Location", "Link"),
        not_modified=True,
        problems=(400, 404, 410),
        links=of_item("$response.body#/id"),
    ),
    Route(
        "/items/{item_id}/history",
        "List what happened to an item, newest first; deleted items have their history too",
        "History",
        (
            ITEM,
            Parameter(
                "fields",
                {
                    "type": "string",
                    "pattern": f"^{_SOME_FIELDS}(,{_SOME_FIELDS})*$",
                    "examples": ["price"],
                },
                f"Only what set these, separated by commas: {', '.join(FIELDS)}. The price is told "
                "with its currency. A TimeMap takes none",
            ),
            LIMIT,
            CURSOR,
            Parameter(
                "Accept",
                {"type": "string", "examples": ["application/json"]},
                f"`{LINK_FORMAT}` for a TimeMap of the item's states (RFC 7089), else JSON",
                "header",
            ),
        ),
        headers=("Link",),
        problems=(400, 404),
        also={LINK_FORMAT: None},
    ),
    Route(
        "/items/{item_id}/scheduled-prices",
        "List the scheduled prices of an item, newest first",
        "ScheduledPrices",
        (ITEM, LIMIT, CURSOR),
        headers=("Link",),
        problems=(400, 404),
    ),
    Route(
        "/items/{item_id}/scheduled-prices/{schedule_id}",
        "Read one scheduled price",
        "ScheduledPrice",
        (ITEM, Parameter("schedule_id", {"type": "string"}, "From the list", "path")),
        problems=(400, 404),
    ),
)

SCHEMAS: Mapping[str, Any] = {
    "Currency": {"type": "string", "enum": sorted(ISO_4217), "examples": ["EUR"]},
    "Item": shape(
        {
            "id": STRING,
            "name": STRING,
            "description": NULLABLE,
            "price": {"type": "integer", "description": "In minor units"},
            "currency": STRING,
            "version": INTEGER,
            "created_at": TIME,
            "updated_at": TIME,
            "deleted_at": {"type": ["string", "null"], "format": "date-time"},
        },
        _ITEM,
    ),
    "ItemPage": shape(
        {
            "items": list_of({"$ref": "#/components/schemas/Item"}),
            "next": NULLABLE,
            "total": {"type": "integer", "description": "With total=exact"},
        },
        {"items": [_ITEM], "next": None},
        "total",
    ),
    "ScheduledPrice": shape(
        {
            "id": STRING,
            "item_id": STRING,
            "price": {"type": "integer", "description": "In minor units"},
            "currency": STRING,
            "effective_from": TIME,
            "effective_until": {"type": ["string", "null"], "format": "date-time"},
            "status": {
                "enum": ["pending", "active", "done", "cancelled"],
                "description": "`active` is a sale that has begun and not ended",
            },
            "actor": STRING,
            "reason": NULLABLE,
            "recorded_at": TIME,
        },
        _SCHEDULED,
    ),
    "ScheduledPrices": shape(
        {
            "scheduled_prices": list_of({"$ref": "#/components/schemas/ScheduledPrice"}),
            "next": NULLABLE,
        },
        {"scheduled_prices": [_SCHEDULED], "next": None},
    ),
    "History": shape(
        {
            "events": list_of(
                shape(
                    {
                        "version": INTEGER,
                        "type": STRING,
                        "changes": {
                            "type": "object",
                            "description": "Only what changed, by field; without `fields` also, as "
                            "`scheduled_price`, the one that was asked for, began, ended or was "
                            "cancelled, with its `status` before and after",
                            "additionalProperties": {
                                "type": "object",
                                "properties": {"from": {}, "to": {}},
                                "required": ["from", "to"],
                            },
                        },
                        "actor": STRING,
                        "reason": NULLABLE,
                        "command_id": STRING,
                        "recorded_at": TIME,
                        "effective_at": TIME,
                    },
                    _EVENT,
                )
            ),
            "next": NULLABLE,
        },
        {"events": [_EVENT], "next": None},
    ),
}
