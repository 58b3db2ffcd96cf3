"""From a record of a file to what stands in the log: a command, or why the row is none."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from api import translate
from api.bodies import spots
from api.imports.splitting import RECORD_LIMIT, Record
from api.schemas import ROW
from domain import rules
from domain.refusals import RuleBroken
from eventlog.envelope import BadRow, Envelope
from runtime.keyed_ids import uuid8
from runtime.row_ids import row_id

_LONGEST_DETAIL = 1000
_DIGEST = 12
_SPOT = "/row"
_TOO_LARGE = f"a row has at most {RECORD_LIMIT // 2**20} MiB"

NEEDS_SCOPE = "insufficient-scope"


class NotARow(Exception):
    """A record that is no row: `code` is stable, `str()` says what is wrong; `item_id` is what it
    has in the place of an id, if it is known where that is.
    """

    def __init__(self, code: str, detail: str, item_id: Any = None) -> None:
        super().__init__(detail)
        self.code = code
        self.item_id = item_id


# The members of a record's row. Raises NotARow.
Parse = Callable[[bytes], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Given:
    """What all rows of an import share. `may_backfill` where its sender may say when something
    took effect.
    """

    import_id: str
    actor: str
    reason: str | None
    currency: str
    may_backfill: bool = True


def needs_ops(members: Mapping[str, Any]) -> bool:
    """Say whether a row asks for what only operators may do."""
    return members.get("effective_at") is not None


def read_row(record: Record, parse: Parse, given: Given, now: int) -> Envelope | BadRow:
    """Make of a record what stands in the log; the same record always makes the same."""
    row = row_id(given.import_id, record.row)
    if record.text is None:
        return BadRow(row, "", "row-too-large", _TOO_LARGE)
    fingerprint = _fingerprint(record.text)
    members: dict[str, Any] = {}
    try:
        members = parse(record.text)
        members.setdefault("op", "put")
        _require_scope(members, given)
        parsed = ROW.validate_python(members)
    except NotARow as error:
        named = members.get("id", error.item_id)
        return _bad(row, fingerprint, error.code, str(error), named)
    except ValidationError as error:
        return _bad(
            row,
            fingerprint,
            "invalid-body",
            _told(error, {"currency": given.currency} | members),
            members.get("id"),
        )
    unnamed = parsed.op == "create" and parsed.id is None
    command = translate.row(parsed, uuid8(row, "item") if unnamed else "", now, given.currency)
    return Envelope(
        row,
        command,
        given.actor,
        fingerprint,
        reason=parsed.reason or given.reason,
        with_item=False,
    )


def _require_scope(members: Mapping[str, Any], given: Given) -> None:
    if needs_ops(members) and not given.may_backfill:
        raise NotARow(NEEDS_SCOPE, "effective_at: needs the scope ops")


def _bad(row: str, fingerprint: str, code: str, detail: str, named: Any) -> BadRow:
    # Its own words may hold what a file had in place of a name; a log entry has no NUL, and no half
    # of a character.
    detail = detail.replace("\0", "\\0").encode(errors="backslashreplace").decode()
    return BadRow(row, fingerprint, code, detail[:_LONGEST_DETAIL], _item_id(named))


def _item_id(named: Any) -> str:
    """Return what a row names where that can be the id of an item; '' where it can not."""
    try:
        return rules.item_id(named) if isinstance(named, str) else ""
    except RuleBroken:
        return ""


def _fingerprint(text: bytes) -> str:
    digest = hashlib.blake2b(text, digest_size=_DIGEST).digest()
    return base64.urlsafe_b64encode(digest).decode()


def _told(error: ValidationError, members: Mapping[str, Any]) -> str:
    """Name every wrong member and what is wrong with it."""
    return "; ".join(
        f"{spot}: {each['detail']}" if spot else each["detail"]
        for each in spots(error, _SPOT, members)
        for spot in [each["pointer"].removeprefix(_SPOT).removeprefix("/")]
    )
