"""What a route and a parameter are described by, and the parameters that many routes have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from domain import rules
from readmodel import params

JSON = "application/json"
# Parameters that take `next` of a page.
_CURSORS = ("cursor", "after")
MONEY: Mapping[str, Any] = {"type": "integer", "minimum": 0, "maximum": rules.PRICE_LIMIT}


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    schema: Mapping[str, Any]
    says: str
    place: str = "query"


@dataclass(frozen=True, slots=True)
class Link:
    """What to ask for next: a path of this service, with parameters by runtime expressions."""

    path: str
    parameters: Mapping[str, str]
    says: str


@dataclass(frozen=True, slots=True)
class Route:
    path: str
    summary: str
    schema: str | None
    parameters: Sequence[Parameter] = ()
    headers: Sequence[str] = ()
    not_modified: bool = False
    problems: Sequence[int] = (400,)
    media_type: str = JSON
    # Other forms of the same, for whoever asks for them by Accept: each media type with its schema,
    # or none where it is text.
    also: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    links: Mapping[str, Link] = field(default_factory=dict[str, Link])


ITEM = Parameter("item_id", {"type": "string", "pattern": f"^{rules.ID_PATTERN}$"}, "Item", "path")
CURSOR = Parameter("cursor", {"type": "string"}, "`next` of the page before; same filters and sort")
LIMIT = Parameter(
    "limit",
    {"type": "integer", "minimum": 1, "maximum": params.PAGE_LIMIT, "default": params.DEFAULT_PAGE},
    "Longest page",
)
TOKEN: Mapping[str, Any] = {
    "type": "string",
    "pattern": r"^[0-9]{1,4}\.[0-9]{1,15}\.[0-9]{1,15}$",
    "examples": ["0.1763798400000.17"],
}
OWN_WRITES = (
    Parameter(
        "Consistency-Token",
        TOKEN,
        "From the answer to a write, which is to be in this one",
        "header",
    ),
    Parameter(
        "Prefer",
        {"type": "string", "examples": ["wait=5, handling=strict"]},
        "With a token: `wait` so many seconds for it, at most 30; where it is not there then, with "
        "`handling=strict` answer 503, else with what there is, and Projection-Lag",
        "header",
    ),
)
IF_NONE_MATCH = Parameter("If-None-Match", {"type": "string"}, "ETags the client has", "header")

PAGE_OR_JSON = Parameter(
    "Accept",
    {"type": "string", "examples": ["application/json"]},
    "`application/json` for programs, else a page for people",
    "header",
)


def of_item(expression: str) -> Mapping[str, Link]:
    """Link to what there is of an item, whose id an expression tells."""
    item = {"path.item_id": expression}
    return {
        "item": Link("/items/{item_id}", item, "The item, as it is."),
        "history": Link("/items/{item_id}/history", item, "What happened to it."),
        "prices": Link("/items/{item_id}/prices", item, "What it cost, and when."),
    }


def of_import(expression: str) -> Mapping[str, Link]:
    """Link to what there is of an import, whose id an expression tells."""
    known = {"path.import_id": expression}
    return {
        "import": Link("/imports/{import_id}", known, "How far it is."),
        "rows": Link("/imports/{import_id}/rows", known, "What became of its rows."),
    }


def next_page(route: Route) -> Mapping[str, Link]:
    """Link a page to the one after it, where there are pages."""
    names = {each.name for each in route.parameters}
    cursor = next((each for each in _CURSORS if each in names), None)
    if cursor is None or route.media_type != JSON:
        return {}
    kept = {
        f"{each.place}.{each.name}": f"$request.{each.place}.{each.name}"
        for each in route.parameters
        if each.place in {"path", "query"}
    }
    following = {**kept, f"query.{cursor}": "$response.body#/next"}
    return {"next": Link(route.path, following, "What follows, all else as it was.")}
