"""Error documents of RFC 9457, the same on both services."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

PROBLEM_JSON = "application/problem+json"

# What kind of "no" a refusal is, in words that know nothing of HTTP, and the status it gets there.
STATUS_OF_KIND: Mapping[str, int] = {
    "absent": 404,
    "gone": 410,
    "conflict": 409,
    "precondition": 412,
    "invalid": 422,
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One error: `code` is stable and names the page `<service>/problems/<code>`."""

    status: int
    code: str
    title: str
    detail: str
    errors: Sequence[Mapping[str, str]] = ()
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def document(self, service_url: str) -> dict[str, Any]:
        """Write it out; `service_url` is that of the service whose page explains the code."""
        document: dict[str, Any] = {
            "type": f"{service_url}/problems/{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if self.errors:
            document["errors"] = list(self.errors)
        return document | dict(self.extra)

    def body(self, service_url: str) -> bytes:
        return orjson.dumps(self.document(service_url))
