"""Versions and offsets without gaps, a chain that holds, and every decision the right one."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator

import orjson

from tests.chaos.case import Case, Violation
from tests.chaos.final import EventRow, OutcomeRow
from tests.chaos.model import State, judge

GENESIS = "0" * 64


def gapless(case: Case) -> Iterator[Violation]:
    """I6: versions of an item and offsets of a partition are 1, 2, 3, …; clocks never go back."""
    for item, events in case.events_of_item.items():
        versions = [event.version for event in events]
        if versions != list(range(1, len(versions) + 1)):
            yield Violation("I6", f"the versions of {item} are not gapless: {_break(versions)}")
        moments = [event.effective_at for event in events]
        if moments != sorted(moments):
            yield Violation("I6", f"effective_at of {item} goes back")
        if len({event.partition for event in events}) > 1:
            yield Violation("I6", f"{item} has events in several partitions")
    for partition, events in case.events_of_partition.items():
        offsets = [event.offset for event in events]
        if offsets != list(range(1, len(offsets) + 1)):
            yield Violation("I6", f"partition {partition} is not gapless: {_break(offsets)}")
        moments = [event.recorded_at for event in events]
        if moments != sorted(moments):
            yield Violation("I6", f"recorded_at of partition {partition} goes back")
    yield from (Violation("I6", each) for each in case.impossible)


def _break(numbers: list[int]) -> str:
    for expected, found in enumerate(numbers, 1):
        if expected != found:
            return f"{found} stands in the place of {expected}"
    return "none"


def chain(case: Case) -> Iterator[Violation]:
    """I6: every event's hash covers it and the one before."""
    rows = {row.partition: row for row in case.final.partitions}
    for partition, events in case.events_of_partition.items():
        previous = GENESIS
        for event in events:
            previous = link(previous, event)
            if previous != event.hash:
                yield Violation("I6", f"the chain breaks at {event.offset} of {partition}")
                break
        else:
            if partition in rows and rows[partition].hash != previous:
                yield Violation("I6", f"partition {partition} keeps another last hash")


def link(previous: str, event: EventRow) -> str:
    covered = orjson.dumps(
        [
            event.partition,
            event.offset,
            event.item_id,
            event.version,
            event.type,
            event.data,
            event.command_id,
            event.actor,
            event.reason,
            event.recorded_at,
            event.effective_at,
        ]
    )
    return hashlib.sha256(previous.encode() + covered).hexdigest()


def decisions(case: Case) -> Iterator[Violation]:
    """I7, I1, I4: in the order of the log every command came to what it had to come to."""
    of_item: dict[str, list[OutcomeRow]] = defaultdict(list)
    for outcome in case.final.outcomes:
        of_item[outcome.item_id].append(outcome)
    for item, outcomes in of_item.items():
        states = case.states.get(item, [])
        version = 0
        for outcome in sorted(outcomes, key=lambda each: each.position):
            before = states[version - 1] if 0 < version <= len(states) else None
            if version > len(states):
                break
            yield from _decision(case, outcome, before)
            version += len(case.events_of_command.get(outcome.command_id, ()))


def _decision(case: Case, outcome: OutcomeRow, before: State | None) -> Iterator[Violation]:
    tok = case.toks.get(outcome.command_id)
    command = None if tok is None else case.evidence.commands.get(tok)
    if command is None or command.wish.invalid:
        # Nobody knows what it asked for: it changed nothing, or I3 and I4 tell.
        return
    expected = judge(command.wish, before)
    found = (outcome.status, outcome.http_status, outcome.version, outcome.code)
    wanted = (expected.status, expected.http_status, expected.version, expected.code)
    if found != wanted:
        yield Violation(
            "I7", f"{tok} ({command.wish}) came to {found} at {before}, not to {wanted}"
        )
        return
    events = case.events_of_command.get(outcome.command_id, [])
    made = tuple((event.name, event.members) for event in events)
    if made != expected.events:
        yield Violation("I7", f"{tok} made {made}, not {expected.events}")


def one_winner(case: Case) -> Iterator[Violation]:
    """I7: of those who believed in the same version of an item one was applied at most."""
    winners: dict[tuple[str, int], str] = {}
    for tok, command in case.evidence.commands.items():
        expect, item = command.wish.expect, command.wish.item
        if not isinstance(expect, int) or item is None:
            continue
        outcome = case.outcome_of(command)
        if outcome is not None and outcome.status == "applied":
            other = winners.setdefault((item, expect), tok)
            if other != tok:
                yield Violation("I7", f"{other} and {tok} both changed version {expect} of {item}")
