"""The operations on items: one at a time, their scheduled prices, and many in a batch."""

from collections.abc import Mapping, Sequence
from typing import Any

from api.openapi import shapes
from api.openapi.table import Answer, Body, Link, Operation

_JSON = "application/json"
_MERGE_PATCH = "application/merge-patch+json"

_REQUEST = ("Prefer", "IdempotencyKey", "CommandDeadline", "Traceparent", "RequestId")
_BODY_PROBLEMS = ("not-json", "body-too-large", "unsupported-media-type", "invalid-body")
# Of every write: what can be wrong with it, and what can come of it.
_WRITE_PROBLEMS = (
    "malformed-header",
    "bad-parameter",
    "idempotency-key-reused",
    "not-accepted",
    "outcome-unknown",
)
_OF_AN_ITEM = (*_WRITE_PROBLEMS, "invalid-item-id", "precondition-required")
_OUTCOMES = ("expired", "effective-at-too-early", "discarded")

_FINAL = ("Consistency-Token", "Preference-Applied", "Vary")
_LATER = ("Location", "Consistency-Token", "Retry-After", "Vary")
_REPLAYED = ("Idempotent-Replayed",)
_LATER_MAY = ("Preference-Applied", *_REPLAYED)

_ACCEPTED = "Accepted: on disk in the log, applied in a moment"

# What can be done next to an item: by operation, a sentence.
_NEXT = {
    "replace": "Put it anew.",
    "patch": "Change some of it.",
    "delete": "Delete it.",
    "restore": "Bring it back, should it be deleted.",
    "revert": "Bring back an earlier version.",
    "schedule": "Schedule a price for it.",
}


def _links(item_id: str, *, has_etag: bool) -> Mapping[str, Link]:
    """Lead on to everything that can be done to the item of an answer."""
    links = {
        name: Link(name, {"path.item_id": item_id}, says)
        for name, says in _NEXT.items()
        if not (has_etag and name == "restore")
    }
    if has_etag:
        for name in ("patch", "delete"):
            parameters = {"path.item_id": item_id, "header.If-Match": "$response.header.ETag"}
            says = f"{_NEXT[name]} Only as it is now."
            links[f"{name}_this_version"] = Link(name, parameters, says)
    return links


def _unschedule(schedule_id: str) -> Mapping[str, Link]:
    parameters = {
        "path.item_id": "$response.body#/item_id",
        "path.schedule_id": schedule_id,
    }
    return {"unschedule": Link("unschedule", parameters, "Cancel it.")}


def _item(says: str, *headers: str) -> Answer:
    return Answer(
        f"{says} (with `Prefer: wait`)",
        "Item",
        shapes.ITEM,
        ("ETag", *headers, *_FINAL),
        _REPLAYED,
        links=_links("$response.body#/id", has_etag=True),
    )


_LATER_ANSWER = Answer(
    _ACCEPTED,
    "Accepted",
    shapes.ACCEPTED,
    _LATER,
    _LATER_MAY,
    links=_links("$response.body#/item_id", has_etag=False),
)
_GONE_ANSWER = Answer(
    "Deleted or cancelled (with `Prefer: wait`)", headers=_FINAL, may_have=_REPLAYED
)
_CREATED = _item("Created or brought back", "Location")
_CHANGED = _item("Applied, or nothing to change")

_NEW: Mapping[str, Any] = {"name": "Elegant Lamp", "price": 12900, "currency": "EUR"}
_REPLACEMENT: Mapping[str, Any] = {
    "name": "Elegant Lamp",
    "description": "Brushed brass.",
    "price": 12900,
}
_SALE: Mapping[str, Any] = {
    "price": 9900,
    "effective_from": "2099-11-27T00:00:00Z",
    "effective_until": "2099-12-01T00:00:00Z",
    "reason": "black week",
}
_ROWS: Mapping[str, Any] = {
    "commands": [
        {"op": "put", "id": "lamp-1", "name": "Elegant Lamp", "price": 12900},
        {"op": "patch", "id": "lamp-1", "price": 9900, "effective_at": "2026-11-01T00:00:00Z"},
    ]
}

OF_ITEMS: Sequence[Operation] = (
    Operation(
        "post",
        "/items",
        "create",
        "items",
        "Create an item",
        {201: _CREATED, 202: _LATER_ANSWER},
        _REQUEST,
        Body({_JSON: "CreateBody"}, _NEW),
        (*_WRITE_PROBLEMS, *_BODY_PROBLEMS),
        (*_OUTCOMES, "item-exists"),
        "The service makes the id, and under an Idempotency-Key always the same one.",
    ),
    Operation(
        "put",
        "/items/{item_id}",
        "replace",
        "items",
        "Create, replace or bring back an item",
        {200: _CHANGED, 201: _CREATED, 202: _LATER_ANSWER},
        ("ItemId", *_REQUEST, "IfMatch", "IfNoneMatch"),
        Body({_JSON: "ReplaceBody"}, _REPLACEMENT),
        (*_OF_AN_ITEM, *_BODY_PROBLEMS),
        (*_OUTCOMES, "precondition-failed"),
        "No description means none, no currency means the item's own.",
    ),
    Operation(
        "patch",
        "/items/{item_id}",
        "patch",
        "items",
        "Change some members of an item (RFC 7396)",
        {200: _CHANGED, 202: _LATER_ANSWER},
        ("ItemId", *_REQUEST, "IfMatch"),
        Body(
            {_MERGE_PATCH: "PatchBody", _JSON: "PatchBody"},
            {"price": 9900, "reason": "winter sale"},
        ),
        (*_OF_AN_ITEM, *_BODY_PROBLEMS),
        (*_OUTCOMES, "item-not-found", "item-deleted", "precondition-failed"),
    ),
    Operation(
        "delete",
        "/items/{item_id}",
        "delete",
        "items",
        "Delete an item",
        {202: _LATER_ANSWER, 204: _GONE_ANSWER},
        ("ItemId", *_REQUEST, "IfMatch", "Reason"),
        Body({_JSON: "ReasonBody"}, {"reason": "sold out"}, required=False),
        (*_OF_AN_ITEM, *_BODY_PROBLEMS),
        (*_OUTCOMES, "item-not-found", "item-deleted", "precondition-failed"),
    ),
    Operation(
        "post",
        "/items/{item_id}/restore",
        "restore",
        "items",
        "Bring a deleted item back",
        {200: _CHANGED, 202: _LATER_ANSWER},
        ("ItemId", *_REQUEST, "IfMatch", "Reason"),
        Body({_JSON: "ReasonBody"}, {"reason": "still sold"}, required=False),
        (*_OF_AN_ITEM, *_BODY_PROBLEMS),
        (*_OUTCOMES, "item-not-found", "precondition-failed"),
        "Of an item that is not deleted it changes nothing.",
    ),
    Operation(
        "post",
        "/items/{item_id}/revert",
        "revert",
        "items",
        "Bring back the values of an earlier version",
        {200: _CHANGED, 202: _LATER_ANSWER},
        ("ItemId", *_REQUEST, "IfMatch"),
        Body({_JSON: "RevertBody"}, {"to_version": 1, "reason": "wrong price list"}),
        (*_OF_AN_ITEM, *_BODY_PROBLEMS),
        (*_OUTCOMES, "item-not-found", "item-deleted", "precondition-failed", "no-such-version"),
    ),
    Operation(
        "post",
        "/items/{item_id}/scheduled-prices",
        "schedule",
        "items",
        "Schedule a price, or a sale",
        {
            201: Answer(
                "Scheduled (with `Prefer: wait`)",
                "ScheduledPrice",
                shapes.SCHEDULED,
                ("ETag", "Location", *_FINAL),
                _REPLAYED,
                links=_unschedule("$response.body#/id"),
            ),
            202: Answer(
                _ACCEPTED,
                "ScheduleAccepted",
                shapes.SCHEDULE_ACCEPTED,
                _LATER,
                _LATER_MAY,
                links=_unschedule("$response.body#/schedule_id"),
            ),
        },
        ("ItemId", *_REQUEST, "IfMatch"),
        Body({_JSON: "ScheduleBody"}, _SALE),
        (*_WRITE_PROBLEMS, "invalid-item-id", *_BODY_PROBLEMS),
        (
            *_OUTCOMES,
            "item-not-found",
            "item-deleted",
            "precondition-failed",
            "effective-from-in-past",
            "effective-until-too-early",
            "schedule-overlaps",
            "too-many-scheduled-prices",
        ),
        "It takes effect by itself and, with `effective_until`, ends by itself.",
    ),
    Operation(
        "delete",
        "/items/{item_id}/scheduled-prices/{schedule_id}",
        "unschedule",
        "items",
        "Cancel a scheduled price",
        {202: _LATER_ANSWER, 204: _GONE_ANSWER},
        ("ItemId", "ScheduleId", *_REQUEST, "IfMatch", "Reason"),
        Body({_JSON: "ReasonBody"}, {"reason": "no sale"}, required=False),
        (*_WRITE_PROBLEMS, "invalid-item-id", "scheduled-price-not-found", *_BODY_PROBLEMS),
        (*_OUTCOMES, "item-not-found", "item-deleted", "precondition-failed"),
    ),
    Operation(
        "post",
        "/items/batch",
        "batch",
        "items",
        "Up to 1,000 commands at once, each for itself or all or none",
        {
            200: Answer(
                "Every row is final (with `Prefer: wait`)",
                "BatchResults",
                shapes.RESULTS,
                ("Preference-Applied", "Vary"),
                _REPLAYED,
            ),
            202: Answer(
                "Rows are on disk in the log, or rejected",
                "BatchResults",
                shapes.RESULTS,
                ("Retry-After", "Vary"),
                _LATER_MAY,
            ),
        },
        _REQUEST,
        Body({_JSON: "BatchBody"}, _ROWS),
        (*_WRITE_PROBLEMS, *_BODY_PROBLEMS, "precondition-required"),
        (),
        "A row that is no command does not stop the others: it is `rejected`, with its problem. "
        "With `atomic` all rows are applied or none, and a row that is no command refuses all. "
        "`effective_at` needs the scope `ops`.",
    ),
)
