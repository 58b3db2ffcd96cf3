"""What is said of a command once it is decided."""

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from domain.commands import (
    AtVersion,
    CancelScheduledPrice,
    Command,
    CreateItem,
    DeleteItem,
    PatchItem,
    ReplaceItem,
    RestoreItem,
    RevertItem,
    SchedulePrice,
    TakeDue,
)
from domain.events import Event, ItemCreated, ItemRestored
from domain.outcomes import Outcome
from domain.refusals import PreconditionFailed, Refusal
from eventlog.codec import read
from eventlog.envelope import Atomic, BadRow, Envelope, Order
from ledger.imports import MIXED
from ledger.quarantine import Quarantined
from runtime.errors import headline
from runtime.problems import STATUS_OF_KIND
from runtime.times import rfc3339

# Of a row that would have been applied, had another one of its batch not been refused.
BATCH_REJECTED = "batch-rejected"


def decided(envelope: Envelope, happened: Sequence[Event], version: int) -> Outcome:
    """Say what came of a command that was not refused; `version` is the item's after it."""
    return Outcome(
        envelope.id,
        envelope.command.item_id,
        "applied" if happened else "unchanged",
        _http_status(envelope.command, happened),
        version,
        fingerprint=envelope.fingerprint,
    )


def refused(envelope: Envelope, refusal: Refusal) -> Outcome:
    return Outcome(
        envelope.id,
        envelope.command.item_id,
        "rejected",
        STATUS_OF_KIND[refusal.kind],
        refusal.version,
        refusal.code,
        str(refusal),
        envelope.fingerprint,
    )


def not_as_left(outcome: Outcome, command: Command) -> Outcome:
    """Say why a revert leaves an item alone, in words of who reads it, where the item is not as the
    import has left it.
    """
    if outcome.code != PreconditionFailed.code:
        return outcome
    match command:
        case DeleteItem(expected=AtVersion(versions)) | RevertItem(expected=AtVersion(versions)):
            made, now = min(versions), f"it is at version {outcome.version}"
            why = (
                f"somebody else changed it between two rows of the import ({now})"
                if made == MIXED
                else f"it was changed since ({now}, the import made version {made})"
            )
            return replace(outcome, detail=why)
        case _:
            return outcome


def expired(envelope: Envelope, now: int) -> Outcome:
    deadline = rfc3339(envelope.deadline or 0)
    why = f"its deadline was {deadline}, and its turn came at {rfc3339(now)}"
    item_id = envelope.command.item_id
    return Outcome(envelope.id, item_id, "expired", 409, 0, "expired", why, envelope.fingerprint)


def not_taken(row: Envelope | BadRow, code: str, why: str) -> Outcome:
    """Say of a row of an import that it is not taken, as the import was over before."""
    item_id = row.command.item_id if isinstance(row, Envelope) else ""
    return Outcome(row.id, item_id, "skipped", 409, 0, code, why, row.fingerprint)


def bad(row: BadRow) -> Outcome:
    return Outcome(row.id, row.item_id, "rejected", 422, 0, row.code, row.detail, row.fingerprint)


def would_be_dead(row: Envelope, why: str) -> Outcome:
    """Say of a row of a dry run what a defect would come to."""
    item_id, told = row.command.item_id, f"it would be set aside for a defect: {why}"
    return Outcome(row.id, item_id, "dead", 500, 0, "discarded", told, row.fingerprint)


def dropped_together(row: Envelope, why: str) -> Outcome:
    """Say of a row of an atomic batch that it is not applied because of another one."""
    code, item_id = BATCH_REJECTED, row.command.item_id
    return Outcome(row.id, item_id, "rejected", 409, 0, code, why, row.fingerprint)


def blocked(row: Envelope) -> Outcome:
    """Say of a row of an atomic batch that its item waits behind a dead command: all of them would
    have to.
    """
    item_id = row.command.item_id
    why = f"item {item_id} waits behind a command that is dead; see `itemledger dead`"
    return Outcome(row.id, item_id, "rejected", 409, 0, "item-blocked", why, row.fingerprint)


def not_dead(order: Order) -> Outcome:
    why = f"command {order.command_id} is not among the dead"
    return Outcome(order.id, "", "rejected", 404, 0, "not-dead", why)


def in_its_place(command_id: str, token: str) -> str:
    """Name what became of a payload that came under the id of another one."""
    return f"{command_id}@{token}"


def reused(command_id: str, item_id: str, token: str, fingerprint: str) -> Outcome:
    """Say of a command whose id another payload has that it was not taken; it is found by its id
    and its place.
    """
    why = "the same caller sent this key with another payload to the same method and path"
    return _reused(command_id, item_id, token, fingerprint, why)


def another_row(row: Envelope | BadRow, item_id: str, token: str) -> Outcome:
    """Say of a row of an import that is sent again that another one came in its place before; it is
    found by its id and its place in the log.
    """
    why = "another row came in this place under the same key before; send it under a new key"
    return _reused(row.id, item_id, token, row.fingerprint, why)


def _reused(command_id: str, item_id: str, token: str, fingerprint: str, why: str) -> Outcome:
    name, code = in_its_place(command_id, token), "idempotency-key-reused"
    return Outcome(name, item_id, "rejected", 422, 0, code, why, fingerprint)


def discarded(found: Quarantined, actor: str) -> list[Outcome]:
    """Say what becomes of a dead command, or of each of an atomic batch, that is given up. A price
    that is due can not be: it takes effect with the next command of its item.
    """
    why = f"{actor} gave it up after: {headline(found.error or 'no reason is known')}"
    entry = read(found.body)
    if isinstance(entry, Envelope) and isinstance(entry.command, TakeDue):
        return []
    if isinstance(entry, Atomic):
        return [
            Outcome(
                each.id,
                each.command.item_id,
                "dead",
                500,
                0,
                "discarded",
                why,
                each.fingerprint,
            )
            for each in entry.rows
        ]
    fingerprint = entry.fingerprint if isinstance(entry, Envelope) else ""
    item_id = found.item_id or ""
    return [Outcome(found.command_id, item_id, "dead", 500, 0, "discarded", why, fingerprint)]


def envelope_in(body: bytes) -> Envelope | None:
    """Read which command was set aside, of an atomic batch the first one; `None` where that can not
    be made out.
    """
    match read(body):
        case Envelope() as envelope:
            return envelope
        case Atomic(rows=(first, *_)):
            return first
        case _:
            return None


def _http_status(command: Command, happened: Sequence[Event]) -> int:
    """Say what a synchronous API would have answered to a command that was not refused."""
    match command:
        case ReplaceItem():
            # What brings an item, or brings it back, comes first.
            brought = happened and isinstance(happened[0], (ItemCreated, ItemRestored))
            return 201 if brought else 200
        case CreateItem() | SchedulePrice():
            return 201
        case PatchItem() | RestoreItem() | RevertItem() | TakeDue():
            return 200
        case DeleteItem() | CancelScheduledPrice():
            return 204
        case _:
            assert_never(command)
