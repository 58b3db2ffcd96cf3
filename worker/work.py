"""A batch while it is decided: what becomes of every entry, and what is to be written."""

import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import assert_never

from sqlalchemy import Connection

from domain.commands import TakeDue
from domain.decide import decide
from domain.item import Item
from domain.outcomes import Outcome
from domain.pricing import take_effect
from domain.refusals import Refusal
from domain.schedules import next_due
from eventlog.codec import encode, read
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
)
from eventlog.reader import Correction
from ledger.outcomes import KeptOutcome
from ledger.partitions import Checkpoint
from ledger.quarantine import Quarantined
from runtime.positions import Position
from runtime.row_ids import whole_of
from worker import outcome as said
from worker.aside import Aside
from worker.condemned import Condemned, Dead, id_of
from worker.imported import Imported
from worker.shelf import DryShelf, DueCause, Shelf
from worker.trouble import shortened

_NO_CONTENT = 204


class Work:
    """What one batch of a partition comes to. Entries are taken one by one, in their order."""

    def __init__(self, connection: Connection, checkpoint: Checkpoint, now: int) -> None:
        partition = checkpoint.position.partition
        self._now = now
        self._at = checkpoint.position
        self.shelf = Shelf(connection, checkpoint, now)
        self.left: dict[str, Item] = {}
        self.outcomes: dict[str, KeptOutcome] = {}
        self.dead: dict[str, Dead] = {}
        self.corrected: dict[str, Correction] = {}
        self.aside = Aside(connection, partition, checkpoint.quarantined)
        self.imported = Imported(connection, checkpoint, now)
        self._kept: Mapping[str, KeptOutcome] = {}
        self._known: set[str] = set()
        self._reverts: dict[str, list[Envelope]] = {}
        self.ids: list[str] = []
        self.touched: set[str] = set()

    def prepare(self, entries: Sequence[Entry | Unreadable]) -> None:
        """Find what the entries need, and load what is set aside of it: `ids` are the commands that
        may be known, `touched` the items whose heads are wanted.
        """
        ordered: list[str] = []
        for entry in entries:
            if entry.id is not None:
                self.ids.append(entry.id)
            match entry:
                case Envelope():
                    self.touched.add(entry.command.item_id)
                case Rows():
                    self.imported.want(entry)
                    self._need(entry.rows)
                case Pack():
                    self._need(entry.rows)
                case RevertRows():
                    self._reverts[entry.id] = self.imported.take_back(entry)
                    self._need(self._reverts[entry.id])
                case Order():
                    ordered.append(entry.command_id)
                case Atomic() | ImportMark() | Ask() | Unreadable():
                    pass
                case _:
                    assert_never(entry)
        self._known = self.aside.load(self.ids, ordered)
        self.ids += self.aside.ids()
        self.touched |= self.aside.items()

    def _need(self, rows: Sequence[Envelope | BadRow]) -> None:
        self.ids += (each.id for each in rows)
        self.touched |= {each.command.item_id for each in rows if isinstance(each, Envelope)}

    def learn(self, kept: Mapping[str, KeptOutcome], items: Mapping[str, Item]) -> None:
        """Take in which commands have an outcome, and the items as they stand."""
        self._kept = kept
        self._known.update(kept)
        self.shelf.learn(items, self.touched)

    def take(
        self,
        position: Position,
        entry: Entry | Unreadable,
        body: bytes,
        condemned: Condemned | None,
    ) -> None:
        """Take one entry: a command that is known is dropped, one whose item is blocked is parked,
        one that is condemned, or raises, is dead.
        """
        match entry:
            case Envelope() | Unreadable():
                self._take_command(position, entry, body, condemned)
            case Rows():
                self._take_rows(entry, position, condemned)
            case Pack():
                self._take_pack(entry, position, condemned)
            case Ask():
                pass
            case Order():
                if self.is_new(entry.id):
                    self._obey(entry, position, condemned)
            case ImportMark() | RevertRows():
                if self.is_new(entry.id):
                    self._take_of_import(entry, position, condemned)
            case Atomic():
                raise AssertionError("an atomic batch is not applied with other entries")
            case _:
                assert_never(entry)

    def is_new(self, command_id: str) -> bool:
        """Say whether an id was not met before, which it now is."""
        if command_id in self._known:
            return False
        self._known.add(command_id)
        return True

    def _take_of_import(
        self, entry: ImportMark | RevertRows, position: Position, condemned: Condemned | None
    ) -> None:
        # It is no command of an item: its outcome only says that it is taken.
        self.keep(Outcome(entry.id, "", "applied", _NO_CONTENT, 0), position)
        match entry:
            case ImportMark():
                self.imported.mark(entry)
            case RevertRows():
                rows = tuple(self._reverts[entry.id])
                self._take_rows(Rows(entry.id, entry.import_id, rows), position, condemned)
                for row in rows:
                    if (kept := self.outcomes.get(row.id)) is not None:
                        told = said.not_as_left(kept.outcome, row.command)
                        self.outcomes[row.id] = replace(kept, outcome=told)
            case _:
                assert_never(entry)

    def _take_command(
        self,
        position: Position,
        entry: Envelope | Unreadable,
        body: bytes,
        condemned: Condemned | None,
    ) -> Outcome | None:
        """Take a command; return its outcome, `None` where it is known or set aside."""
        command_id = id_of(position, entry)
        item_id = entry.command.item_id if isinstance(entry, Envelope) else entry.item_id
        if not self.is_new(command_id):
            self._correct(command_id, position, entry)
            return None
        if condemned is None and not self.aside.blocks(item_id):
            return self._try(position, entry, body)
        came = self._came(position, entry, body)
        if condemned is None or self.aside.blocks(item_id):
            self.aside.put(came)
        else:
            self.bury(came, condemned.why)
        return None

    def _came(self, position: Position, entry: Envelope | Unreadable, body: bytes) -> Quarantined:
        """Make of a command what is set aside; a row of an import, which came with others, gets an
        entry of its own.
        """
        item_id = entry.command.item_id if isinstance(entry, Envelope) else entry.item_id
        if not body and isinstance(entry, Envelope):
            body = encode(entry)
        command_id = id_of(position, entry)
        return Quarantined(command_id, position, item_id, "parked", body, None, self._now)

    def _take_pack(self, entry: Pack, position: Position, condemned: Condemned | None) -> None:
        """Take commands that travelled together, each for itself and at its own position."""
        n = position.n - len(entry.rows)
        for row in entry.rows:
            n += 1
            at = Position(position.partition, position.epoch, n)
            self._take_command(at, row, b"", condemned)
        if any(each.id in self.corrected for each in entry.rows):
            # What the log remembers of the pack is wrong for some of its commands.
            self.corrected[entry.id] = None

    def _take_rows(self, entry: Rows, position: Position, condemned: Condemned | None) -> None:
        """Take rows of an import, each as a command of its own."""
        for row in entry.rows:
            if row.id in self._known:
                self._compare(entry, row, position)
                continue
            if self.imported.is_over(entry.import_id):
                outcome = said.not_taken(row, "import-over", "the import was over before this row")
                self.keep(outcome, position)
            elif isinstance(row, BadRow):
                outcome = said.bad(row)
                self.keep(outcome, position)
            elif entry.dry:
                shelf = self.imported.dry_shelf(entry.import_id, self.shelf)
                outcome = (
                    self._try_dry(shelf, row)
                    if condemned is None
                    else said.would_be_dead(row, condemned.why)
                )
                self.keep(outcome, position)
            else:
                outcome = self._take_command(position, row, b"", condemned)
            self._known.add(row.id)
            self.imported.count(entry.import_id, outcome, stops=entry.stop)

    def _compare(self, entry: Rows, row: Envelope | BadRow, position: Position) -> None:
        """Reject a row that is another one than came in its place under the same key before."""
        kept = self._kept.get(row.id) or self.outcomes.get(row.id)
        if kept is not None and kept.outcome.fingerprint != row.fingerprint:
            outcome = said.another_row(row, kept.outcome.item_id, position.token)
            self.keep(outcome, position)
            self.imported.count(entry.import_id, outcome, stops=entry.stop)

    def _try_dry(self, shelf: DryShelf, row: Envelope) -> Outcome:
        """Decide what would become of a row; as nothing happens, it has no version."""
        try:
            for _ in self._due(shelf, row.command.item_id, row.command.received_at):
                pass
            outcome, _ = self._judge(shelf, row)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001  whatever it is: that is what would happen
            return said.would_be_dead(row, f"{type(error).__name__}: {error}")
        return replace(outcome, version=0)

    def _correct(self, command_id: str, position: Position, entry: Envelope | Unreadable) -> None:
        """Take note of a known command that came with another payload: the log had forgotten the
        first one, and now remembers the wrong one.
        """
        kept = self._kept.get(command_id) or self.outcomes.get(command_id)
        if kept is None or not isinstance(entry, Envelope):
            return
        outcome = kept.outcome
        if entry.fingerprint != outcome.fingerprint:
            self.corrected[command_id] = (kept.position, outcome.fingerprint)
            item_id, token = entry.command.item_id, position.token
            self.keep(said.reused(command_id, item_id, token, entry.fingerprint), position, entry)

    def _try(self, position: Position, entry: Envelope | Unreadable, body: bytes) -> Outcome | None:
        """Decide a command; what it raises, unless it is a refusal, is a defect."""
        match entry:
            case Envelope():
                try:
                    return self.decide(position, entry)
                except MemoryError:
                    raise
                except Exception:  # noqa: BLE001  whatever it is: it is kept, and the others go on
                    self.bury(self._came(position, entry, body), traceback.format_exc())
            case Unreadable():
                self.bury(self._came(position, entry, body), entry.why)
            case _:
                assert_never(entry)
        return None

    def bury(self, came: Quarantined, why: str) -> None:
        """Set a command aside as dead."""
        why = shortened(why)
        brought = said.envelope_in(came.body)
        self.dead[came.command_id] = (
            Dead(why) if brought is None else Dead(why, brought.request_id, brought.trace)
        )
        self.aside.put(replace(came, state="dead", error=why, since=self._now))

    def decide(self, position: Position, envelope: Envelope) -> Outcome:
        """Decide one command and evolve its item; where this raises, nothing of it is left."""
        if envelope.deadline is not None and self._now > envelope.deadline:
            outcome = said.expired(envelope, self._now)
            self.keep(outcome, position, envelope)
            return outcome
        self._bring_in_due(envelope.command.item_id, envelope.command.received_at, position)
        if isinstance(envelope.command, TakeDue) and envelope.id in self.outcomes:
            return self.outcomes[envelope.id].outcome
        outcome, after = self._judge(self.shelf, envelope)
        if after is not None and envelope.reply_to is not None and envelope.with_item:
            self.left[envelope.id] = after
        self.keep(outcome, position, envelope)
        return outcome

    def _bring_in_due(self, item_id: str, by: int, position: Position) -> None:
        """Let happen what was due of an item by a moment, each under an id of its own."""
        item = self.shelf.get(item_id)
        if item is None or not item.schedules:
            # Few have anything pending, and this is asked of every command.
            return
        # A row of an atomic batch stands elsewhere; what is due is of its item's partition.
        here = position if position.partition == self._at.partition else self._at
        for outcome in self._due(self.shelf, item_id, by):
            self._known.add(outcome.command_id)
            self.keep(outcome, here)

    def _due(self, shelf: Shelf | DryShelf, item_id: str, by: int) -> Iterator[Outcome]:
        item = shelf.get(item_id)
        while (
            item is not None
            and item.schedules
            and (due := next_due(item.schedules))
            and due.at <= by
        ):
            cause = DueCause(due.command_id, due.schedule.actor, due.schedule.reason)
            item = shelf.happen(item_id, [take_effect(item, due, shelf.recorded_at)], cause)
            version = 0 if item is None else item.version
            yield Outcome(due.command_id, item_id, "applied", 200, version)

    def _judge(self, shelf: Shelf | DryShelf, envelope: Envelope) -> tuple[Outcome, Item | None]:
        """Decide a command on a shelf of items, where it then has happened."""
        command = envelope.command
        item = shelf.get(command.item_id)
        earlier = partial(shelf.earlier, command.item_id)
        try:
            happened = decide(command, item, shelf.recorded_at, earlier)
        except Refusal as refusal:
            return said.refused(envelope, refusal), None
        after = shelf.happen(command.item_id, happened, envelope)
        version = 0 if after is None else after.version
        return said.decided(envelope, happened, version), after

    def _obey(self, order: Order, position: Position, condemned: Condemned | None) -> None:
        """Do what an operator said of a dead command, and go on with those parked behind it.

        An order that could not be obeyed like that is obeyed for the dead one alone, and the next
        one is dead in its place; one that can not even be obeyed so changes nothing.
        """
        found = self.aside.dead(order.command_id)
        if found is None:
            self.keep(said.not_dead(order), position)
            return
        done = Outcome(order.id, found.item_id or "", "applied", _NO_CONTENT, 0)
        self.keep(done, position)
        if condemned is not None and condemned.again and order.what == "replay":
            self.bury(found, condemned.why)
            return
        parked = self.aside.parked_behind(found)
        queue = [] if condemned is not None else parked
        match order.what:
            case "replay":
                queue = [found, *queue]
            case "discard":
                self.aside.take_out(found)
                brought = said.envelope_in(found.body)
                for outcome in said.discarded(found, order.actor):
                    self.keep(outcome, found.position, brought)
            case _:
                assert_never(order.what)
        self._go_on(queue)
        if condemned is not None and parked and not self.aside.blocks(found.item_id):
            self.bury(parked[0], condemned.why)

    def _go_on(self, queue: Sequence[Quarantined]) -> None:
        """Try set aside commands in order, until one is dead (again)."""
        for each in queue:
            if each.state == "parked" and self.aside.blocks(each.item_id):
                return
            self.aside.take_out(each)
            self._try_again(each)

    def _try_again(self, each: Quarantined) -> None:
        if each.command_id in self._kept or each.command_id in self.outcomes:
            # A price that was due while it waited: another command of the item has brought it in.
            return
        match read(each.body):
            case Envelope() | Unreadable() as entry:
                outcome = self._try(each.position, entry, each.body)
            case _:
                raise AssertionError(f"{each.command_id} is nothing that is ever set aside")
        self._recount(each.command_id, outcome)

    def _recount(self, command_id: str, outcome: Outcome | None) -> None:
        import_id = whole_of(command_id)
        # Rows of a batch have such names, too, and are not counted.
        if import_id is not None and outcome is not None and self.imported.has(import_id):
            self.imported.recount(import_id)
            self.imported.count(import_id, outcome)

    def keep(self, outcome: Outcome, position: Position, brought: Envelope | None = None) -> None:
        """Keep what became of a command, with the names of the request that it was brought by."""
        names = (None, None) if brought is None else (brought.request_id, brought.trace)
        self.outcomes[outcome.command_id] = KeptOutcome(outcome, position, self._now, *names)
