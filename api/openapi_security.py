"""Which scope each operation needs, in the OpenAPI document."""

from collections.abc import Mapping
from typing import Any

from api.scopes import NEEDED

_PROBLEM: Mapping[str, Any] = {
    "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
}
_ANSWERS: Mapping[str, str] = {
    "401": "It is not known who asks: no token, or one that is not valid",
    "403": "The token lacks the scope, which `detail` names",
    "429": "Too many requests of this caller; Retry-After says when to try again",
}


def add_security(document: dict[str, Any]) -> None:
    """Write into the document what `api.scopes` says."""
    document["components"]["securitySchemes"] = {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A token of `itemledger token create`, or of the identity provider. On "
            "this machine alone the service may run without.",
        }
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            scopes = NEEDED[method.upper(), path]
            operation["security"] = [{"bearer": [scope]} for scope in scopes]
            if not scopes:
                continue
            told = f"Scope: {' or '.join(scopes)}."
            operation["description"] = f"{operation.get('description', '')}\n\n{told}".strip()
            for status, meaning in _ANSWERS.items():
                operation["responses"][status] = {"description": meaning, "content": _PROBLEM}
