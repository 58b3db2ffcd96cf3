"""Notices for the API processes that wait: from a batch just applied, or from SQL for commands that
were known already.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from sqlalchemy import Engine

from domain.item import Item
from domain.outcomes import Outcome
from eventlog.envelope import (
    Ask,
    Atomic,
    Envelope,
    ImportMark,
    Order,
    Pack,
    RevertRows,
    Rows,
    Unreadable,
)
from eventlog.notices import Notice
from ledger import heads, outcomes
from ledger.outcomes import KeptOutcome
from readmodel.views import schedules
from readmodel.views.items import render
from worker.apply import Decoded
from worker.outcome import in_its_place

_CREATED, _NO_CONTENT = 201, 204


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Somebody waits for a command, under a payload's fingerprint, with the item or without. A row
    of an atomic batch may have been rejected in its place: `rejected` is the name of that.
    """

    command_id: str
    fingerprint: str
    reply_to: str
    with_item: bool
    rejected: str | None = None


def notices(
    engine: Engine,
    batch: Iterable[Decoded],
    kept: Mapping[str, KeptOutcome],
    items: Mapping[str, Item],
) -> list[Notice]:
    """Make a notice for every entry of the batch whose sender waits.

    `kept` are the outcomes just made, `items` what those commands left behind that may be asked
    for; what is older is looked up.
    """
    waiting = list(_waiting(batch))
    if not waiting:
        return []
    elsewhere = [
        name
        for each in waiting
        if each.command_id not in kept and each.rejected not in kept
        for name in (each.command_id, each.rejected)
        if name is not None
    ]
    if elsewhere:
        with engine.connect() as connection:
            kept = {**kept, **outcomes.find(connection, elsewhere)}
    told: list[Notice] = []
    for each in waiting:
        rejected = None if each.rejected is None else kept.get(each.rejected)
        found = rejected or kept.get(each.command_id)
        if found is None:
            continue
        outcome = replace(found.outcome, command_id=each.command_id)
        reused = rejected is not None or each.fingerprint != outcome.fingerprint
        body = None
        if each.with_item and _has_item(outcome) and not reused:
            item = items.get(each.command_id)
            if item is None or _has_scheduled(item, each.command_id):
                body = _stored_body(engine, outcome)
            else:
                body = render(item)
        told.append(Notice(each.reply_to, each.fingerprint, outcome, found.position, body, reused))
    return told


def _has_scheduled(item: Item, command_id: str) -> bool:
    """Say whether the command scheduled a price, which an item does not tell all of."""
    return any(each.id == command_id for each in item.schedules)


def _stored_body(engine: Engine, outcome: Outcome) -> str | None:
    """Render from the ledger what a command has left behind."""
    with engine.connect() as connection:
        if outcome.http_status == _CREATED:
            asked = schedules.asked_at(connection, outcome.item_id, outcome.version)
            if asked is not None:
                return asked.render()
        item = heads.at_version(connection, outcome.item_id, outcome.version)
        return None if item is None else render(item)


def _waiting(batch: Iterable[Decoded]) -> Iterable[_Waiting]:
    for each in batch:
        match each.entry:
            case Envelope() as envelope:
                yield from _own([envelope])
            case Pack() as pack:
                yield from _own(pack.rows)
            case Ask() as ask:
                yield _Waiting(ask.command_id, ask.fingerprint, ask.reply_to, ask.with_item)
            case Atomic() as atomic:
                yield from _of_all(atomic, each.position.token)
            case Rows() | ImportMark() | RevertRows() | Order() | Unreadable():
                pass
            case _:
                assert_never(each.entry)


def _own(envelopes: Iterable[Envelope]) -> Iterable[_Waiting]:
    """Tell who waits for commands that stand each for itself."""
    for each in envelopes:
        if each.reply_to is not None:
            yield _Waiting(each.id, each.fingerprint, each.reply_to, each.with_item)


def _of_all(atomic: Atomic, token: str) -> Iterable[_Waiting]:
    for row in atomic.rows:
        if row.reply_to is not None:
            rejected = in_its_place(row.id, token)
            yield _Waiting(row.id, row.fingerprint, row.reply_to, row.with_item, rejected)


def _has_item(outcome: Outcome) -> bool:
    return outcome.status in {"applied", "unchanged"} and outcome.http_status != _NO_CONTENT
