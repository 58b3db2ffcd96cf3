"""What a route and a parameter are described by, and the parameters that many routes have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain import rules
from readmodel import params

MONEY: Mapping[str, Any] = {"type": "integer", "minimum": 0, "maximum": rules.PRICE_LIMIT}


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    schema: Mapping[str, Any]
    says: str
    place: str = "query"


@dataclass(frozen=True, slots=True)
class Route:
    path: str
    summary: str
    schema: str | None
    parameters: Sequence[Parameter] = ()
    headers: Sequence[str] = ()
    not_modified: bool = False
    problems: Sequence[int] = (400,)
    media_type: str = "application/json"
    # Other forms of the same, for whoever asks for them by Accept.
    also: Sequence[str] = ()


ITEM = Parameter("item_id", {"type": "string", "pattern": f"^{rules.ID_PATTERN}$"}, "Item", "path")
CURSOR = Parameter("cursor", {"type": "string"}, "`next` of the page before; same filters and sort")
LIMIT = Parameter(
    "limit",
    {"type": "integer", "minimum": 1, "maximum": params.PAGE_LIMIT, "default": params.DEFAULT_PAGE},
    "Longest page",
)
OWN_WRITES = (
    Parameter(
        "Consistency-Token",
        {"type": "string", "pattern": r"^[0-9]{1,4}\.[0-9]{1,15}\.[0-9]{1,15}$"},
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
