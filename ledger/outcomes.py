"""What became of commands, kept and found again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, delete, select

from domain.outcomes import Outcome
from ledger.bulk import insert_rows
from ledger.prepared import Prepared, among, listed
from ledger.tables import outcomes
from runtime.positions import Position


@dataclass(frozen=True, slots=True)
class KeptOutcome:
    """An outcome with the position of its command and the moment it became final."""

    outcome: Outcome
    position: Position
    completed_at: int


_FIND = Prepared(
    lambda dialect: select(outcomes).where(among(dialect, outcomes.c.command_id, "ids"))
)


def find(connection: Connection, command_ids: Sequence[str]) -> dict[str, KeptOutcome]:
    if not command_ids:
        return {}
    found = _FIND.run(connection, {"ids": listed(connection, command_ids)})
    return {row["command_id"]: _kept(row) for row in found.mappings()}


def keep(connection: Connection, kept: Iterable[KeptOutcome]) -> None:
    insert_rows(
        connection,
        outcomes,
        [
            {
                "command_id": each.outcome.command_id,
                "partition": each.position.partition,
                "epoch": each.position.epoch,
                "n": each.position.n,
                "item_id": each.outcome.item_id,
                "status": each.outcome.status,
                "http_status": each.outcome.http_status,
                "version": each.outcome.version,
                "code": each.outcome.code,
                "detail": each.outcome.detail,
                "fingerprint": each.outcome.fingerprint,
                "completed_at": each.completed_at,
            }
            for each in kept
        ],
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
    )
