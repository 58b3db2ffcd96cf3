"""One batch of the log, one SQL transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine

from domain.item import Item
from eventlog.envelope import Entry, Unreadable
from ledger import checkpoints, epochs, events, gaps, heads, outcomes, partitions
from ledger.gaps import Gap
from ledger.outcomes import KeptOutcome
from ledger.partitions import Checkpoint
from ledger.recorded import Recorded
from runtime.failpoints import Reach, nowhere
from runtime.positions import Position
from worker.trouble import ProjectionFailed, is_outage
from worker.work import Work

EpochEnds = Callable[[], Mapping[int, int]]
Project = Callable[[Connection, Sequence[Recorded], Mapping[str, Item]], None]


@dataclass(frozen=True, slots=True)
class Decoded:
    """A log entry as read: where it stands, what it says, and how it came."""

    position: Position
    entry: Entry | Unreadable
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Applied:
    """What a batch came to: where the ledger now is, and what became of every command in it.

    `items` holds, by command, the item as the command left it, where somebody waits to be told;
    `dead` the commands that hit a defect, with its traceback.
    """

    upto: Position
    outcomes: Mapping[str, KeptOutcome]
    items: Mapping[str, Item]
    events: int
    gaps: Sequence[Gap]
    dead: Mapping[str, str]


class Held(Exception):
    """Another writer has the partition."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a batch is applied with.

    `epoch_ends` tells how far every ended epoch of the log went; it is asked where positions do not
    follow one another. `now` is milliseconds since 1970.
    `condemned` are commands that are not tried any more, with the reason; `detach` projections that
    are to be left behind from now on, with theirs. `locked` is called once the partition is held,
    and may condemn likewise.
    """

    epoch_ends: EpochEnds
    now: int
    condemned: Mapping[Position, str] = field(default_factory=dict[Position, str])
    detach: Mapping[str, str] = field(default_factory=dict[str, str])
    locked: Callable[[], Mapping[Position, str]] = dict
    reach: Reach = nowhere


def apply(
    engine: Engine,
    projections: Mapping[str, Project],
    batch: Sequence[Decoded],
    given: Circumstances,
) -> Applied:
    """Apply a batch of one partition, all or nothing.

    Raises Held, ProjectionFailed, and SQLAlchemy's errors; whatever it raises, nothing has changed.
    """
    partition = batch[0].position.partition
    with engine.begin() as connection:
        checkpoint = partitions.lock(connection, partition)
        if checkpoint is None:
            raise Held(partition)
        given.reach("tx.after_lock")
        fresh = [each for each in batch if each.position > checkpoint.position]
        if not fresh:
            return Applied(checkpoint.position, {}, {}, 0, (), {})
        condemned = {**given.condemned, **given.locked()}
        found = _gaps(checkpoint.position, fresh, given.epoch_ends)
        if found:
            gaps.record(connection, found, given.now)
        _leave_epochs(connection, checkpoint.position, fresh)
        work = Work(connection, checkpoint, given.now)
        work.prepare([each.entry for each in fresh])
        for each in fresh:
            work.take(each.position, each.entry, each.body, condemned.get(each.position))
        _write(connection, projections, checkpoint, work, fresh[-1].position, given)
        given.reach("tx.before_commit")
    given.reach("tx.after_commit")
    return Applied(
        fresh[-1].position, work.outcomes, work.left, len(work.recorded), found, work.dead
    )


def _write(
    connection: Connection,
    projections: Mapping[str, Project],
    checkpoint: Checkpoint,
    work: Work,
    upto: Position,
    given: Circumstances,
) -> None:
    """Write everything the batch came to, each kind of row in one statement."""
    partition = upto.partition
    last_hash = events.append(connection, work.recorded, checkpoint.hash)
    given.reach("tx.after_events")
    heads.store(connection, work.changed.values(), partition)
    detached = checkpoint.detached | given.detach.keys()
    in_step = [name for name in projections if name not in detached]
    for name in in_step:
        _project(connection, name, projections[name], work)
    checkpoints.move(connection, in_step, partition, work.offset)
    checkpoints.detach(connection, given.detach, partition, checkpoint.offset)
    outcomes.keep(connection, work.outcomes.values())
    work.aside.write()
    partitions.move(
        connection,
        Checkpoint(
            upto,
            work.offset,
            work.recorded_at,
            last_hash,
            checkpoint.quarantined + work.aside.growth,
            detached,
        ),
    )


def _project(connection: Connection, name: str, project: Project, work: Work) -> None:
    try:
        project(connection, work.recorded, work.changed)
    except Exception as error:
        if is_outage(error):
            raise
        raise ProjectionFailed(name) from error


def _gaps(last: Position, fresh: Sequence[Decoded], epoch_ends: EpochEnds) -> list[Gap]:
    """Find what the batch passes over, at its start or inside it."""
    found: list[Gap] = []
    for each in fresh:
        if each.position.epoch != last.epoch or each.position.n != last.n + 1:
            found += gaps.between(last, each.position, epoch_ends())
        last = each.position
    return found


def _leave_epochs(connection: Connection, last: Position, fresh: Sequence[Decoded]) -> None:
    """Keep how far the epochs were taken that the batch leaves behind."""
    left: list[Position] = []
    for each in fresh:
        if each.position.epoch != last.epoch and last.n > 0:
            left.append(last)
        last = each.position
    epochs.leave(connection, left)
