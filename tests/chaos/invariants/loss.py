"""Nothing acknowledged is lost, nothing is there twice, nothing is there that nobody sent."""

from collections.abc import Iterator
from typing import Any

from tests.chaos.case import Case, Violation
from tests.chaos.evidence import Command
from tests.chaos.final import OutcomeRow


def no_loss(case: Case) -> Iterator[Violation]:
    """I1: every acknowledged command has its outcome, and the one that was answered."""
    for command in case.evidence.commands.values():
        known = command.known
        if not known:
            continue
        outcome = case.outcome_of(command)
        if outcome is None:
            if not case.excused(command):
                yield Violation("I1", f"{_name(command)} was acknowledged and has no outcome")
            continue
        has_events = outcome.command_id in case.events_of_command
        if has_events != (outcome.status == "applied"):
            said = "has" if has_events else "has no"
            yield Violation("I1", f"{_name(command)} is {outcome.status} and {said} events")
        for answer in known:
            yield from _contradiction(command, answer.row, outcome)


def _contradiction(
    command: Command, row: dict[str, Any], outcome: OutcomeRow
) -> Iterator[Violation]:
    if row["st"] != "final":
        return
    told = (row.get("http"), row.get("ver"), row.get("code"), row.get("outcome"))
    kept = (
        outcome.http_status,
        outcome.version or None if outcome.http_status != 204 else None,
        outcome.code,
        outcome.status,
    )
    differs = [
        (mine, its)
        for mine, its in zip(told, kept, strict=True)
        if mine is not None and mine != its
    ]
    if differs:
        yield Violation("I1", f"{_name(command)} was answered {told}, its outcome is {kept}")


def no_doubles(case: Case) -> Iterator[Violation]:
    """I2: one wish, one command with an outcome; its events stand side by side."""
    for tok, ids in case.ids.items():
        with_outcome = sorted(each for each in ids if each in case.outcomes)
        if len(with_outcome) > 1:
            yield Violation("I2", f"{tok} was taken as {with_outcome}")
    for command_id, events in case.events_of_command.items():
        offsets = [event.offset for event in events]
        where = {(event.partition, event.item_id) for event in events}
        if len(where) > 1 or offsets != list(range(offsets[0], offsets[0] + len(offsets))):
            yield Violation("I2", f"{command_id} has events at {offsets} of {sorted(where)}")
    positions: dict[object, str] = {}
    for outcome in case.final.outcomes:
        other = positions.setdefault(outcome.position, outcome.command_id)
        if other != outcome.command_id:
            yield Violation(
                "I2", f"{other} and {outcome.command_id} are both at {outcome.position}"
            )


def no_phantoms(case: Case) -> Iterator[Violation]:
    """I3: every event was asked for by a client, and every event's command has an outcome."""
    for event in case.final.events:
        if event.reason not in case.evidence.commands:
            yield Violation("I3", f"nobody asked for {event.command_id} ({event.reason!r})")
        if event.command_id not in case.outcomes:
            yield Violation("I3", f"{event.command_id} has events and no outcome")


def no_taken_refusals(case: Case) -> Iterator[Violation]:
    """I4: what was refused for certain, or had to be, left nothing behind."""
    for tok, command in case.evidence.commands.items():
        if not (command.refused or command.wish.invalid):
            continue
        if command.wish.invalid and command.known and not case.redis_set_back:
            yield Violation("I4", f"{_name(command)} should be refused and was accepted")
        taken = [
            each for each in case.ids.get(tok, ()) if each in case.outcomes or _in_log(case, each)
        ]
        if taken and command.refused:
            yield Violation("I4", f"{_name(command)} was refused, and taken as {taken}")


def _in_log(case: Case, command_id: str) -> bool:
    return command_id in case.positions


def _name(command: Command) -> str:
    return f"{command.wish.tok} ({command.wish.op} of {command.wish.item})"
