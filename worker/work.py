"""A batch while it is decided: items as they become, and what is to be written."""

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from sqlalchemy import Connection

from domain.commands import Command, CreateItem, DeleteItem, PatchItem, ReplaceItem, RestoreItem
from domain.decide import decide
from domain.events import Event, ItemCreated, ItemRestored
from domain.evolve import fold
from domain.item import Item
from domain.outcomes import Outcome
from domain.refusals import Refusal
from eventlog.envelope import Ask, Entry, Envelope, Order, Unreadable, read
from ledger.outcomes import KeptOutcome
from ledger.partitions import Checkpoint
from ledger.quarantine import Quarantined
from ledger.recorded import Recorded
from runtime.positions import Position
from runtime.problems import STATUS_OF_KIND
from worker.aside import Aside
from worker.trouble import shortened

_NO_CONTENT = 204


@dataclass(frozen=True, slots=True)
class Condemned:
    """Why an entry is not to be tried as usual; `again` where that was so the last time, too."""

    why: str
    again: bool = False


class Work:
    """What one batch of a partition comes to. Entries are taken one by one, in their order."""

    def __init__(self, connection: Connection, checkpoint: Checkpoint, now: int) -> None:
        self._partition = checkpoint.position.partition
        self._now = now
        # The wall clock may go back, the ledger's does not.
        self.recorded_at = max(now, checkpoint.recorded_at)
        self.offset = checkpoint.offset
        self.changed: dict[str, Item] = {}
        self.left: dict[str, Item] = {}
        self.recorded: list[Recorded] = []
        self.outcomes: dict[str, KeptOutcome] = {}
        self.dead: dict[str, str] = {}
        self.corrected: dict[str, tuple[Position, str]] = {}
        self.aside = Aside(connection, self._partition, checkpoint.quarantined)
        self._items: dict[str, Item] = {}
        self._kept: Mapping[str, KeptOutcome] = {}
        self._known: set[str] = set()
        self.ids: list[str] = []
        self.touched: set[str] = set()

    def prepare(self, entries: Sequence[Entry | Unreadable]) -> None:
        """Find what the entries need, and load what is set aside of it: `ids` are the commands that
        may be known, `touched` the items whose heads are wanted.
        """
        ordered: list[str] = []
        for entry in entries:
            match entry:
                case Envelope():
                    self.ids.append(entry.id)
                    self.touched.add(entry.command.item_id)
                case Unreadable():
                    if entry.id is not None:
                        self.ids.append(entry.id)
                case Order():
                    self.ids.append(entry.id)
                    ordered.append(entry.command_id)
                case Ask():
                    pass
                case _:
                    assert_never(entry)
        self._known = self.aside.load(self.ids, ordered)
        self.touched |= self.aside.items()

    def learn(self, kept: Mapping[str, KeptOutcome], items: Mapping[str, Item]) -> None:
        """Take in which commands have an outcome, and the items as they stand."""
        self._kept = kept
        self._known.update(kept)
        self._items = {item_id: items[item_id] for item_id in self.touched & items.keys()}

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
            case Ask():
                return
            case Order():
                if entry.id not in self._known:
                    self._known.add(entry.id)
                    self._obey(entry, position, condemned)
                return
            case Envelope():
                command_id, item_id = entry.id, entry.command.item_id
            case Unreadable():
                command_id = entry.id or f"unreadable-{position.token}"
                item_id = entry.item_id
            case _:
                assert_never(entry)
        if command_id in self._known:
            self._correct(command_id, entry)
            return
        self._known.add(command_id)
        came = Quarantined(command_id, position, item_id, "parked", body, None, self._now)
        if self.aside.blocks(item_id):
            self.aside.put(came)
        elif condemned is not None:
            self._bury(came, condemned.why)
        else:
            self._try(came, entry)

    def _correct(self, command_id: str, entry: Envelope | Unreadable) -> None:
        """Take note of a known command that came with another payload: the log had forgotten the
        first one, and now remembers the wrong one.
        """
        kept = self._kept.get(command_id)
        if kept is None or not isinstance(entry, Envelope):
            return
        if entry.fingerprint != kept.outcome.fingerprint:
            self.corrected[command_id] = (kept.position, kept.outcome.fingerprint)

    def _try(self, came: Quarantined, entry: Envelope | Unreadable) -> None:
        """Decide a command; what it raises, unless it is a refusal, is a defect."""
        match entry:
            case Unreadable():
                self._bury(came, entry.why)
            case Envelope():
                try:
                    self._decide(came.position, entry)
                except MemoryError:
                    raise
                except Exception:  # noqa: BLE001  whatever it is: it is kept, and the others go on
                    self._bury(came, traceback.format_exc())
            case _:
                assert_never(entry)

    def _bury(self, came: Quarantined, why: str) -> None:
        why = shortened(why)
        self.dead[came.command_id] = why
        self.aside.put(replace(came, state="dead", error=why, since=self._now))

    def _decide(self, position: Position, envelope: Envelope) -> None:
        """Decide one command and evolve its item; where this raises, nothing of it is left."""
        command = envelope.command
        item = self._items.get(command.item_id)
        try:
            happened = decide(command, item, self.recorded_at)
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
            after = fold(happened, item)
            outcome = Outcome(
                envelope.id,
                command.item_id,
                "applied" if happened else "unchanged",
                _http_status(command, happened),
                (0 if item is None else item.version) + len(happened),
                fingerprint=envelope.fingerprint,
            )
            self._record(envelope, happened, 0 if item is None else item.version)
            if after is not None and happened:
                self._items[after.id] = self.changed[after.id] = after
            if after is not None and envelope.reply_to is not None and envelope.with_item:
                self.left[envelope.id] = after
        self.outcomes[envelope.id] = KeptOutcome(outcome, position, self._now)

    def _record(self, envelope: Envelope, happened: Sequence[Event], version: int) -> None:
        for event in happened:
            self.offset += 1
            version += 1
            self.recorded.append(
                Recorded(
                    self._partition,
                    self.offset,
                    version,
                    event,
                    envelope.id,
                    envelope.actor,
                    envelope.reason,
                )
            )

    def _obey(self, order: Order, position: Position, condemned: Condemned | None) -> None:
        """Do what an operator said of a dead command, and go on with those parked behind it.

        An order that could not be obeyed like that is obeyed for the dead one alone, and the next
        one is dead in its place; one that can not even be obeyed so changes nothing.
        """
        found = self.aside.dead(order.command_id)
        if found is None:
            why = f"command {order.command_id} is not among the dead"
            self._keep(Outcome(order.id, "", "rejected", 404, 0, "not-dead", why), position)
            return
        done = Outcome(order.id, found.item_id or "", "applied", _NO_CONTENT, 0)
        self._keep(done, position)
        if condemned is not None and condemned.again and order.what == "replay":
            self._bury(found, condemned.why)
            return
        parked = self.aside.parked_behind(found)
        queue = [] if condemned is not None else parked
        match order.what:
            case "replay":
                queue = [found, *queue]
            case "discard":
                self.aside.take_out(found)
                self._keep(_discarded(found, order.actor), found.position)
            case _:
                assert_never(order.what)
        self._go_on(queue)
        if condemned is not None and parked and not self.aside.blocks(found.item_id):
            self._bury(parked[0], condemned.why)

    def _go_on(self, queue: Sequence[Quarantined]) -> None:
        """Try set aside commands in order, until one is dead (again)."""
        for each in queue:
            if each.state == "parked" and self.aside.blocks(each.item_id):
                return
            self.aside.take_out(each)
            self._try_again(each)

    def _try_again(self, each: Quarantined) -> None:
        match read(each.body):
            case Envelope() | Unreadable() as entry:
                self._try(replace(each, state="parked", error=None), entry)
            case Ask() | Order():
                raise AssertionError(f"{each.command_id} is nothing that is ever set aside")

    def _keep(self, outcome: Outcome, position: Position) -> None:
        self.outcomes[outcome.command_id] = KeptOutcome(outcome, position, self._now)


def _discarded(found: Quarantined, actor: str) -> Outcome:
    entry = read(found.body)
    fingerprint = entry.fingerprint if isinstance(entry, Envelope) else ""
    last = (found.error or "no reason is known").strip().splitlines()[-1]
    why = f"{actor} gave it up after: {last}"
    item_id = found.item_id or ""
    return Outcome(found.command_id, item_id, "dead", 500, 0, "discarded", why, fingerprint)


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
