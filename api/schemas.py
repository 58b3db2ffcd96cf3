"""The bodies the command API takes. Strings are kept as sent, but for space around a name."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, LiteralString, Self, TypeVar, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    TypeAdapter,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from domain import rules
from domain.currencies import ISO_4217
from domain.refusals import RuleBroken
from runtime.times import parse_rfc3339

BATCH_LIMIT = 1000
REASON_LIMIT = 500

# The rules of text as patterns that JSON Schema, ECMAScript and Python read alike. White space is
# what trimming takes away; of invisible characters those beyond U+FFFF are left to the rule itself.
_WITHOUT_NUL = r"^[^\u0000]*$"
_CONTROL = r"\u0000-\u001f\u007f-\u009f"
_WHITE = r"\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_TRIM = rf"[\u0009-\u000d\u001c-\u001f\u0085{_WHITE}]*"
_EDGE = rf"[^{_CONTROL}{_WHITE}]"
_TRIMMED = rf"^{_TRIM}{_EDGE}([^{_CONTROL}]{{0,{rules.NAME_LIMIT - 2}}}{_EDGE})?{_TRIM}$"
_VISIBLE = (
    rf"[^{_CONTROL}{_WHITE}\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e"
    r"\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]"
)

_Value = TypeVar("_Value")


def _obeys(rule: Callable[[_Value], _Value]) -> AfterValidator:
    """Let a rule of the domain judge a value, and say it in pydantic's words."""

    def check(value: _Value) -> _Value:
        try:
            return rule(value)
        except RuleBroken as broken:
            # The message is a template to pydantic; a rule's sentence has no braces to fill.
            raise PydanticCustomError(
                cast("LiteralString", broken.rule), "{detail}", {"detail": str(broken)}
            ) from broken

    return AfterValidator(check)


def _moment(value: Any) -> Any:
    if not isinstance(value, str):
        raise PydanticCustomError("time", "must be an RFC 3339 date-time string")
    try:
        return parse_rfc3339(value)
    except ValueError as error:
        raise PydanticCustomError("time", "{detail}", {"detail": str(error)}) from error


def _no_nul(value: str) -> str:
    if "\0" in value:
        raise PydanticCustomError("nul", "has no NUL character")
    return value


ItemId = Annotated[
    str,
    _obeys(rules.item_id),
    WithJsonSchema({"type": "string", "pattern": f"^{rules.ID_PATTERN}$", "examples": ["lamp-1"]}),
]
Name = Annotated[
    str,
    _obeys(rules.name),
    WithJsonSchema(
        {
            "type": "string",
            "allOf": [{"pattern": _TRIMMED}, {"pattern": _VISIBLE}],
            "description": "1 to 200 characters after trimming, one of them visible, and no "
            "control characters.",
            "examples": ["Elegant Lamp"],
        }
    ),
]
Description = Annotated[
    str | None,
    _obeys(rules.description),
    WithJsonSchema(
        {
            "type": ["string", "null"],
            "maxLength": rules.DESCRIPTION_LIMIT,
            "pattern": _WITHOUT_NUL,
            "examples": ["Brushed brass, 40 cm."],
        }
    ),
]
Price = Annotated[
    int,
    _obeys(rules.price),
    WithJsonSchema(
        {
            "type": "integer",
            "minimum": 0,
            "maximum": rules.PRICE_LIMIT,
            "description": "In minor units (cents).",
            "examples": [1299],
        }
    ),
]
Currency = Annotated[
    str,
    _obeys(rules.currency),
    WithJsonSchema({"type": "string", "enum": sorted(ISO_4217), "title": "Currency"}),
]
Reason = Annotated[
    str,
    StringConstraints(max_length=REASON_LIMIT),
    AfterValidator(_no_nul),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": REASON_LIMIT,
            "pattern": _WITHOUT_NUL,
            "description": "Why; kept in the events.",
            "examples": ["winter sale"],
        }
    ),
]
Moment = Annotated[
    int,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-22T08:00:00Z"]}),
]


Version = Annotated[int, Field(ge=1, le=2**53 - 1)]


class Body(BaseModel):
    """A body with exactly the members it names, of exactly their types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class CreateBody(Body):
    """An item to be; the service makes its id."""

    name: Name
    description: Description = None
    price: Price
    currency: Currency | None = None
    reason: Reason | None = None


class ReplaceBody(Body):
    """An item as it shall be; no description means none, no currency means the item's own."""

    name: Name
    description: Description = None
    price: Price
    currency: Currency | None = None
    reason: Reason | None = None


def _without_default(schema: dict[str, Any]) -> None:
    del schema["default"]


def _unless_sent(value: str | int) -> Any:
    """Give a member that may be absent a value nobody reads, and keep it out of the schema."""
    return Field(default=value, json_schema_extra=_without_default)


class PatchBody(Body):
    """What shall change (RFC 7396); only a description can be null."""

    name: Name = _unless_sent("")
    description: Description = None
    price: Price = _unless_sent(0)
    currency: Currency = _unless_sent("")
    reason: Reason | None = None


class ReasonBody(Body):
    """Why; for requests that say nothing else."""

    reason: Reason | None = None


class RevertBody(Body):
    """Which version's values to bring back."""

    to_version: Version
    reason: Reason | None = None


class ScheduleBody(Body):
    """A price that takes effect by itself and, with `effective_until`, ends by itself."""

    price: Price
    currency: Currency | None = None
    effective_from: Moment
    effective_until: Moment | None = None
    reason: Reason | None = None

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.effective_until is not None and self.effective_until <= self.effective_from:
            raise PydanticCustomError("effective-until-too-early", "must end after it begins")
        return self


class _Row(Body):
    effective_at: Moment | None = None
    reason: Reason | None = None


class CreateRow(CreateBody, _Row):
    op: Literal["create"]
    id: ItemId | None = None


class PutRow(ReplaceBody, _Row):
    op: Literal["put"]
    id: ItemId
    if_version: Version | None = None


class PatchRow(PatchBody, _Row):
    op: Literal["patch"]
    id: ItemId
    if_version: Version | None = None


class DeleteRow(_Row):
    op: Literal["delete"]
    id: ItemId
    if_version: Version | None = None


Row = CreateRow | PutRow | PatchRow | DeleteRow
_AnyRow = Annotated[Row, Discriminator("op")]
ROW: TypeAdapter[Row] = TypeAdapter(_AnyRow)
ROWS: TypeAdapter[list[Row]] = TypeAdapter(list[_AnyRow])


class BatchBody(Body):
    """Up to 1,000 commands; each row stands for itself, or, `atomic`, for all."""

    atomic: bool = False
    reason: Reason | None = None
    commands: Annotated[list[Any], Field(min_length=1, max_length=BATCH_LIMIT)]


class GoodBatch(Body):
    """A batch of which every row is right, read in one go."""

    atomic: bool = False
    reason: Reason | None = None
    commands: Annotated[list[_AnyRow], Field(min_length=1, max_length=BATCH_LIMIT)]
