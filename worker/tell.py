"""Notices for the API processes that wait: from a batch just applied, or from SQL for commands that
were known already.
"""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Engine

from domain.item import Item
from domain.outcomes import Outcome
from eventlog.envelope import Ask, Envelope
from eventlog.notices import Notice
from ledger import heads, outcomes
from ledger.outcomes import KeptOutcome
from readmodel.views.items import render
from worker.apply import Applied, Decoded

_NO_CONTENT = 204


def notices(engine: Engine, batch: Sequence[Decoded], applied: Applied) -> list[Notice]:
    """Make a notice for every entry of the batch whose sender waits."""
    waiting = list(_waiting(batch))
    if not waiting:
        return []
    elsewhere = [asked for asked, _, _ in waiting if asked not in applied.outcomes]
    with engine.connect() as connection:
        kept: dict[str, KeptOutcome] = {
            **applied.outcomes,
            **outcomes.find(connection, elsewhere),
        }
        told: list[Notice] = []
        for asked, fingerprint, reply_to in waiting:
            found = kept.get(asked)
            if found is None:
                continue
            reused = fingerprint != found.outcome.fingerprint
            item = _item_after(found.outcome, applied.items)
            if item is None and _has_body(found.outcome) and not reused:
                item = heads.at_version(connection, found.outcome.item_id, found.outcome.version)
            body = None if item is None or reused else render(item)
            told.append(Notice(reply_to, fingerprint, found.outcome, found.position, body, reused))
    return told


def _waiting(batch: Iterable[Decoded]) -> Iterable[tuple[str, str, str]]:
    """Yield the command, the fingerprint and the API process of every entry somebody waits for."""
    for each in batch:
        match each.entry:
            case Envelope(id=command_id, fingerprint=fingerprint, reply_to=reply_to):
                if reply_to is not None:
                    yield command_id, fingerprint, reply_to
            case Ask(command_id=command_id, fingerprint=fingerprint, reply_to=reply_to):
                yield command_id, fingerprint, reply_to


def _has_body(outcome: Outcome) -> bool:
    return outcome.status != "rejected" and outcome.http_status != _NO_CONTENT


def _item_after(outcome: Outcome, items: Mapping[str, Item]) -> Item | None:
    """Find the item as the command left it, where a later one of the batch did not move it on."""
    item = items.get(outcome.item_id)
    if not _has_body(outcome) or item is None or item.version != outcome.version:
        return None
    return item
