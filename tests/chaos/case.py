"""History and final state side by side, with what belongs together found by name."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from tests.chaos.evidence import Command, Evidence
from tests.chaos.final import EventRow, Final, GapRow, OutcomeRow, Position
from tests.chaos.model import Impossible, State, after


@dataclass(frozen=True, slots=True)
class Violation:
    """`invariant` is its number in the list of the documentation, `what` is for people."""

    invariant: str
    what: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.what}"


@dataclass(frozen=True, slots=True)
class Case:
    """`ids` says under which command ids each wish was seen anywhere, `toks` the way back.

    `states` has every state of every item, its first at version 1; an item whose events are
    impossible has those up to there.
    """

    evidence: Evidence
    final: Final
    outcomes: Mapping[str, OutcomeRow]
    events_of_command: Mapping[str, list[EventRow]]
    events_of_item: Mapping[str, list[EventRow]]
    events_of_partition: Mapping[int, list[EventRow]]
    ids: Mapping[str, set[str]]
    toks: Mapping[str, str]
    positions: Mapping[str, set[Position]]
    states: Mapping[str, list[State]]
    impossible: list[str]
    lost: list[GapRow]

    @property
    def redis_set_back(self) -> bool:
        return self.evidence.happened("redis-set-back")

    @property
    def sql_set_back(self) -> bool:
        return self.evidence.happened("sql-set-back")

    @property
    def set_back(self) -> bool:
        return self.redis_set_back or self.sql_set_back

    @property
    def losable(self) -> bool:
        """Say whether anything that happened may cost an acknowledged command: a log that was set
        back; a database that was, after a full Redis let go of what was applied.
        """
        return self.redis_set_back or (self.sql_set_back and self.evidence.happened("valkey-full"))

    def excused(self, command: Command) -> bool:
        """Say whether the product has recorded this command as lost, and had a reason to."""
        if not self.losable:
            return False
        where = {Position.of_token(token) for token in command.tokens}
        for command_id in self.ids.get(command.wish.tok, ()):
            where |= self.positions.get(command_id, set())
        return any(position.inside(gap) for position in where for gap in self.lost)

    def outcome_of(self, command: Command) -> OutcomeRow | None:
        for command_id in self.ids.get(command.wish.tok, ()):
            if command_id in self.outcomes:
                return self.outcomes[command_id]
        return None


def build(evidence: Evidence, final: Final) -> Case:
    outcomes = {each.command_id: each for each in final.outcomes}
    of_command: dict[str, list[EventRow]] = defaultdict(list)
    of_item: dict[str, list[EventRow]] = defaultdict(list)
    of_partition: dict[int, list[EventRow]] = defaultdict(list)
    for event in sorted(final.events, key=lambda each: (each.partition, each.offset)):
        of_command[event.command_id].append(event)
        of_item[event.item_id].append(event)
        of_partition[event.partition].append(event)
    ids = _ids(evidence, final)
    positions: dict[str, set[Position]] = defaultdict(set)
    for entry in (*final.earlier, *final.log):
        positions[entry.id].add(entry.position)
    states: dict[str, list[State]] = {}
    impossible: list[str] = []
    for item, events in of_item.items():
        states[item] = _fold(item, events, impossible)
    return Case(
        evidence,
        final,
        outcomes,
        of_command,
        of_item,
        of_partition,
        ids,
        {command_id: tok for tok, found in ids.items() for command_id in found},
        positions,
        states,
        impossible,
        [gap for gap in final.gaps if gap.kind == "lost"],
    )


def _ids(evidence: Evidence, final: Final) -> dict[str, set[str]]:
    """Find under which ids a wish was accepted: answers say it, the log does, and events do."""
    ids: dict[str, set[str]] = defaultdict(set)
    by_position = {each.position: each.command_id for each in final.outcomes}

    def kept_as(command_id: str, position: Position | None) -> str:
        # A key that was used again for something else after the log had forgotten it: what came
        # second is kept under the id and its place.
        found = None if position is None else by_position.get(position)
        return found if found and found.startswith(f"{command_id}@") else command_id

    for tok, command in evidence.commands.items():
        for answer in command.answers:
            token, command_id = answer.row.get("token"), answer.row.get("cmd")
            position = Position.of_token(token) if token and answer in command.known else None
            if command_id:
                ids[tok].add(kept_as(command_id, position))
            if position in by_position:
                ids[tok].add(by_position[position])
    for entry in (*final.earlier, *final.log):
        if entry.reason is not None:
            ids[entry.reason].add(kept_as(entry.id, entry.position))
    for event in final.events:
        if event.reason is not None:
            ids[event.reason].add(event.command_id)
    return ids


def _fold(item: str, events: list[EventRow], impossible: list[str]) -> list[State]:
    states: list[State] = []
    for event in events:
        try:
            states.append(after(states[-1] if states else None, event))
        except (Impossible, KeyError, TypeError) as error:
            impossible.append(
                f"{item}, {event.type} at offset {event.offset} of partition {event.partition}: "
                f"{error}"
            )
            break
    return states
