"""What the status page tells of the ledger, as it stands in one snapshot."""

from typing import Any

from sqlalchemy import Connection, func, select

from ledger import tables
from runtime.times import rfc3339

_GAPS = 100


def projections(connection: Connection) -> list[dict[str, Any]]:
    """List how far each projection has taken each partition of the ledger."""
    taken, ledger = tables.checkpoints, tables.partitions
    statement = (
        select(taken.c.projection, taken.c.partition, taken.c.offset, ledger.c.offset)
        .join(ledger, ledger.c.partition == taken.c.partition)
        .order_by(taken.c.projection, taken.c.partition)
    )
    return [
        {"projection": name, "partition": partition, "offset": offset, "lag": last - offset}
        for name, partition, offset, last in connection.execute(statement)
    ]


def quarantined(connection: Connection) -> dict[str, int]:
    """Count the commands that are set aside, by why they are."""
    table = tables.quarantine
    statement = select(table.c.state, func.count().label("commands")).group_by(table.c.state)
    counts = {row.state: row.commands for row in connection.execute(statement)}
    return {state: counts.get(state, 0) for state in ("dead", "parked")}


def gaps(connection: Connection) -> list[dict[str, Any]]:
    """List what the log has lost, newest first."""
    table = tables.gaps
    statement = (
        select(table)
        .order_by(table.c.noticed_at.desc(), table.c.partition, table.c.from_epoch, table.c.from_n)
        .limit(_GAPS)
    )
    return [
        {
            "partition": row.partition,
            "epoch": row.from_epoch,
            "first": row.from_n,
            "last": row.to_n,
            "kind": row.kind,
            "noticed_at": rfc3339(row.noticed_at),
        }
        for row in connection.execute(statement)
    ]


def totals(connection: Connection) -> dict[str, int]:
    # Offsets are gapless from 1, so their sum is the number of events.
    events = connection.execute(select(func.sum(tables.partitions.c.offset))).scalar_one()
    outcomes = connection.execute(select(func.count()).select_from(tables.outcomes)).scalar_one()
    return {"events": int(events or 0), "outcomes": outcomes}
