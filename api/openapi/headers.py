"""The headers of answers."""

from collections.abc import Iterable, Mapping
from typing import Any

from api.openapi.shapes import TOKEN

_STRING: Mapping[str, Any] = {"type": "string"}

HEADERS: Mapping[str, tuple[str, Mapping[str, Any], str]] = {
    "ETag": (
        "The item's version, quoted: for If-Match.",
        {"type": "string", "pattern": '^"[1-9][0-9]*"$'},
        '"7"',
    ),
    "Location": (
        "On the query API: the command while it is accepted, then what was made; the import.",
        {"type": "string", "format": "uri"},
        "http://127.0.0.1:8001/items/lamp-1",
    ),
    "Consistency-Token": (
        "Sent with a read, that read is at least as fresh as this write.",
        {"type": "string", "pattern": r"^[0-9]+\.[0-9]+\.[0-9]+$"},
        TOKEN,
    ),
    "Preference-Applied": ("What of Prefer was done (RFC 7240).", _STRING, "wait=5"),
    "Idempotent-Replayed": (
        "The answer is that of an earlier request with the same Idempotency-Key.",
        {"type": "string", "enum": ["true"]},
        "true",
    ),
    "Retry-After": (
        "In how many seconds it pays to ask (again).",
        {"type": "integer", "minimum": 1},
        "1",
    ),
    "Vary": ("What of the request the answer depends on.", _STRING, "Prefer, Origin"),
    "Cache-Control": ("Whether it may be kept.", _STRING, "no-store"),
    "WWW-Authenticate": (
        "How to say who asks (RFC 6750).",
        {"type": "string", "pattern": "^Bearer "},
        'Bearer realm="itemledger"',
    ),
    "Accept-Patch": (
        "The media types a patch may have (RFC 5789).",
        _STRING,
        "application/json, application/merge-patch+json",
    ),
    "Accept-Encoding": ("The encodings a body may have.", _STRING, "gzip, identity"),
    "Content-Security-Policy": ("What the page may load.", _STRING, "default-src 'none'"),
}


def headers_of(always: Iterable[str], sometimes: Iterable[str] = ()) -> dict[str, Any]:
    """Describe the headers of an answer."""
    described: dict[str, Any] = {}
    for required, names in ((True, always), (False, sometimes)):
        for name in names:
            says, schema, example = HEADERS[name]
            described[name] = {
                "description": says,
                "required": required,
                "schema": {**schema, "examples": [_typed(schema, example)]},
            }
    return described


def _typed(schema: Mapping[str, Any], example: str) -> Any:
    return int(example) if schema["type"] == "integer" else example
