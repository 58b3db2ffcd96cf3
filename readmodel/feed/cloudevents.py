"""A change as an event of CloudEvents 1.0, in its JSON format."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from readmodel.feed.told import Told
from readmodel.views.change_rows import ChangeRow
from runtime.times import rfc3339

BATCH = "application/cloudevents-batch+json"

_PREFIX = "itemledger"
# Offsets are written so that texts sort as numbers do: as long as the largest there can be.
_DIGITS = 19
# What a String attribute must not have (3, Type System): control characters and noncharacters.
_NOT_IN_ATTRIBUTES = re.compile(
    "[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef"
    + "".join(f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(17))
    + "]"
)


def cloud_event(
    row: ChangeRow, told: Told, cursor: str, source: str, schema: str | None
) -> Mapping[str, Any]:
    """Write a change with its attributes and extensions; `source` is that of the whole feed.

    The partition is a part of the source: `sequence` orders the events of one source.
    """
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": f"{row.partition}-{row.offset}",
        "source": f"{source}#{row.partition}",
        "type": f"{_PREFIX}.{told.name}.v{told.version}",
        "subject": row.item_id,
        "time": rfc3339(row.recorded_at),
        "datacontenttype": "application/json",
        "sequence": f"{row.offset:0{_DIGITS}d}",
        "partitionkey": row.item_id,
        "itemversion": row.version,
        "effectiveat": rfc3339(row.effective_at),
        "commandid": row.command_id,
        "cursor": cursor,
        "actor": _attribute(row.actor),
        "data": orjson.Fragment(told.data),
    }
    if row.reason:
        event["reason"] = _attribute(row.reason)
    if schema is not None:
        event["dataschema"] = schema
    return event


def _attribute(text: str) -> str:
    return _NOT_IN_ATTRIBUTES.sub(" ", text)
