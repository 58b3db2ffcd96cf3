"""Events, appended with gapless offsets and chained hashes."""

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, literal, select, tuple_

from ledger import chain
from ledger.bulk import Values, inserting
from ledger.codec import decode, encode
from ledger.recorded import Recorded
from ledger.tables import events

# The columns of the table: what a hash covers, and the hash.
_APPENDING = inserting(events, (*chain.COVERED, "hash"))


def chained(recorded: Sequence[Recorded], previous_hash: str) -> tuple[list[Values], str]:
    """Make the rows of one partition's events, in order, and return them with the last hash."""
    rows: list[Values] = []
    for each in recorded:
        event = each.event
        covered = (
            each.partition,
            each.offset,
            event.item_id,
            each.version,
            *encode(event),
            each.command_id,
            each.actor,
            each.reason,
            event.recorded_at,
            event.effective_at,
        )
        previous_hash = chain.link_values(previous_hash, covered)
        rows.append((*covered, previous_hash))
    return rows, previous_hash


def append(connection: Connection, rows: Sequence[Values]) -> None:
    """Append events as `chained` makes them."""
    _APPENDING.write(connection, rows)


def after(connection: Connection, partition: int, offset: int, count: int) -> list[Recorded]:
    """Read up to `count` events of a partition that follow the offset."""
    statement = (
        select(events)
        .where(events.c.partition == partition, events.c.offset > offset)
        .order_by(events.c.offset)
        .limit(count)
    )
    return [_recorded(row) for row in connection.execute(statement).mappings()]


def by_item(connection: Connection, item_id: str, version: int, count: int) -> list[Recorded]:
    """Read up to `count` events of whatever partition that follow a version of an item, in the
    order of items and of their versions.
    """
    key = tuple_(events.c.item_id, events.c.version)
    statement = (
        select(events)
        .where(key > tuple_(literal(item_id), literal(version)))
        .order_by(events.c.item_id, events.c.version)
        .limit(count)
    )
    return [_recorded(row) for row in connection.execute(statement).mappings()]


def _recorded(row: RowMapping) -> Recorded:
    return Recorded(
        row["partition"],
        row["offset"],
        row["version"],
        decode(row["type"], row["data"], row["item_id"], row["recorded_at"], row["effective_at"]),
        row["command_id"],
        row["actor"],
        row["reason"],
    )
