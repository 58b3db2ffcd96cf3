"""A batch of the log, one SQL transaction; batches of several partitions may share it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine

from domain.item import Item
from eventlog.envelope import Entry, Unreadable
from eventlog.moves import Move
from eventlog.reader import Correction
from ledger import checkpoints, epochs, events, gaps, heads, outcomes, partitions
from ledger.bulk import Values
from ledger.changes import Changes, unscheduled
from ledger.checkpoints import Taken
from ledger.gaps import Gap
from ledger.outcomes import KeptOutcome
from ledger.partitions import Checkpoint
from runtime.failpoints import Reach, nowhere
from runtime.positions import Position
from worker.condemned import Condemned, Dead
from worker.moves import point_of, where
from worker.trouble import ProjectionFailed, is_own
from worker.work import Work

EpochEnds = Callable[[int], Mapping[int, int]]
Project = Callable[[Connection, Changes], None]


@dataclass(frozen=True, slots=True)
class Decoded:
    """A log entry as read: where it stands, what it says, and how it came; `part` where it is one
    row of several, and the others are still to come. It has so many commands of a position of
    their own, `width`, of which the last stands here.
    """

    position: Position
    entry: Entry | Unreadable
    body: bytes = b""
    part: bool = False
    width: int = 1

    @property
    def first(self) -> Position:
        """Where its first command stands."""
        at = self.position
        return Position(at.partition, at.epoch, at.n - self.width + 1)


@dataclass(frozen=True, slots=True)
class Applied:
    """What a batch came to: where the ledger now is, and what became of every command in it.

    `items` holds, by command, the item as the command left it, where somebody waits to be told;
    `dead` the commands that hit a defect, with its traceback; `corrected` where and with which
    fingerprint commands were accepted first that came again with another, `None` where that is not
    known; `moves` where which partitions were moved to, and the items that changed. It is
    `by_others` where somebody else had applied all of the batch before.
    """

    upto: Position
    outcomes: Mapping[str, KeptOutcome] = field(default_factory=dict[str, KeptOutcome])
    items: Mapping[str, Item] = field(default_factory=dict[str, Item])
    events: int = 0
    gaps: Sequence[Gap] = ()
    dead: Mapping[str, Dead] = field(default_factory=dict[str, Dead])
    corrected: Mapping[str, Correction] = field(default_factory=dict[str, Correction])
    moves: Sequence[Move] = ()
    by_others: bool = False


class Held(Exception):
    """Another writer has the partition."""


def condemn_nothing(_held: Mapping[int, Checkpoint]) -> Mapping[Position, Condemned]:
    """Try every command."""
    return {}


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a batch is applied with.

    `epoch_ends` tells how far every ended epoch of a partition went; it is asked where positions do
    not follow one another. `now` is milliseconds since 1970.
    `condemned` are commands that are not tried any more, with the reason; `detach` projections that
    are to be left behind from now on, with theirs. `locked` is called once partitions are held,
    with how far they are, and may condemn likewise, or raise.
    """

    epoch_ends: EpochEnds
    now: int
    condemned: Mapping[Position, Condemned] = field(default_factory=dict[Position, Condemned])
    detach: Mapping[str, str] = field(default_factory=dict[str, str])
    locked: Callable[[Mapping[int, Checkpoint]], Mapping[Position, Condemned]] = condemn_nothing
    reach: Reach = nowhere


def apply(
    engine: Engine,
    projections: Mapping[str, Project],
    batches: Mapping[int, Sequence[Decoded]],
    given: Circumstances,
) -> dict[int, Applied]:
    """Apply a batch of each of these partitions, all or nothing, and say what they came to. A
    partition that another writer has is left out.

    Raises ProjectionFailed, and SQLAlchemy's errors; whatever it raises, nothing has changed.
    """
    applied: dict[int, Applied] = {}
    with engine.begin() as connection:
        checkpoints_of = partitions.lock(connection, list(batches))
        given.reach("tx.after_lock")
        jobs: list[Job] = []
        for partition, checkpoint in checkpoints_of.items():
            fresh = [each for each in batches[partition] if each.position > checkpoint.position]
            if fresh:
                jobs.append(begin(connection, checkpoint, fresh, given))
            else:
                applied[partition] = Applied(checkpoint.position, by_others=True)
        moves: Mapping[int, Move] = {}
        if jobs:
            condemned = given.locked({each.upto.partition: each.checkpoint for each in jobs})
            _decide(connection, jobs, {**given.condemned, **condemned})
            moves = write(connection, projections, jobs, given)
            given.reach("tx.before_commit")
    given.reach("tx.after_commit")
    return applied | {job.upto.partition: job.applied([moves[job.upto.partition]]) for job in jobs}


def apply_one(
    engine: Engine,
    projections: Mapping[str, Project],
    batch: Sequence[Decoded],
    given: Circumstances,
) -> Applied:
    """Apply a batch of one partition. Raises Held, and what `apply` raises."""
    partition = batch[0].position.partition
    applied = apply(engine, projections, {partition: batch}, given)
    if partition not in applied:
        raise Held(partition)
    return applied[partition]


@dataclass(frozen=True, slots=True)
class Job:
    """The batch of one partition while it is applied; `fresh` is empty where the partition only
    takes part in another one's.
    """

    checkpoint: Checkpoint
    fresh: Sequence[Decoded]
    gaps: Sequence[Gap]
    work: Work

    @property
    def upto(self) -> Position:
        taken = self.fresh and not self.fresh[-1].part
        return self.fresh[-1].position if taken else self.checkpoint.position

    def applied(self, moves: Sequence[Move]) -> Applied:
        work = self.work
        return Applied(
            self.upto,
            work.outcomes,
            work.left,
            len(work.shelf.recorded),
            self.gaps,
            work.dead,
            work.corrected,
            moves,
        )


def begin(
    connection: Connection,
    checkpoint: Checkpoint,
    fresh: Sequence[Decoded],
    given: Circumstances,
) -> Job:
    """Begin to take what is new to a partition that is held."""
    missing: Sequence[Gap] = ()
    if not fresh[0].part:
        passed_over = _gaps(checkpoint.position, fresh, given.epoch_ends)
        missing = gaps.record(connection, passed_over, given.now)
        _leave_epochs(connection, checkpoint.position, fresh)
    work = Work(connection, checkpoint, given.now)
    work.prepare([each.entry for each in fresh])
    return Job(checkpoint, fresh, missing, work)


def _decide(
    connection: Connection, jobs: Sequence[Job], condemned: Mapping[Position, Condemned]
) -> None:
    """Load what is needed, each kind of row in one statement, and decide in order."""
    known = outcomes.find(connection, [each for job in jobs for each in job.work.ids])
    touched = [each for job in jobs for each in job.work.touched]
    items = heads.load(connection, touched) if touched else {}
    for job in jobs:
        job.work.learn(known, items)
        for each in job.fresh:
            job.work.take(each.position, each.entry, each.body, condemned.get(each.position))


def write(
    connection: Connection,
    projections: Mapping[str, Project],
    jobs: Sequence[Job],
    given: Circumstances,
) -> dict[int, Move]:
    """Write everything the batches came to, each kind of row in one statement. Say, by partition,
    what is to be told of it once it is committed.
    """
    rows: list[Values] = []
    moved: list[Checkpoint] = []
    for job in jobs:
        work = job.work
        shelf = work.shelf
        chained, last_hash = events.chained(shelf.recorded, job.checkpoint.hash)
        rows += chained
        # Whoever does not know a projection can not take it along.
        in_step = (job.checkpoint.in_step - given.detach.keys()) & projections.keys()
        quarantined = job.checkpoint.quarantined + work.aside.growth
        moved.append(
            Checkpoint(
                job.upto,
                shelf.offset,
                shelf.recorded_at,
                last_hash,
                quarantined,
                in_step,
                job.checkpoint.outcomes + len(work.outcomes),
            )
        )
        checkpoints.detach(
            connection,
            # What was not in step has taken less than the ledger, maybe nothing yet.
            {each: why for each, why in given.detach.items() if each in job.checkpoint.in_step},
            job.checkpoint.position,
            job.checkpoint.offset,
        )
        work.aside.write()
        work.imported.write(shelf.recorded)
    events.append(connection, rows)
    given.reach("tx.after_events")
    heads.store(
        connection,
        [(item, job.upto.partition) for job in jobs for item in job.work.shelf.changed.values()],
    )
    taken: list[Taken] = []
    after_of = list(zip(jobs, moved, strict=True))
    changes_of: dict[tuple[int, ...], Changes] = {}
    for name, project in projections.items():
        along = [(job, after) for job, after in after_of if name in after.in_step]
        if along:
            # Nearly always all of them, for every projection.
            which = tuple(after.position.partition for _, after in along)
            if which not in changes_of:
                changes_of[which] = _changes([job.work for job, _ in along])
            _project(connection, name, project, changes_of[which])
            taken += [Taken(name, after.position, after.offset) for _, after in along]
    checkpoints.move(connection, taken)
    outcomes.keep(connection, [each for job in jobs for each in job.work.outcomes.values()])
    partitions.move(connection, moved)
    return {job.upto.partition: _move(job, after) for job, after in after_of}


def _move(job: Job, after: Checkpoint) -> Move:
    return Move(
        point_of(job.checkpoint),
        where(after),
        tuple(job.work.shelf.changed),
        gap=any(each.kind == "lost" for each in job.gaps),
    )


def _changes(works: Sequence[Work]) -> Changes:
    return Changes(
        [each for work in works for each in work.shelf.recorded],
        unscheduled({each: item for work in works for each, item in work.shelf.before.items()}),
        unscheduled({each: item for work in works for each, item in work.shelf.changed.items()}),
    )


def _project(connection: Connection, name: str, project: Project, changes: Changes) -> None:
    try:
        project(connection, changes)
    except (Exception, SystemExit) as error:
        # Libraries call `sys.exit`, too; that is no reason to stop.
        if not is_own(error):
            raise
        raise ProjectionFailed(name) from error


def _gaps(last: Position, fresh: Sequence[Decoded], epoch_ends: EpochEnds) -> list[Gap]:
    """Find what the batch passes over, at its start or inside it."""
    found: list[Gap] = []
    for each in fresh:
        if each.position.epoch != last.epoch or each.position.n - each.width != last.n:
            found += gaps.between(last, each.first, epoch_ends(last.partition))
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
