"""Events, appended with gapless offsets and chained hashes."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, literal, select, tuple_

from ledger import chain
from ledger.bulk import Values, inserting
from ledger.codec import decode, encode
from ledger.recorded import Recorded
from ledger.tables import events

# The columns of the table: what a hash covers, and the hash.
_APPENDING = inserting(events, (*chain.COVERED, "hash"))
# What is read of an event, in the order in which it is taken apart: by their names, columns of very
# many rows take longer than what is made of them.
_READ = (
    events.c.partition,
    events.c.offset,
    events.c.version,
    events.c.type,
    events.c.data,
    events.c.item_id,
    events.c.recorded_at,
    events.c.effective_at,
    events.c.command_id,
    events.c.actor,
    events.c.reason,
)


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
        select(*_READ)
        .where(events.c.partition == partition, events.c.offset > offset)
        .order_by(events.c.offset)
        .limit(count)
    )
    return _recorded(connection.execute(statement))


def by_item(connection: Connection, item_id: str, version: int, count: int) -> list[Recorded]:
    """Read up to `count` events of whatever partition that follow a version of an item, in the
    order of items and of their versions.
    """
    key = tuple_(events.c.item_id, events.c.version)
    statement = (
        select(*_READ)
        .where(key > tuple_(literal(item_id), literal(version)))
        .order_by(events.c.item_id, events.c.version)
        .limit(count)
    )
    return _recorded(connection.execute(statement))


def _recorded(rows: Iterable[Row[*tuple[Any, ...]]]) -> list[Recorded]:
    return [
        Recorded(
            partition,
            offset,
            version,
            decode(stored, data, item_id, recorded_at, effective_at),
            command_id,
            actor,
            reason,
        )
        for (
            partition,
            offset,
            version,
            stored,
            data,
            item_id,
            recorded_at,
            effective_at,
            command_id,
            actor,
            reason,
        ) in rows
    ]
