"""What a client asks for, and how that is said over HTTP."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal
from urllib.parse import quote

Op = Literal["create", "put", "patch", "delete", "restore"]


@dataclass(frozen=True, slots=True)
class Wish:
    """One command. `tok` is unique in the run and travels as its reason, so that events can be
    told apart without the product's ids.

    `expect` is a version, or "none" for an item that must not exist; `invalid` where it has to be
    refused whatever the item is.
    """

    tok: str
    op: Op
    item: str | None
    fields: Mapping[str, Any] = field(default_factory=dict)
    expect: int | Literal["none"] | None = None
    invalid: bool = False

    def line(self) -> dict[str, Any]:
        """Write it for the history."""
        return asdict(self)

    def row(self) -> dict[str, Any]:
        """Write it as a row of a batch."""
        row: dict[str, Any] = {"op": self.op, "reason": self.tok, **self.fields}
        if self.item is not None:
            row["id"] = self.item
        if self.expect is not None:
            row["if_version"] = self.expect
        return row

    def request(self) -> tuple[str, str, dict[str, str], dict[str, Any] | None]:
        """Say it as a request of its own: method, path with query, headers, body."""
        headers: dict[str, str] = {}
        if self.expect == "none":
            headers["If-None-Match"] = "*"
        elif self.expect is not None:
            headers["If-Match"] = f'"{self.expect}"'
        body = {**self.fields, "reason": self.tok}
        match self.op:
            case "create":
                return "POST", "/items", headers, body
            case "put":
                return "PUT", f"/items/{self.item}", headers, body
            case "patch":
                return "PATCH", f"/items/{self.item}", headers, body
            case "delete":
                return "DELETE", f"/items/{self.item}?reason={quote(self.tok)}", headers, None
            case "restore":
                return "POST", f"/items/{self.item}/restore", headers, {"reason": self.tok}


def key_of(wish: Wish) -> str:
    """The Idempotency-Key a wish is sent under, alone or at the head of a batch."""
    return f"key-{wish.tok}"
