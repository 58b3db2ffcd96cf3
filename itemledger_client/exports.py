"""All items as of one moment, and where the feed goes on after it."""

import json
import re
from dataclasses import dataclass
from typing import Literal, Never
from urllib.parse import parse_qs, urlsplit

from itemledger_client.own_writes import Reading, fresh
from itemledger_client.problems import BrokenOff, NotUnderstood, problem_of
from itemledger_client.session import Session, insist
from itemledger_client.steps import Answer, Broken, Give, NextLine, NextPiece, Steps
from itemledger_client.values import Item

_CHANGES = re.compile(r'<([^>]*)>\s*;\s*rel="changes"')
# Seconds without a byte after which the service is taken for gone; before the first one it counts.
_SILENCE = 60.0


Form = Literal["ndjson", "csv"]


@dataclass(frozen=True, slots=True)
class ExportHead:
    """How many items there will be, and where the feed goes on right after them."""

    count: int
    cursor: str
    changes: str


def export(session: Session, *, include_deleted: bool) -> Steps[ExportHead | Item, None]:
    """Give the head, and then every item by its id."""
    head = yield from _opened(session, "ndjson", include_deleted=include_deleted)
    yield Give(head)
    had = 0
    while True:
        line: bytes | Broken | None = yield NextLine()
        if not isinstance(line, bytes):
            break
        yield Give(_item(line, had))
        had += 1
    if had != head.count:
        why = line.why if line is not None else "the service's log says why"
        raise BrokenOff(f"after {had:,} of {head.count:,} items ({why}): export again")


def download(
    session: Session, form: Form, *, include_deleted: bool
) -> Steps[ExportHead | bytes, None]:
    """Give the head, and then the bytes as they come."""
    head = yield from _opened(session, form, include_deleted=include_deleted)
    yield Give(head)
    while True:
        piece: bytes | Broken | None = yield NextPiece()
        if isinstance(piece, Broken):
            raise BrokenOff(piece.why)
        if piece is None:
            return
        yield Give(piece)


def _opened(session: Session, form: Form, *, include_deleted: bool) -> Steps[Never, ExportHead]:
    if session.own_writes != "ignore" and session.tokens.needed("items"):
        # What is covered by a list of items is in every later moment.
        probe = session.to_query("/items", {"limit": 1})
        yield from fresh(session, Reading(probe, "items", probe))
    request = session.to_query(
        "/exports/items",
        {"format": form, "include_deleted": include_deleted or None},
        # Compressed on the way it could not be told from its length whether it is whole.
        headers={"Accept-Encoding": "identity"},
        timeout=max(session.timeout, _SILENCE),
    )
    answer = yield from insist(session, request, opens=True)
    if not answer.is_success:
        raise problem_of(answer)
    return _head(answer)


def _head(answer: Answer) -> ExportHead:
    count = answer.headers.get("export-items", "")
    link = _CHANGES.search(answer.headers.get("link", ""))
    if link is None or not count.isdecimal():
        raise NotUnderstood("an export without Export-Items, or without a link to the changes")
    (cursor,) = parse_qs(urlsplit(link[1]).query).get("after", [""])
    return ExportHead(int(count), cursor, link[1])


def _item(line: bytes, had: int) -> Item:
    try:
        return Item.of(json.loads(line))
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenOff(f"after {had:,} items a line is no item ({error!r})") from error
