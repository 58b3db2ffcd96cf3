"""Judges a run by its history and by what is there at the end; it knows nothing of the product but
its public answers and its tables.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from tests.chaos.case import Case, Violation, build
from tests.chaos.evidence import Evidence
from tests.chaos.final import Final
from tests.chaos.invariants import answers, loss, order, reads, stores, versions

__all__ = ["Violation", "check"]

# A bug that shows everywhere need not be told a thousand times.
_MOST = 20

INVARIANTS: tuple[Callable[[Case], Iterable[Violation]], ...] = (
    loss.no_loss,
    loss.no_doubles,
    loss.no_phantoms,
    loss.no_taken_refusals,
    order.tokens,
    order.events,
    order.real_time,
    versions.gapless,
    versions.chain,
    versions.decisions,
    versions.one_winner,
    reads.prefixes,
    reads.histories,
    reads.sessions,
    stores.projections,
    stores.across,
    stores.outcomes_in_order,
    stores.tidy,
    answers.repeats,
    answers.followed,
)


def check(
    evidence: Evidence, final: Final, figures: dict[str, float] | None = None
) -> list[Violation]:
    """List what is broken; figures that are no matter of right and wrong go into `figures`."""
    figures = {} if figures is None else figures
    case = build(evidence, final)
    violations: list[Violation] = []
    for invariant in INVARIANTS:
        violations += _few(invariant(case))
    violations += reads.availability(case, figures)
    figures |= _counts(case)
    return violations


def _few(found: Iterable[Violation]) -> Iterator[Violation]:
    count = 0
    name = ""
    for violation in found:
        count += 1
        name = violation.invariant
        if count <= _MOST:
            yield violation
    if count > _MOST:
        yield Violation(name, f"… and {count - _MOST} more of the same kind")


def _counts(case: Case) -> dict[str, float]:
    commands = case.evidence.commands.values()
    states = Counter(
        "acknowledged" if each.known else "refused" if each.refused else "unknown"
        for each in commands
    )
    outcomes = Counter(each.status for each in case.final.outcomes)
    return {
        **{f"commands {name}": count for name, count in sorted(states.items())},
        **{f"outcomes {name}": count for name, count in sorted(outcomes.items())},
        "events": len(case.final.events),
        "items": len(case.states),
        "unknown that took effect": sum(
            1 for each in commands if not each.known and case.outcome_of(each) is not None
        ),
        "excused as recorded lost": sum(
            1 for each in commands if each.known and case.outcome_of(each) is None
        ),
    }
