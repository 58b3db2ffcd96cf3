"""Commands that hit a defect, and later ones of the same items that wait behind them."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, RowMapping, delete, func, select

from ledger.bulk import among, upsert_rows
from ledger.tables import partitions, quarantine
from runtime.positions import Position

State = Literal["dead", "parked"]


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A command that is set aside: `dead` with the traceback of its defect, or `parked`.

    `body` is its log entry as it came; `item_id` is `None` where even that can not be read.
    """

    command_id: str
    position: Position
    item_id: str | None
    state: State
    body: bytes
    error: str | None
    since: int


def known(connection: Connection, partition: int, command_ids: Sequence[str]) -> set[str]:
    """Find which of the commands are set aside."""
    statement = select(quarantine.c.command_id).where(
        quarantine.c.partition == partition,
        among(connection, quarantine.c.command_id, command_ids),
    )
    return set(connection.scalars(statement))


def blocked(connection: Connection, partition: int) -> set[str]:
    """Find the items whose commands have to wait."""
    statement = select(quarantine.c.item_id).where(
        quarantine.c.partition == partition, quarantine.c.state == "dead"
    )
    return {each for each in connection.scalars(statement) if each is not None}


def blocks(connection: Connection, item_id: str) -> bool:
    """Tell whether commands of an item have to wait. Where nothing is set aside, no more than that
    is looked at.
    """
    troubled = select(partitions.c.partition).where(partitions.c.quarantined > 0)
    statement = select(quarantine.c.command_id).where(
        quarantine.c.partition.in_(troubled),
        quarantine.c.item_id == item_id,
        quarantine.c.state == "dead",
    )
    return connection.scalar(statement.limit(1)) is not None


def find(connection: Connection, command_id: str) -> Quarantined | None:
    statement = select(quarantine).where(quarantine.c.command_id == command_id)
    row = connection.execute(statement).mappings().one_or_none()
    return None if row is None else _quarantined(row)


def of_item(connection: Connection, partition: int, item_id: str) -> list[Quarantined]:
    """List what is set aside of an item, in the order of acceptance."""
    statement = (
        select(quarantine)
        .where(quarantine.c.partition == partition, quarantine.c.item_id == item_id)
        .order_by(quarantine.c.epoch, quarantine.c.n)
    )
    return [_quarantined(row) for row in connection.execute(statement).mappings()]


def dead(connection: Connection, most: int) -> list[Quarantined]:
    """List dead commands, the oldest first."""
    statement = (
        select(quarantine)
        .where(quarantine.c.state == "dead")
        .order_by(quarantine.c.since, quarantine.c.partition, quarantine.c.epoch, quarantine.c.n)
        .limit(most)
    )
    return [_quarantined(row) for row in connection.execute(statement).mappings()]


def parked_behind(connection: Connection, each: Quarantined) -> int:
    """Count the commands that wait behind a dead one."""
    if each.item_id is None:
        return 0
    statement = select(func.count()).where(
        quarantine.c.partition == each.position.partition,
        quarantine.c.item_id == each.item_id,
        quarantine.c.state == "parked",
    )
    return connection.execute(statement).scalar_one()


def store(connection: Connection, rows: Iterable[Quarantined]) -> None:
    """Insert or overwrite these."""
    upsert_rows(
        connection,
        quarantine,
        [
            {
                "command_id": each.command_id,
                "partition": each.position.partition,
                "epoch": each.position.epoch,
                "n": each.position.n,
                "item_id": each.item_id,
                "state": each.state,
                "body": base64.b64encode(each.body).decode(),
                "error": each.error,
                "since": each.since,
            }
            for each in rows
        ],
    )


def remove(connection: Connection, command_ids: Sequence[str]) -> None:
    if command_ids:
        connection.execute(
            delete(quarantine).where(among(connection, quarantine.c.command_id, command_ids))
        )


def _quarantined(row: RowMapping) -> Quarantined:
    return Quarantined(
        row["command_id"],
        Position(row["partition"], row["epoch"], row["n"]),
        row["item_id"],
        row["state"],
        base64.b64decode(row["body"]),
        row["error"],
        row["since"],
    )
