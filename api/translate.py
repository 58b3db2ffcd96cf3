"""From bodies to commands."""

from typing import assert_never

from api.schemas import (
    CreateBody,
    PatchBody,
    ReplaceBody,
    Row,
)
from domain.commands import (
    ABSENT,
    AtVersion,
    Command,
    CreateItem,
    DeleteItem,
    Existence,
    Expected,
    PatchItem,
    ReplaceItem,
)


def create(
    body: CreateBody, item_id: str, now: int, currency: str, effective_at: int | None = None
) -> CreateItem:
    return CreateItem(
        item_id,
        now,
        body.name,
        body.description,
        body.price,
        body.currency or currency,
        effective_at,
    )


def replace(
    body: ReplaceBody,
    item_id: str,
    now: int,
    currency: str,
    expected: Expected,
    effective_at: int | None = None,
) -> ReplaceItem:
    return ReplaceItem(
        item_id,
        now,
        body.name,
        body.description,
        body.price,
        body.currency,
        currency,
        expected,
        effective_at,
    )


def patch(
    body: PatchBody, item_id: str, now: int, expected: Expected, effective_at: int | None = None
) -> PatchItem:
    sent = body.model_fields_set
    return PatchItem(
        item_id,
        now,
        body.name if "name" in sent else None,
        body.description if "description" in sent else ABSENT,
        body.price if "price" in sent else None,
        body.currency if "currency" in sent else None,
        expected,
        effective_at,
    )


def row(parsed: Row, new_item_id: str, now: int, currency: str) -> Command:
    """Make the command of a batch's row; `new_item_id` is for a creation that names none."""
    at = parsed.effective_at
    # By the tag: to ask a model's class takes longer than all the rest.
    match parsed.op:
        case "put":
            return replace(parsed, parsed.id, now, currency, _at(parsed.if_version), at)
        case "create":
            return create(parsed, parsed.id or new_item_id, now, currency, at)
        case "patch":
            return patch(parsed, parsed.id, now, _at(parsed.if_version), at)
        case "delete":
            return DeleteItem(parsed.id, now, _at(parsed.if_version), at)
        case _:
            assert_never(parsed)


def _at(version: int | None) -> Expected:
    return Existence.ANY if version is None else AtVersion(frozenset([version]))
