"""What the pages about the service itself tell of the ledger, as it stands in one snapshot. Every
figure is cheap, however large the ledger: nothing that grows with it is counted.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import Connection, func, select

from ledger import projections as books
from ledger import rebuilding, tables
from runtime.errors import headline
from runtime.positions import Position
from runtime.times import rfc3339

_GAPS = 100
_LONGEST_ERROR = 500


@dataclass(frozen=True, slots=True)
class Taken:
    """How far the ledger has taken a partition, and how much it has made of it: `events`, and
    `outcomes` that were ever kept.
    """

    position: Position
    events: int
    outcomes: int


@dataclass(frozen=True, slots=True)
class Projection:
    """How far a projection has taken a partition of the ledger. `lag` counts the events that it has
    not, `lag_seconds` is the age of the oldest of them; one that is `detached` is left behind since
    an error of its own, told in a line.
    """

    projection: str
    partition: int
    offset: int
    lag: int
    lag_seconds: float
    state: Literal["in step", "behind", "detached"]
    error: str | None

    def document(self) -> dict[str, Any]:
        return asdict(self)


def taken(connection: Connection) -> dict[int, Taken]:
    """Tell of every partition how far it is taken."""
    table = tables.partitions
    columns = (table.c.partition, table.c.epoch, table.c.n, table.c.offset, table.c.outcomes)
    statement = select(*columns).order_by(table.c.partition)
    return {
        partition: Taken(Position(partition, epoch, n), offset, outcomes)
        for partition, epoch, n, offset, outcomes in connection.execute(statement)
    }


def projections(
    connection: Connection, kept: Sequence[books.Projection], now: int
) -> list[Projection]:
    """Tell how far each projection that is read has taken each partition of the ledger, by the name
    of its view, whichever slot is live, as the books that are `kept` of views say; `now` is
    milliseconds since 1970.
    """
    views = {books.name_of(each.view, each.live): each.view for each in kept if each.live}
    mark, ledger, oldest = tables.checkpoints, tables.partitions, tables.events
    statement = (
        select(
            mark.c.projection,
            mark.c.partition,
            mark.c.offset,
            mark.c.error,
            ledger.c.offset,
            ledger.c.in_step,
            oldest.c.recorded_at,
        )
        .join(ledger, ledger.c.partition == mark.c.partition)
        .outerjoin(
            oldest,
            (oldest.c.partition == mark.c.partition) & (oldest.c.offset == mark.c.offset + 1),
        )
        .where(mark.c.projection.in_(views))
        .order_by(mark.c.projection, mark.c.partition)
    )
    return [
        Projection(
            views[name],
            partition,
            offset,
            lag := max(0, last - offset),
            max(0, now - recorded_at) / 1000 if lag and recorded_at is not None else 0.0,
            _state(error, lag, out_of_step=name not in in_step.split(",")),
            _headline(error),
        )
        for name, partition, offset, error, last, in_step, recorded_at in connection.execute(
            statement
        )
    ]


def _state(
    error: str | None, lag: int, *, out_of_step: bool
) -> Literal["in step", "behind", "detached"]:
    if out_of_step and error is not None:
        return "detached"
    return "behind" if out_of_step or lag else "in step"


def _headline(error: str | None) -> str | None:
    return headline(error)[:_LONGEST_ERROR] if error and error.strip() else None


def builds(
    connection: Connection, kept: Sequence[books.Projection], now: int
) -> list[dict[str, Any]]:
    """Tell of the views that are being built anew, or wait for somebody to decide, how far they
    are.
    """
    told: list[dict[str, Any]] = []
    for book in kept:
        if book.state != "idle":
            seen = rebuilding.progress(connection, book, now)
            told.append(
                {
                    "view": book.view,
                    "state": book.state,
                    "position": seen.taken,
                    "events": seen.events,
                    "percent": round(seen.percent, 1),
                    "rate": None if seen.rate is None else round(seen.rate),
                    "seconds_left": None if seen.left is None else round(seen.left, 1),
                    "detail": book.detail,
                }
            )
    return told


def quarantined(connection: Connection) -> dict[str, int]:
    """Count the commands that are set aside, by why they are."""
    table = tables.quarantine
    counts: dict[str, int] = {}
    # Mostly there are none, and the partitions say so without a look at each command.
    if connection.scalar(select(func.sum(tables.partitions.c.quarantined))):
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


def missing(connection: Connection) -> dict[str, int]:
    """Count the positions that the log has lost, by kind."""
    table = tables.gaps
    # A gap is of one epoch.
    positions = func.sum(table.c.to_n - table.c.from_n + 1)
    statement = select(table.c.kind, positions).group_by(table.c.kind)
    found = {kind: int(count) for kind, count in connection.execute(statement)}
    return {kind: found.get(kind, 0) for kind in ("lost", "kept")}
