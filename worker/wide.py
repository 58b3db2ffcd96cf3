"""Entries that are of several partitions: an atomic batch, and an order about a dead one.

Each is applied alone, in a transaction that holds every partition it touches.
"""

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection, Engine

from domain.outcomes import Outcome
from eventlog.codec import read
from eventlog.envelope import Atomic, Envelope, Order, RevertRows
from eventlog.partition import partition_of
from ledger import heads, outcomes, partitions, quarantine
from ledger.partitions import Checkpoint
from ledger.quarantine import Quarantined
from runtime.positions import Position
from runtime.row_ids import row_id
from worker import outcome as said
from worker.apply import Applied, Circumstances, Decoded, Job, Project, begin, write
from worker.condemned import Condemned
from worker.work import Work

_NO_CONTENT = 204


def first_wide(batch: Sequence[Decoded]) -> int | None:
    """Find the place of the first entry that is taken alone: it may be of several partitions, or it
    takes back what the entries before it have to have written.
    """
    wide = Atomic | Order | RevertRows
    return next(
        (place for place, each in enumerate(batch) if isinstance(each.entry, wide)),
        None,
    )


def atomic_of(engine: Engine, each: Decoded) -> Atomic | None:
    """Find the atomic batch that an entry is, or that it is an order about."""
    match each.entry:
        case Atomic():
            return each.entry
        case Order():
            with engine.connect() as connection:
                found = quarantine.find(connection, each.entry.command_id)
            dead = None if found is None else read(found.body)
            return dead if isinstance(dead, Atomic) else None
        case _:
            return None


class Wide:
    """`count` is the number of partitions."""

    def __init__(self, engine: Engine, projections: Mapping[str, Project], count: int) -> None:
        self._engine = engine
        self._projections = projections
        self._count = count

    def apply(self, decoded: Decoded, atomic: Atomic, given: Circumstances) -> Applied:
        """Apply an entry about an atomic batch, all or nothing, and tell what it came to in its own
        partition. Raises what `worker.apply.apply` raises.
        """
        home = decoded.position.partition
        touched = {self._partition(each) for each in atomic.rows}
        with self._engine.begin() as connection:
            held = partitions.lock_all(connection, sorted({home, *touched}))
            given.reach("tx.after_lock")
            if decoded.position <= held[home].position:
                return Applied(held[home].position)
            condemned = {**given.condemned, **given.locked({home: held[home]})}
            job = begin(connection, held[home], [decoded], given)
            taking = _Taking(connection, held, given.now, job.work, decoded, self._partition)
            works = taking.take(atomic, condemned.get(decoded.position))
            job = replace(job, work=works.pop(home))
            others = [Job(held[each], (), (), work) for each, work in works.items()]
            moves = write(connection, self._projections, [job, *others], given)
            given.reach("tx.before_commit")
        given.reach("tx.after_commit")
        return job.applied(list(moves.values()))

    def _partition(self, envelope: Envelope) -> int:
        return partition_of(envelope.command.item_id, self._count)


class _Taking:
    """One entry while it is taken; `home` is the work of its own partition, where it is told what
    became of it.
    """

    def __init__(
        self,
        connection: Connection,
        held: Mapping[int, Checkpoint],
        now: int,
        home: Work,
        decoded: Decoded,
        partition: Callable[[Envelope], int],
    ) -> None:
        self._connection = connection
        self._held = held
        self._now = now
        self._home = home
        self._decoded = decoded
        self._partition = partition

    def take(self, atomic: Atomic, condemned: Condemned | None) -> dict[int, Work]:
        """Return the work of every partition in which something is to be written."""
        position, body = self._decoded.position, self._decoded.body
        # One more than there are: the first time there may have been more.
        rows = [*(each.id for each in atomic.rows), row_id(atomic.id, len(atomic.rows))]
        ids = [*self._home.ids, *rows]
        kept = outcomes.find(self._connection, ids)
        self._home.learn(kept, {})
        alone = {position.partition: self._home}
        match self._decoded.entry:
            case Order() as order:
                return (
                    self._obey(order, atomic, condemned) if self._home.is_new(order.id) else alone
                )
            case Atomic():
                came = Quarantined(atomic.id, position, None, "parked", body, None, self._now)
                before = {each: kept[each].outcome.fingerprint for each in rows if each in kept}
                is_aside = not self._home.is_new(atomic.id)
                if is_aside:
                    before = self._set_aside(atomic.id)
                if before or is_aside:
                    if before and before != _fingerprints(atomic):
                        self._reject(atomic)
                elif condemned is None:
                    return self._run(came, atomic, _nothing)
                else:
                    self._home.bury(came, condemned.why)
                return alone
            case _:
                raise AssertionError(f"{position.token} is of its own partition only")

    def _set_aside(self, batch_id: str) -> dict[str, str]:
        """Tell the fingerprints of the rows of a batch that is dead."""
        found = quarantine.find(self._connection, batch_id)
        dead = None if found is None else read(found.body)
        return _fingerprints(dead) if isinstance(dead, Atomic) else {}

    def _reject(self, atomic: Atomic) -> None:
        """Reject a batch that came under the key of another one, every row in its own place."""
        position = self._decoded.position
        for row in atomic.rows:
            item_id, token = row.command.item_id, position.token
            self._home.keep(said.reused(row.id, item_id, token, row.fingerprint), position, row)
        # What the log remembers now is the wrong one, and of the first only the rows are known.
        self._home.corrected[atomic.id] = None

    def _obey(self, order: Order, atomic: Atomic, condemned: Condemned | None) -> dict[int, Work]:
        position = self._decoded.position
        alone = {position.partition: self._home}
        found = self._home.aside.dead(order.command_id)
        if found is None:
            self._home.keep(said.not_dead(order), position)
            return alone

        def settle(work: Work) -> None:
            work.aside.take_out(found)
            work.keep(Outcome(order.id, "", "applied", _NO_CONTENT, 0), position)

        if order.what == "replay" and condemned is None:
            return self._run(found, atomic, settle)
        settle(self._home)
        if condemned is not None and order.what == "replay":
            self._home.bury(found, condemned.why)
        else:
            for outcome in said.discarded(found, order.actor):
                self._home.keep(outcome, found.position, atomic.rows[0])
        return alone

    def _run(
        self, came: Quarantined, atomic: Atomic, settle: Callable[[Work], None]
    ) -> dict[int, Work]:
        """Decide all rows. `settle` is to be done besides, whatever comes of them."""
        home = self._decoded.position.partition
        works = self._prepared(atomic)
        settle(works[home])
        settle(self._home)
        try:
            refused = self._decide(works, came.position, atomic)
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001  whatever it is: the batch is kept, and others go on
            self._home.bury(came, traceback.format_exc())
            return {home: self._home}
        if refused is None:
            return works
        for row, outcome in zip(atomic.rows, refused, strict=True):
            self._home.keep(outcome, came.position, row)
        return {home: self._home}

    def _prepared(self, atomic: Atomic) -> dict[int, Work]:
        """Make works in which rows may be decided, and thrown away."""
        items = heads.load(self._connection, [each.command.item_id for each in atomic.rows])
        works: dict[int, Work] = {}
        for partition, checkpoint in self._held.items():
            work = works[partition] = Work(self._connection, checkpoint, self._now)
            mine = [each for each in atomic.rows if self._partition(each) == partition]
            own = partition == self._decoded.position.partition
            work.prepare([self._decoded.entry, *mine] if own else mine)
            work.learn({}, items)
        return works

    def _decide(
        self, works: Mapping[int, Work], position: Position, atomic: Atomic
    ) -> list[Outcome] | None:
        """Decide the rows in order; where one is refused, tell what becomes of each."""
        for number, row in enumerate(atomic.rows):
            work = works[self._partition(row)]
            if work.aside.blocks(row.command.item_id):
                outcome = said.blocked(row)
            else:
                outcome = work.decide(position, row)
            if outcome.status not in {"applied", "unchanged"}:
                why = f"row {number} of the batch was refused: {outcome.detail}"
                return [
                    outcome if each is row else said.dropped_together(each, why)
                    for each in atomic.rows
                ]
        return None


def _fingerprints(atomic: Atomic) -> dict[str, str]:
    return {each.id: each.fingerprint for each in atomic.rows}


def _nothing(_work: Work) -> None:
    pass
