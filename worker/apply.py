"""One batch of the log, one SQL transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

import structlog
from sqlalchemy import Connection, Engine

from domain.commands import Command, CreateItem, DeleteItem, PatchItem, ReplaceItem, RestoreItem
from domain.decide import decide
from domain.events import Event, ItemCreated, ItemRestored
from domain.evolve import fold
from domain.item import Item
from domain.outcomes import Outcome
from domain.refusals import Refusal
from eventlog.envelope import Ask, Entry, Envelope
from ledger import checkpoints, events, gaps, heads, outcomes, partitions
from ledger.gaps import Gap
from ledger.outcomes import KeptOutcome
from ledger.partitions import Checkpoint
from ledger.recorded import Recorded
from runtime.positions import Position
from runtime.problems import STATUS_OF_KIND

log = structlog.get_logger()

Project = Callable[[Connection, Sequence[Recorded], Mapping[str, Item]], None]


@dataclass(frozen=True, slots=True)
class Decoded:
    """A log entry as read: where it stands and what it says."""

    position: Position
    entry: Entry


@dataclass(frozen=True, slots=True)
class Applied:
    """What a batch came to: where the ledger now is, and what became of every command in it.

    `items` holds, by command, the item as the command left it, where somebody waits to be told.
    """

    upto: Position
    outcomes: Mapping[str, KeptOutcome]
    items: Mapping[str, Item]
    events: int
    gaps: Sequence[Gap]


class Held(Exception):
    """Another writer has the partition."""


def apply(
    engine: Engine,
    projections: Mapping[str, Project],
    batch: Sequence[Decoded],
    epoch_ends: Mapping[int, int],
    now: int,
) -> Applied:
    """Apply a batch of one partition, all or nothing.

    Raises Held, and SQLAlchemy's errors; either way nothing has changed.
    """
    partition = batch[0].position.partition
    with engine.begin() as connection:
        checkpoint = partitions.lock(connection, partition)
        if checkpoint is None:
            raise Held(partition)
        fresh = [each for each in batch if each.position > checkpoint.position]
        if not fresh:
            return Applied(checkpoint.position, {}, {}, 0, ())
        missing = _missing(checkpoint.position, fresh, epoch_ends)
        if missing:
            gaps.record(connection, missing, now)
        work = _Work(connection, checkpoint, now)
        for each in work.unknown(fresh):
            work.take(each)
        work.write(projections, fresh[-1].position)
        return Applied(fresh[-1].position, work.outcomes, work.left, len(work.recorded), missing)


class _Work:
    """A batch while it is decided: items as they become, and what is to be written."""

    def __init__(self, connection: Connection, checkpoint: Checkpoint, now: int) -> None:
        self._connection = connection
        self._checkpoint = checkpoint
        self._partition = checkpoint.position.partition
        self._now = now
        # The wall clock may go back, the ledger's does not.
        self._recorded_at = max(now, checkpoint.recorded_at)
        self._offset = checkpoint.offset
        self._changed: dict[str, Item] = {}
        self._items: dict[str, Item] = {}
        self.left: dict[str, Item] = {}
        self.recorded: list[Recorded] = []
        self.outcomes: dict[str, KeptOutcome] = {}

    def unknown(self, fresh: Sequence[Decoded]) -> list[tuple[Position, Envelope]]:
        """Leave out commands that have an outcome or stand earlier in the batch, and load the heads
        of the items the others touch.
        """
        first: dict[str, tuple[Position, Envelope]] = {}
        for each in fresh:
            match each.entry:
                case Envelope():
                    first.setdefault(each.entry.id, (each.position, each.entry))
                case Ask():
                    pass
                case _:
                    assert_never(each.entry)
        for known in outcomes.find(self._connection, list(first)):
            del first[known]
        touched = {envelope.command.item_id for _, envelope in first.values()}
        if touched:
            self._items = heads.load(self._connection, list(touched))
        return list(first.values())

    def take(self, positioned: tuple[Position, Envelope]) -> None:
        """Decide one command and evolve its item."""
        position, envelope = positioned
        command = envelope.command
        item = self._items.get(command.item_id)
        try:
            happened = decide(command, item, self._recorded_at)
        except Refusal as refusal:
            outcome = Outcome(
                envelope.id,
                command.item_id,
                "rejected",
                STATUS_OF_KIND[refusal.kind],
                refusal.version,
                refusal.code,
                str(refusal),
                envelope.fingerprint,
            )
        else:
            version = 0 if item is None else item.version
            for event in happened:
                self._offset += 1
                version += 1
                self.recorded.append(
                    Recorded(
                        self._partition,
                        self._offset,
                        version,
                        event,
                        envelope.id,
                        envelope.actor,
                        envelope.reason,
                    )
                )
            after = fold(happened, item)
            if after is not None and happened:
                self._items[after.id] = self._changed[after.id] = after
            if after is not None and envelope.reply_to is not None and envelope.with_item:
                self.left[envelope.id] = after
            outcome = Outcome(
                envelope.id,
                command.item_id,
                "applied" if happened else "unchanged",
                _http_status(command, happened),
                version,
                fingerprint=envelope.fingerprint,
            )
        self.outcomes[envelope.id] = KeptOutcome(outcome, position, self._now)

    def write(self, projections: Mapping[str, Project], upto: Position) -> None:
        """Write everything the batch came to, each kind of row in one statement."""
        connection = self._connection
        last_hash = events.append(connection, self.recorded, self._checkpoint.hash)
        heads.store(connection, self._changed.values(), self._partition)
        for project in projections.values():
            project(connection, self.recorded, self._changed)
        checkpoints.move(connection, projections, self._partition, self._offset)
        outcomes.keep(connection, self.outcomes.values())
        partitions.move(connection, Checkpoint(upto, self._offset, self._recorded_at, last_hash))


def _missing(last: Position, fresh: Sequence[Decoded], epoch_ends: Mapping[int, int]) -> list[Gap]:
    """Find what the batch passes over, at its start or inside it."""
    missing: list[Gap] = []
    for each in fresh:
        if each.position.epoch != last.epoch or each.position.n != last.n + 1:
            missing += gaps.between(last, each.position, epoch_ends)
        last = each.position
    return missing


def _http_status(command: Command, happened: Sequence[Event]) -> int:
    """Say what a synchronous API would have answered to a command that was not refused."""
    match command:
        case CreateItem():
            return 201
        case ReplaceItem():
            brought = any(isinstance(event, ItemCreated | ItemRestored) for event in happened)
            return 201 if brought else 200
        case PatchItem() | RestoreItem():
            return 200
        case DeleteItem():
            return 204
        case _:
            assert_never(command)
