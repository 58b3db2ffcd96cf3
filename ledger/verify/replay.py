"""One partition's events, taken again in the order of the ledger."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, select

from domain.events import Event
from domain.evolve import evolve
from domain.item import Item
from ledger import chain, outcomes
from ledger.chain import GENESIS
from ledger.changes import Changes, unscheduled
from ledger.codec import decode
from ledger.outcomes import KeptOutcome
from ledger.recorded import Recorded
from ledger.tables import events
from ledger.upcasting import stored_type
from ledger.verify.difference import Difference

_AT_ONCE = 2_000
# Not 0: a row before the first one is not right either, and is to be met.
_BEFORE_ALL = -(2**63)
_COLUMNS = tuple(column.name for column in events.columns)
_FOLLOWING = (
    select(events)
    .where(events.c.partition == bindparam("partition"), events.c.offset > bindparam("offset"))
    .order_by(events.c.offset)
    .limit(_AT_ONCE)
)

# What a synchronous API may have answered to a command, by the first thing that it made happen. A
# PUT brings back with 201, a restore with 200; deleting an item may end its sale before, and going
# back to an earlier version may delete it.
_ANSWERS: Mapping[str, frozenset[int]] = {
    "ItemCreated": frozenset({201}),
    "ItemRestored": frozenset({200, 201}),
    "ItemDeleted": frozenset({200, 204}),
    "ItemRenamed": frozenset({200}),
    "ItemDescribed": frozenset({200}),
    "ItemRepriced": frozenset({200, 204}),
    "ItemPriceScheduled": frozenset({201}),
    "ItemPriceUnscheduled": frozenset({200, 204}),
}

# The ids of rows. An atomic batch is told of in its own partition, whichever its rows are of.
_ROW = re.compile(r".+\.[0-9]{9}")


@dataclass(slots=True)
class _Command:
    """A command as its events tell of it, which stand together."""

    id: str
    item_id: str
    began_with: str
    version: int
    offset: int
    recorded_at: int


class _Wrong(Exception):
    """An event can not stand where it stands: `what` of it is wrong."""

    def __init__(self, what: str, expected: object, found: object) -> None:
        super().__init__(what)
        self.what, self.expected, self.found = what, expected, found


class Replay:
    """A partition while its events are taken; it stops at the first that is not right.

    `broken` says why it stopped, `outcome` is the first outcome that its command's events do not
    make; `answered` counts those that were found, by the partition they are told of in. `noted`
    holds hashes by offset; outcomes of events recorded before `forgotten_before` may be gone.
    """

    def __init__(
        self,
        partition: int,
        noted: Mapping[int, str],
        forgotten_before: int,
        onward: Callable[[Changes], None],
    ) -> None:
        """Hand what was taken to `onward`, some at a time."""
        self.partition = partition
        self.items: dict[str, Item] = {}
        self.offset = 0
        self.recorded_at = 0
        self.hash = GENESIS
        self.answered: Counter[int] = Counter()
        self.broken: Difference | None = None
        self.outcome: Difference | None = None
        self._noted = noted
        self._forgotten_before = forgotten_before
        self._commands: list[_Command] = []
        self._onward = onward
        self._recorded: list[Recorded] = []
        self._before: dict[str, Item | None] = {}

    def run(self, connection: Connection, advance: Callable[[int], None]) -> None:
        """Take all events; `advance` hears how many were taken since it last heard."""
        while True:
            after = {"partition": self.partition, "offset": self.offset or _BEFORE_ALL}
            rows = connection.execute(_FOLLOWING, after).all()
            for values in rows:
                row = dict(zip(_COLUMNS, values, strict=True))
                try:
                    self._take(row)
                except _Wrong as wrong:
                    what = f"events.{wrong.what}"
                    place = (self.offset + 1, row["item_id"])
                    self.broken = Difference(
                        self.partition, what, wrong.expected, wrong.found, *place
                    )
                    return
            self._hand_on()
            advance(len(rows))
            ended = len(rows) < _AT_ONCE
            self._compare_outcomes(connection, ended=ended)
            if ended:
                return

    def _take(self, row: dict[str, Any]) -> None:
        """Take one event. Raises _Wrong."""
        linked = self._link(row)
        # From here on the event is the one that was chained, but the chain may have been made anew.
        item = self.items.get(row["item_id"])
        self._check_order(row, item)
        event, after = _happened(row, item)
        self.items[after.id] = after
        self._before.setdefault(after.id, item)
        self._recorded.append(
            Recorded(
                self.partition,
                row["offset"],
                row["version"],
                event,
                row["command_id"],
                row["actor"],
                row["reason"],
            )
        )
        self.offset, self.hash, self.recorded_at = row["offset"], linked, row["recorded_at"]
        self._of_command(row)

    def _hand_on(self) -> None:
        before, recorded = self._before, self._recorded
        self._before, self._recorded = {}, []
        had = {item_id: item for item_id, item in before.items() if item is not None}
        has = {item_id: self.items[item_id] for item_id in before}
        self._onward(Changes(recorded, unscheduled(had), unscheduled(has)))

    def _link(self, row: Mapping[str, Any]) -> str:
        offset, found = row["offset"], row["hash"]
        if offset != self.offset + 1:
            raise _Wrong("offset", self.offset + 1, offset)
        try:
            linked = chain.link(self.hash, row)
        except TypeError as error:
            # Not even of a type that an event's columns have.
            raise _Wrong("hash", f"none can be made: {error}", found) from None
        if found != linked:
            raise _Wrong("hash", linked, found)
        if self._noted.get(offset, linked) != linked:
            raise _Wrong("hash, as noted", self._noted[offset], linked)
        return linked

    def _check_order(self, row: Mapping[str, Any], item: Item | None) -> None:
        version = 1 if item is None else item.version + 1
        if row["version"] != version:
            raise _Wrong("version", version, row["version"])
        for name, earliest in (
            ("recorded_at", self.recorded_at),
            ("effective_at", None if item is None else item.effective_at),
        ):
            found = row[name]
            if not isinstance(found, int) or (earliest is not None and found < earliest):
                raise _Wrong(name, f"not before {earliest}", found)

    def _of_command(self, row: Mapping[str, Any]) -> None:
        last = self._commands[-1] if self._commands else None
        if last is None or last.id != row["command_id"]:
            began_with = stored_type(row["type"]).name
            last = _Command(row["command_id"], row["item_id"], began_with, 0, 0, 0)
            self._commands.append(last)
        last.version, last.offset, last.recorded_at = (
            row["version"],
            row["offset"],
            row["recorded_at"],
        )

    def _compare_outcomes(self, connection: Connection, *, ended: bool) -> None:
        """Compare the commands whose events are all taken: the last one's may go on."""
        through = len(self._commands) if ended else len(self._commands) - 1
        commands, self._commands = self._commands[:through], self._commands[through:]
        kept = outcomes.find(connection, [each.id for each in commands])
        self.answered.update(each.position.partition for each in kept.values())
        for each in commands:
            if self.outcome is not None:
                return
            self.outcome = self._compare(each, kept.get(each.id))

    def _compare(self, command: _Command, kept: KeptOutcome | None) -> Difference | None:
        def differs(what: str, expected: object, found: object) -> Difference:
            return Difference(
                self.partition, what, expected, found, command.offset, command.item_id
            )

        if kept is None:
            if command.recorded_at < self._forgotten_before:
                return None
            return differs("outcomes", f"an outcome of command {command.id}", None)
        outcome = kept.outcome
        answers = _ANSWERS.get(command.began_with, frozenset({outcome.http_status}))
        if outcome.http_status not in answers:
            return differs("outcomes.http_status", sorted(answers), outcome.http_status)
        told_in = kept.position.partition
        if _ROW.fullmatch(command.id) is None and told_in != self.partition:
            return differs("outcomes.partition", self.partition, told_in)
        for what, expected, found in (
            ("item_id", command.item_id, outcome.item_id),
            ("status", "applied", outcome.status),
            ("version", command.version, outcome.version),
            ("code", None, outcome.code),
            ("detail", None, outcome.detail),
        ):
            if found != expected:
                return differs(f"outcomes.{what}", expected, found)
        return None


def _happened(row: Mapping[str, Any], item: Item | None) -> tuple[Event, Item]:
    """Let the event happen to the item."""
    try:
        event = decode(
            row["type"], row["data"], row["item_id"], row["recorded_at"], row["effective_at"]
        )
        after = evolve(item, event)
    except (ValueError, TypeError, LookupError, AssertionError) as error:
        why = f"{type(error).__name__}: {error}"
    else:
        if after.version == row["version"] and _is_whole(after):
            return event, after
        why = "not after what happened before, or with values of other types"
    raise _Wrong("data", "an event that can happen", f"{row['type']} {row['data']}: {why}")


def _is_whole(item: Item) -> bool:
    """Say whether the members are of the types they are declared to be: they come from JSON."""
    return (
        type(item.name) is str
        and type(item.currency) is str
        and type(item.price) is int
        and (item.description is None or type(item.description) is str)
    )
