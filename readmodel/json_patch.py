"""What differs between two documents, as a JSON Patch (RFC 6902)."""

from collections.abc import Mapping, Sequence
from typing import Any

MEDIA_TYPE = "application/json-patch+json"


def patch(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> Sequence[Mapping[str, Any]]:
    """Write the operations that make one document of an item into another; `None` is nothing, in
    JSON null. Items have all their members always, and none of them has members of its own.
    """
    if before is None or after is None:
        return [] if before == after else [_replace("", after)]
    return [_replace(f"/{name}", after[name]) for name in after if after[name] != before[name]]


def _replace(path: str, value: Any) -> Mapping[str, Any]:
    return {"op": "replace", "path": path, "value": value}
