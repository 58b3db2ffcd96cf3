"""Events, appended with gapless offsets and chained hashes."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, literal, select, tuple_

from ledger import chain
from ledger.bulk import Row, insert_rows
from ledger.codec import decode, encode
from ledger.recorded import Recorded
from ledger.tables import events


def chained(recorded: Sequence[Recorded], previous_hash: str) -> tuple[list[Row], str]:
    """Make the rows of one partition's events, in order, and return them with the last hash."""
    rows: list[Row] = []
    for each in recorded:
        type_name, data = encode(each.event)
        row: dict[str, Any] = {
            "partition": each.partition,
            "offset": each.offset,
            "item_id": each.event.item_id,
            "version": each.version,
            "type": type_name,
            "data": data,
            "command_id": each.command_id,
            "actor": each.actor,
            "reason": each.reason,
            "recorded_at": each.event.recorded_at,
            "effective_at": each.event.effective_at,
        }
        previous_hash = row["hash"] = chain.link(previous_hash, row)
        rows.append(row)
    return rows, previous_hash


def append(connection: Connection, rows: Sequence[Row]) -> None:
    """Append events as `chained` makes them."""
    insert_rows(connection, events, rows)


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
