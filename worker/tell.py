"""Notices for the API processes that wait: from a batch just applied, or from SQL for commands that
were known already.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import assert_never

from sqlalchemy import Engine

from domain.outcomes import Outcome
from eventlog.envelope import Ask, Envelope, Order, Unreadable
from eventlog.notices import Notice
from ledger import heads, outcomes
from readmodel.views.items import render
from worker.apply import Applied, Decoded

_NO_CONTENT = 204


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Somebody waits for a command, under a payload's fingerprint, with the item or without."""

    command_id: str
    fingerprint: str
    reply_to: str
    with_item: bool


def notices(engine: Engine, batch: Sequence[Decoded], applied: Applied) -> list[Notice]:
    """Make a notice for every entry of the batch whose sender waits."""
    waiting = list(_waiting(batch))
    if not waiting:
        return []
    elsewhere = [each.command_id for each in waiting if each.command_id not in applied.outcomes]
    with engine.connect() as connection:
        kept = {**applied.outcomes, **outcomes.find(connection, elsewhere)}
        told: list[Notice] = []
        for each in waiting:
            found = kept.get(each.command_id)
            if found is None:
                continue
            outcome = found.outcome
            reused = each.fingerprint != outcome.fingerprint
            item = None
            if each.with_item and _has_item(outcome) and not reused:
                item = applied.items.get(each.command_id) or heads.at_version(
                    connection, outcome.item_id, outcome.version
                )
            body = None if item is None else render(item)
            told.append(
                Notice(each.reply_to, each.fingerprint, outcome, found.position, body, reused)
            )
    return told


def _waiting(batch: Iterable[Decoded]) -> Iterable[_Waiting]:
    for each in batch:
        match each.entry:
            case Envelope() as envelope:
                if envelope.reply_to is not None:
                    yield _Waiting(
                        envelope.id, envelope.fingerprint, envelope.reply_to, envelope.with_item
                    )
            case Ask() as ask:
                yield _Waiting(ask.command_id, ask.fingerprint, ask.reply_to, ask.with_item)
            case Order() | Unreadable():
                pass
            case _:
                assert_never(each.entry)


def _has_item(outcome: Outcome) -> bool:
    return outcome.status in {"applied", "unchanged"} and outcome.http_status != _NO_CONTENT
