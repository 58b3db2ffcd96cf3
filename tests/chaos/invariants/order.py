"""The order in which commands took effect is one that the clients can have seen."""

from collections import defaultdict
from collections.abc import Iterator

from tests.chaos.case import Case, Violation
from tests.chaos.evidence import Command
from tests.chaos.final import OutcomeRow, Position


def tokens(case: Case) -> Iterator[Violation]:
    """I5 a: a token is the position of its command, and belongs to no other."""
    owner: dict[Position, str] = {}
    for command in case.evidence.commands.values():
        outcome = case.outcome_of(command)
        for token in command.tokens:
            where = Position.of_token(token)
            other = owner.setdefault(where, command.wish.tok)
            if other != command.wish.tok:
                yield Violation("I5", f"token {token} was given to {other} and {command.wish.tok}")
            if outcome is not None and outcome.position != where and not case.set_back:
                yield Violation(
                    "I5", f"{command.wish.tok} was told {token}, and is at {outcome.position}"
                )
    stands: dict[Position, str] = {}
    for entry in (*case.final.earlier, *case.final.log):
        other = stands.setdefault(entry.position, entry.id)
        if other != entry.id:
            yield Violation("I5", f"{entry.position} was given to {other} and to {entry.id}")


def events(case: Case) -> Iterator[Violation]:
    """I5 a: within a partition events follow the positions of their commands."""
    for happened in case.events_of_partition.values():
        last: OutcomeRow | None = None
        for event in happened:
            outcome = case.outcomes.get(event.command_id)
            if outcome is None:
                continue
            if last is not None and outcome.position < last.position:
                yield Violation("I5", f"{outcome.position} took effect after {last.position}")
            last = outcome


def real_time(case: Case) -> Iterator[Violation]:
    """I5 b: of two commands of one item, one that was answered before the other was sent is the
    earlier one; and rows of one batch keep their order (I5 c follows: clients wait for answers).
    """
    by_item: dict[str, list[tuple[Position, Command]]] = defaultdict(list)
    for command in case.evidence.commands.values():
        outcome = case.outcome_of(command)
        # After a set-back a repeat may stand where it was repeated.
        if outcome is not None and not case.set_back:
            by_item[outcome.item_id].append((outcome.position, command))
    for item, taken in by_item.items():
        taken.sort(key=lambda each: each[0])
        latest: Command | None = None
        rows: dict[int, Command] = {}
        for _, command in taken:
            answered = command.acknowledged_at
            if latest is not None and answered is not None and answered < latest.invoked:
                yield Violation(
                    "I5",
                    f"{item}: {command.wish.tok} was answered before {latest.wish.tok} was sent, "
                    "and took effect after it",
                )
            if latest is None or command.invoked > latest.invoked:
                latest = command
            before = rows.get(command.request)
            if before is not None and before.place > command.place:
                yield Violation(
                    "I5", f"{item}: row {command.place} of a batch came after row {before.place}"
                )
            rows[command.request] = command
