"""The parts that the schemas of answers are made of, and the values that examples show."""

from collections.abc import Mapping
from typing import Any

ITEM_ID = "85123A"
COMMAND_ID = "019c2f8e-7f6a-7c3e-9a55-0d7c1b5f3a10"
AT = "2026-11-22T08:00:00.000Z"

STRING: Mapping[str, Any] = {"type": "string"}
INTEGER: Mapping[str, Any] = {"type": "integer"}
NULLABLE: Mapping[str, Any] = {"type": ["string", "null"]}
TIME: Mapping[str, Any] = {"type": "string", "format": "date-time"}
OBJECT: Mapping[str, Any] = {"type": "object"}


def shape(
    properties: Mapping[str, Any], example: Mapping[str, Any], *optional: str
) -> Mapping[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "examples": [example],
    }


def list_of(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "array", "items": schema}
