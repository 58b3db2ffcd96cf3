"""Packs as JSON. What all their commands have in common stands once, so that a row costs little
more than what it says.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from domain.commands import Command
from eventlog import commands, members
from eventlog.envelope import Envelope, Pack
from runtime.row_ids import number_of, row_id

OPERATION = "pack"


@dataclass(frozen=True, slots=True)
class Shared:
    """What the commands of a request have in common; the names are those of an envelope."""

    actor: str
    received_at: int
    reply_to: str | None = None
    trace: str | None = None
    with_item: bool = True
    deadline: int | None = None
    request_id: str | None = None


# The number of a command among those of its request, the command, its fingerprint and its reason.
Row = tuple[int, Command, str, str | None]


def pack(pack_id: str, shared: Shared, rows: Iterable[Row], fingerprint: str) -> bytes:
    """Write a pack, of commands that were all received when the others were."""
    document: dict[str, Any] = {
        "id": pack_id,
        "op": OPERATION,
        "actor": shared.actor,
        "at": shared.received_at,
        "fp": fingerprint,
        "rows": [_row(*each) for each in rows],
    }
    if shared.reply_to is not None:
        document["reply"] = shared.reply_to
    if shared.trace is not None:
        document["trace"] = shared.trace
    if shared.deadline is not None:
        document["dead"] = shared.deadline
    if shared.request_id is not None:
        document["request"] = shared.request_id
    if not shared.with_item:
        document["bare"] = 1
    return orjson.dumps(document)


def encode(entry: Pack) -> bytes:
    """Write a pack as it was read."""
    first = entry.rows[0]
    shared = Shared(
        first.actor,
        first.command.received_at,
        first.reply_to,
        first.trace,
        first.with_item,
        first.deadline,
        first.request_id,
    )
    rows = [
        (number_of(each.id), each.command, each.fingerprint, each.reason) for each in entry.rows
    ]
    return pack(entry.id, shared, rows, entry.fingerprint)


def _row(number: int, command: Command, fingerprint: str, reason: str | None) -> dict[str, Any]:
    document = commands.said(command)
    document["item"] = command.item_id
    document["row"] = number
    if fingerprint:
        document["fp"] = fingerprint
    if reason is not None:
        document["reason"] = reason
    return document


def unpack(document: dict[str, Any], rows: Sequence[dict[str, Any]]) -> Pack:
    """Read a pack. Raises KeyError, ValueError and the like where `pack` has not written it."""
    pack_id, actor, at = document["id"], document["actor"], document["at"]
    reply_to, trace = document.get("reply"), document.get("trace")
    deadline, request_id = document.get("dead"), document.get("request")
    with_item = "bare" not in document
    envelopes: list[Envelope] = []
    for each in rows:
        members.check(each)
        envelopes.append(
            Envelope(
                row_id(pack_id, each["row"]),
                commands.decode(each, at),
                actor,
                each.get("fp", ""),
                reply_to,
                each.get("reason"),
                trace,
                with_item,
                deadline,
                request_id,
            )
        )
    if not envelopes:
        raise ValueError("a pack has at least one command")
    return Pack(pack_id, tuple(envelopes), document["fp"])
