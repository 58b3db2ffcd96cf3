"""Reading a body: its media type, its JSON, its shape; and saying exactly what is wrong with it."""

from codecs import BOM_UTF8
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from math import isfinite
from typing import Any, TypeVar, cast
from urllib.parse import unquote_plus

import orjson
from fastapi import Request
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from api.amounts import what_is_wrong
from api.json_words import TOO_DEEP, why_no_json
from api.problems import ProblemRaised, bad_parameter, invalid_body, not_json
from runtime.problems import Problem

JSON = frozenset({"application/json"})
MERGE_PATCH = frozenset({"application/merge-patch+json", "application/json"})

# More is no slip of a pen: to tell all of thousands would take longer than to read them.
_MOST_SPOTS = 20

_OPERATIONS = frozenset({"create", "put", "patch", "delete"})

_Model = TypeVar("_Model", bound=BaseModel)

# pydantic's kinds of error, as the codes and sentences of this service.
_CODES: Mapping[str, tuple[str, str]] = {
    "missing": ("required", "is required"),
    "extra_forbidden": ("unknown-member", "is no member that is known here"),
    "bool_type": ("not-a-boolean", "must be true or false"),
    "int_type": ("not-an-integer", "must be a JSON integer"),
    "string_type": ("not-a-string", "must be a string"),
    "model_type": ("not-an-object", "must be a JSON object"),
    "model_attributes_type": ("not-an-object", "must be a JSON object"),
    "dict_type": ("not-an-object", "must be a JSON object"),
    "string_too_long": ("too-long", "has at most {max_length} characters"),
    "too_long": ("too-many", "has at most {max_length} entries, not {actual_length}"),
    "too_short": ("too-few", "has at least {min_length} entry"),
    "greater_than_equal": ("out-of-range", "must be at least {ge}"),
    "less_than_equal": ("out-of-range", "must be at most {le}"),
    "literal_error": ("not-allowed", "must be {expected}"),
    "list_type": ("not-an-array", "must be an array"),
    "union_tag_not_found": ("required", "needs a member op: create, put, patch or delete"),
    "union_tag_invalid": ("unknown-operation", "op is create, put, patch or delete"),
}


async def read_body(request: Request, model: type[_Model], media_types: Collection[str]) -> _Model:
    """Read the body as the model.

    Raises ProblemRaised: 415 for another media type, 400 where it is not JSON, 422 with a pointer
    to every wrong spot.
    """
    require_media_type(request, media_types)
    body = await request.body()
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise _raised(error, body, model) from None


def require_media_type(request: Request, media_types: Collection[str]) -> None:
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.strip().lower() != "identity":
        raise ProblemRaised(
            Problem(
                415,
                "unsupported-media-type",
                "The body is of a type that is not taken here",
                f"send the body as it is, not with Content-Encoding: {encoding}",
            ),
            {"Accept-Encoding": "identity"},
        )
    sent = request.headers.get("content-type", "")
    if sent.partition(";")[0].strip().lower() in media_types:
        return
    wanted = " or ".join(sorted(media_types))
    headers = {"Accept-Patch": ", ".join(sorted(media_types))} if request.method == "PATCH" else {}
    raise ProblemRaised(
        Problem(
            415,
            "unsupported-media-type",
            "The body is of a type that is not taken here",
            f"send Content-Type: {wanted}" + (f", not {sent}" if sent else ""),
        ),
        headers,
    )


def spots(
    error: ValidationError, prefix: str = "", document: object = None
) -> list[Mapping[str, str]]:
    """Name every wrong spot by an RFC 6901 pointer, with a code and a sentence; of very many, only
    say how many they are. The `document` says of which currency a price is.
    """
    count = error.error_count()
    if count > _MOST_SPOTS:
        detail = f"has {count:,} members or values that are wrong"
        return [{"pointer": prefix, "code": "too-many-errors", "detail": detail}]
    members = cast("dict[str, object]", document) if isinstance(document, dict) else {}
    currency = members.get("currency")
    return [_spot(each, prefix, currency) for each in error.errors(include_url=False)]


def _raised(error: ValidationError, body: bytes, model: type[BaseModel]) -> ProblemRaised:
    if not body.strip():
        return not_json(f"the body is empty: {_wanted(model)}")
    if body.startswith(BOM_UTF8):
        return not_json("it begins with a byte order mark: send UTF-8 without one")
    # The model's own parser also takes NaN and Infinity, which no JSON has.
    why = why_no_json(body)
    first = error.errors(include_url=False)[0] if error.error_count() == 1 else None
    if why is None and first is not None and first["type"] == "json_invalid":
        # It goes less deep than the other.
        why = TOO_DEEP
    return (
        ProblemRaised(invalid_body(spots(error, document=_document(body))))
        if why is None
        else not_json(why)
    )


def _document(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        # The other parser takes more, such as halves of characters.
        return None


def _wanted(model: type[BaseModel]) -> str:
    required = [name for name, each in model.model_fields.items() if each.is_required()]
    if required:
        return f"send a JSON object with {' and '.join(required)}"
    return f"send a JSON object with any of {', '.join(model.model_fields)}"


def _spot(error: ErrorDetails, prefix: str, currency: object) -> Mapping[str, str]:
    location = error["loc"]
    # A discriminated union puts the tag into the location; it is no part of the document.
    path = location[1:] if prefix and location[:1] and location[0] in _OPERATIONS else location
    code, detail = _CODES.get(error["type"], (error["type"].replace("_", "-"), error["msg"]))
    detail = detail.format_map(error.get("ctx", {})) if error["type"] in _CODES else detail
    if error["type"] == "extra_forbidden" and path == ("id",):
        detail = "is no member here: an id of your own stands in the path, as in PUT /items/lamp-1"
    if error["type"] == "int_type" and path[-1:] == ("price",):
        detail = _price_hint(error["input"], currency)
    return {"pointer": prefix + _pointer(path), "code": code, "detail": detail}


def _price_hint(value: Any, currency: object) -> str:
    """Say what a price is and, where it looks like an amount, what was probably meant."""
    rule = "must be a JSON integer, in minor units (cents)"
    if isinstance(value, float) and isfinite(value):
        return f"{rule}; {what_is_wrong(Decimal(repr(value)), repr(value), currency)}"
    if isinstance(value, bool | str):
        return f"{rule}, not a {'boolean' if isinstance(value, bool) else 'string'}"
    return rule


def _pointer(path: Sequence[str | int]) -> str:
    return "".join("/" + str(each).replace("~", "~0").replace("/", "~1") for each in path)


def require_known_parameters(request: Request, *known: str) -> None:
    """Refuse a query parameter that means nothing here, or is given twice: it, or one of the two,
    would be passed over in silence.
    """
    given: set[str] = set()
    for pair in request.url.query.split("&"):
        raw, _, value = pair.partition("=")
        name = unquote_plus(raw)
        if not pair:
            continue
        if name not in known:
            raise bad_parameter(name, "unknown-parameter", "is not known here")
        if name in given:
            raise bad_parameter(name, "repeated-parameter", "is given twice")
        given.add(name)
        try:
            unquote_plus(value, errors="strict")
        except UnicodeDecodeError:
            raise bad_parameter(name, "not-text", "is not UTF-8") from None
