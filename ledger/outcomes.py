"""What became of commands, kept and found again."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, RowMapping, delete, select

from domain.outcomes import Outcome
from domain.value import value
from ledger.bulk import Values, inserting
from ledger.prepared import Prepared, among, listed
from ledger.tables import outcomes
from runtime.positions import Position


@value
class KeptOutcome:
    """An outcome with the position of its command, the moment it became final, and what the request
    was called that brought the command, where it was: by itself, and as part of a trace (a W3C
    traceparent).
    """

    outcome: Outcome
    position: Position
    completed_at: int
    request_id: str | None = None
    trace: str | None = None


_FIND = Prepared(
    lambda dialect: select(outcomes).where(among(dialect, outcomes.c.command_id, "ids"))
)


def find(connection: Connection, command_ids: Sequence[str]) -> dict[str, KeptOutcome]:
    if not command_ids:
        return {}
    found = _FIND.run(connection, {"ids": listed(connection, command_ids)})
    return {row["command_id"]: _kept(row) for row in found.mappings()}


_KEEPING = inserting(outcomes)


def keep(connection: Connection, kept: Iterable[KeptOutcome]) -> None:
    _KEEPING.write(connection, [_values(each) for each in kept])


def _values(kept: KeptOutcome) -> Values:
    """Make the row of an outcome."""
    outcome, position = kept.outcome, kept.position
    return (
        outcome.command_id,
        position.partition,
        position.epoch,
        position.n,
        outcome.item_id,
        outcome.status,
        outcome.http_status,
        outcome.version,
        outcome.code,
        outcome.detail,
        outcome.fingerprint,
        kept.completed_at,
        kept.request_id,
        kept.trace,
    )


def forget(connection: Connection, before: int, most: int) -> int:
    """Delete up to `most` outcomes that became final before a moment, and say how many."""
    oldest = (
        select(outcomes.c.command_id)
        .where(outcomes.c.completed_at < before)
        .order_by(outcomes.c.completed_at)
        .limit(most)
    )
    return connection.execute(delete(outcomes).where(outcomes.c.command_id.in_(oldest))).rowcount


def _kept(row: RowMapping) -> KeptOutcome:
    return KeptOutcome(
        Outcome(
            row["command_id"],
            row["item_id"],
            row["status"],
            row["http_status"],
            row["version"],
            row["code"],
            row["detail"],
            row["fingerprint"],
        ),
        Position(row["partition"], row["epoch"], row["n"]),
        row["completed_at"],
        row["request_id"],
        row["trace"],
    )
