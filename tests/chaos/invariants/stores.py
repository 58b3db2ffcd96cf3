"""Tables that are derived agree with the events, and the stores with each other."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from tests.chaos.case import Case, Violation
from tests.chaos.model import State


def _moment(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    seconds, rest = divmod(milliseconds, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"


def document(item: str, state: State) -> dict[str, Any]:
    return {
        "id": item,
        "name": state.name,
        "description": state.description,
        "price": state.price,
        "currency": state.currency,
        "version": state.version,
        "created_at": _moment(state.created_at),
        "updated_at": _moment(state.updated_at),
        "deleted_at": _moment(state.deleted_at),
    }


def projections(case: Case) -> Iterator[Violation]:
    """I12: heads, the items view and what the query API answers are what the events make."""
    wanted = {item: document(item, states[-1]) for item, states in case.states.items() if states}
    view = {row.item_id: orjson.loads(row.body) for row in case.final.view}
    yield from _compare("the items view", wanted, view)
    if case.final.pages is not None:
        yield from _compare("GET /items", wanted, case.final.pages)
    heads = {row.item_id: row for row in case.final.heads}
    for item in wanted.keys() | heads.keys():
        head, states = heads.get(item), case.states.get(item)
        if head is None or not states:
            yield Violation("I12", f"{item} has a head or events, not both")
            continue
        kept = tuple(getattr(head, name) for name in State.__slots__)
        made = tuple(getattr(states[-1], name) for name in State.__slots__)
        if kept != made:
            yield Violation("I12", f"the head of {item} is {kept}, its events make {made}")
    last = {row.partition: row.offset for row in case.final.partitions}
    for name, partition, offset in case.final.checkpoints:
        if offset != last.get(partition):
            yield Violation("I12", f"{name} is at {offset} of partition {partition}")


def _compare(what: str, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[Violation]:
    for item in wanted.keys() | found.keys():
        if found.get(item) != wanted.get(item):
            yield Violation(
                "I12", f"{what} has {found.get(item)}, the events make {wanted.get(item)}"
            )


def across(case: Case) -> Iterator[Violation]:
    """I13: the ledger has taken the log to its end; what it passed over is recorded, and only
    that.
    """
    final = case.final
    counts = Counter(event.partition for event in final.events)
    heads = {head.partition: head for head in final.log_heads}
    for row in final.partitions:
        if row.offset != counts[row.partition]:
            yield Violation(
                "I13", f"partition {row.partition} is at {row.offset}, of {counts[row.partition]}"
            )
        head = heads.get(row.partition)
        if head is None or head.n == 0:
            continue
        if (head.epoch, head.n) != (row.epoch, row.n):
            yield Violation(
                "I13", f"partition {row.partition} is taken to {row.epoch}-{row.n}, not to {head}"
            )
        elif head.done != f"{head.epoch}-{head.n}":
            yield Violation("I13", f"partition {row.partition} is not marked done: {head}")
    if case.lost and not case.losable:
        yield Violation("I13", f"a loss is recorded where there was none: {case.lost[:5]}")
    if final.quarantined:
        yield Violation(
            "I13",
            f"{len(final.quarantined)} commands are in quarantine without a defect, such as "
            f"{final.quarantined[0]}",
        )
    yield from _left_in_the_log(case)


def _left_in_the_log(case: Case) -> Iterator[Violation]:
    """Whatever is in the log has come to something. (What a set-back took away is only missed where
    it was acknowledged.)
    """
    for entry in case.final.log:
        if entry.reason is None or entry.id in case.outcomes:
            continue
        if any(position.inside(gap) for position in case.positions[entry.id] for gap in case.lost):
            continue
        yield Violation("I13", f"{entry.id} was in the log at {entry.position}, without outcome")


def outcomes_in_order(case: Case) -> Iterator[Violation]:
    """I13: no outcome stands beyond what the ledger has taken, or where a loss is recorded."""
    last: dict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
    last |= {row.partition: (row.epoch, row.n) for row in case.final.partitions}
    for outcome in case.final.outcomes:
        if (outcome.epoch, outcome.n) > last[outcome.partition]:
            yield Violation("I13", f"{outcome.position} has an outcome and is not taken yet")
        if any(outcome.position.inside(gap) for gap in case.lost):
            yield Violation("I13", f"{outcome.position} has an outcome and is recorded as lost")


def tidy(case: Case) -> Iterator[Violation]:
    """I15: a service at rest leaves nothing lying about."""
    yield from (Violation("I15", each) for each in case.final.leftovers)
