"""Log entries as JSON."""

import traceback
from typing import Any, assert_never, cast

import orjson

from domain.refusals import RuleBroken
from eventlog import commands, members, packing
from eventlog.envelope import (
    Ask,
    Atomic,
    BadRow,
    Entry,
    Envelope,
    ImportMark,
    Order,
    Pack,
    RevertRows,
    Rows,
    Unreadable,
    UnreadableEntry,
)

_LONGEST_ID = 255
# What is no command of its own.
_OTHERS = frozenset(
    {"rows", packing.OPERATION, "atomic", "import", "unimport", "ask", "replay", "discard"}
)


def encode(entry: Entry) -> bytes:
    return packing.encode(entry) if isinstance(entry, Pack) else orjson.dumps(_document(entry))


def _document(
    entry: Envelope | Rows | Atomic | ImportMark | RevertRows | Ask | Order,
) -> dict[str, Any]:
    match entry:
        case Envelope():
            return _envelope(entry)
        case Rows() | Atomic():
            document: dict[str, Any] = {
                "id": entry.id,
                "op": "atomic",
                "rows": [_row(each) for each in entry.rows],
            }
            if isinstance(entry, Rows):
                document |= {
                    "op": "rows",
                    "import": entry.import_id,
                    "dry": int(entry.dry),
                    "stop": int(entry.stop),
                }
            return document
        case ImportMark():
            document = {
                "id": entry.id,
                "op": "import",
                "import": entry.import_id,
                "mark": entry.mark,
                "actor": entry.actor,
                "at": entry.at,
                "rows": entry.rows,
                "detail": entry.detail,
                "dry": int(entry.dry),
                "stop": int(entry.stop),
                "reverts": entry.reverts,
            }
            return document if entry.file is None else document | {"file": entry.file}
        case RevertRows():
            return {
                "id": entry.id,
                "op": "unimport",
                "import": entry.import_id,
                "reverts": entry.reverts,
                "after": entry.after,
                "actor": entry.actor,
                "reason": entry.reason,
                "at": entry.at,
                "row": entry.row,
            }
        case Ask():
            document = {
                "id": entry.id,
                "op": "ask",
                "of": entry.command_id,
                "fp": entry.fingerprint,
                "reply": entry.reply_to,
            }
            return document if entry.with_item else document | {"bare": 1}
        case Order():
            return {"id": entry.id, "op": entry.what, "of": entry.command_id, "actor": entry.actor}
        case _:
            assert_never(entry)


def _envelope(entry: Envelope) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": entry.id,
        "actor": entry.actor,
        "fp": entry.fingerprint,
        **commands.encode(entry.command),
    }
    optional = {
        "reply": entry.reply_to,
        "reason": entry.reason,
        "trace": entry.trace,
        "dead": entry.deadline,
        "request": entry.request_id,
    }
    document |= {name: value for name, value in optional.items() if value is not None}
    if not entry.with_item:
        document["bare"] = 1
    return document


def _row(row: Envelope | BadRow) -> dict[str, Any]:
    if isinstance(row, Envelope):
        return _envelope(row)
    bad = {"id": row.id, "fp": row.fingerprint, "code": row.code, "detail": row.detail}
    return bad | {"item": row.item_id} if row.item_id else bad


def decode(body: bytes) -> Entry:
    """Raises UnreadableEntry."""
    try:
        return _entry(orjson.loads(body))
    except (ValueError, KeyError, TypeError, AttributeError, RuleBroken) as error:
        raise UnreadableEntry(f"{type(error).__name__}: {error}") from error


def _entry(document: dict[str, Any]) -> Entry:
    op = document["op"]
    if op not in _OTHERS:
        return _read_envelope(document)
    members.check(document)
    match op:
        case "rows" | "atomic" | packing.OPERATION:
            return _read_several(document, _said(document, "rows", list))
        case "import" | "unimport":
            return _read_of_import(document)
        case "ask":
            with_item = "bare" not in document
            return Ask(document["id"], document["of"], document["fp"], document["reply"], with_item)
        case _:
            return Order(document["id"], document["op"], document["of"], document["actor"])


def _read_several(document: dict[str, Any], rows: list[Any]) -> Rows | Pack | Atomic:
    match document["op"]:
        case "rows":
            return Rows(
                document["id"],
                document["import"],
                tuple(_read_row(each) for each in rows),
                bool(document["dry"]),
                bool(document["stop"]),
            )
        case packing.OPERATION:
            return packing.unpack(document, rows)
        case _:
            return Atomic(document["id"], tuple(_read_envelope(each) for each in rows))


def _read_of_import(document: dict[str, Any]) -> ImportMark | RevertRows:
    if document["op"] == "import":
        return ImportMark(
            document["id"],
            document["import"],
            document["mark"],
            document["actor"],
            document["at"],
            _said(document, "rows", int),
            document["detail"],
            bool(document["dry"]),
            bool(document["stop"]),
            document["reverts"],
            # Earlier releases did not know it.
            document.get("file"),
        )
    return RevertRows(
        document["id"],
        document["import"],
        _said(document, "reverts", str),
        document["after"],
        document["actor"],
        document["reason"],
        document["at"],
        document["row"],
    )


def _read_row(document: dict[str, Any]) -> Envelope | BadRow:
    if "op" in document:
        return _read_envelope(document)
    members.check(document)
    detail = _said(document, "detail", str)
    item_id = document.get("item", "")
    return BadRow(document["id"], document["fp"], document["code"], detail, item_id)


def _said(document: dict[str, Any], name: str, kind: type[Any]) -> Any:
    """Return a member that may be of other kinds in other entries."""
    value = document[name]
    if not isinstance(value, kind):
        raise TypeError(f"{name} is nothing that this release writes: {value!r:.100}")
    return value


def _read_envelope(document: dict[str, Any]) -> Envelope:
    members.check(document)
    return Envelope(
        document["id"],
        commands.decode(document),
        document["actor"],
        document["fp"],
        document.get("reply"),
        document.get("reason"),
        document.get("trace"),
        "bare" not in document,
        document.get("dead"),
        document.get("request"),
    )


def read(body: bytes) -> Entry | Unreadable:
    """Decode an entry, or say why it can not be."""
    try:
        return decode(body)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  whatever it is: the entry is kept, with the reason
        why = traceback.format_exc()
    try:
        document = orjson.loads(body)
    except ValueError:
        return Unreadable(None, None, why)
    return Unreadable(_text(document, "id"), _text(document, "item"), why)


def _text(document: Any, name: str) -> str | None:
    value = cast("dict[str, Any]", document).get(name) if isinstance(document, dict) else None
    if isinstance(value, str) and 0 < len(value) <= _LONGEST_ID and "\0" not in value:
        return value
    return None
