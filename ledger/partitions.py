"""A partition's row: the lock of its writer, and how far the ledger has taken it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, Select, select, text

from ledger import projections
from ledger.bulk import insert_rows, upsert_rows
from ledger.chain import GENESIS
from ledger.engines import single_reads
from ledger.prepared import Prepared, among, listed
from ledger.tables import facts, partitions
from runtime.positions import PartitionMismatch, Position

_PARTITION_COUNT = "partitions"


def _wanted(dialect_name: str) -> Select[Any]:
    return select(partitions).where(among(dialect_name, partitions.c.partition, "wanted"))


def _locked(dialect_name: str) -> Select[Any]:
    statement = _wanted(dialect_name)
    if dialect_name == "postgresql":
        # Nobody waits for a lock here, so the order in which they are taken can not matter. Who
        # does wait, in `lock_all`, takes them in order.
        return statement.with_for_update(skip_locked=True)
    return statement


def _all_locked(dialect_name: str) -> Select[Any]:
    statement = _wanted(dialect_name).order_by(partitions.c.partition)
    return statement.with_for_update() if dialect_name == "postgresql" else statement


_READ = Prepared(_wanted)
_LOCK_ALL = Prepared(_all_locked)
_LOCK = Prepared(_locked)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a partition is taken: log position, ledger offset, last recorded_at, last hash.

    `quarantined` counts its commands that are set aside; `in_step` names the projections that take
    its events in the transaction that appends them; `outcomes` counts those that were ever kept.
    """

    position: Position
    offset: int
    recorded_at: int
    hash: str
    quarantined: int = 0
    in_step: frozenset[str] = frozenset()
    outcomes: int = 0


def lock(connection: Connection, wanted: Sequence[int]) -> dict[int, Checkpoint]:
    """Take partitions for this transaction; those that another writer has are left out."""
    rows = _LOCK.run(connection, {"wanted": listed(connection, wanted)}).mappings()
    return {row["partition"]: _checkpoint(row) for row in rows}


def lock_all(connection: Connection, wanted: Sequence[int]) -> dict[int, Checkpoint]:
    """Take all of these partitions for this transaction, waiting for other writers. They are taken
    in their order, so nobody who waits here is waited for in a circle.
    """
    rows = _LOCK_ALL.run(connection, {"wanted": listed(connection, wanted)}).mappings()
    return {row["partition"]: _checkpoint(row) for row in rows}


def read(engine: Engine, wanted: Sequence[int]) -> dict[int, Checkpoint]:
    """Read how far these partitions are taken."""
    with single_reads(engine).connect() as connection:
        return look(connection, wanted)


def look(connection: Connection, wanted: Sequence[int]) -> dict[int, Checkpoint]:
    """Read how far these partitions are taken, in the transaction of the connection."""
    rows = _READ.run(connection, {"wanted": listed(connection, wanted)}).mappings()
    return {row["partition"]: _checkpoint(row) for row in rows}


def move(connection: Connection, moved: Iterable[Checkpoint]) -> None:
    """Move checkpoints forward, in the transaction that writes what they cover."""
    upsert_rows(
        connection,
        partitions,
        [
            {
                "partition": each.position.partition,
                "epoch": each.position.epoch,
                "n": each.position.n,
                "offset": each.offset,
                "recorded_at": each.recorded_at,
                "hash": each.hash,
                "quarantined": each.quarantined,
                "in_step": ",".join(sorted(each.in_step)),
                "outcomes": each.outcomes,
            }
            for each in moved
        ],
    )


def attach(connection: Connection, checkpoint: Checkpoint, projection: str) -> None:
    """Let a projection be in step, which has taken all there is of a partition that is held."""
    move(connection, [replace(checkpoint, in_step=checkpoint.in_step | {projection})])


def drop(connection: Connection, held: Iterable[Checkpoint], projection: str) -> None:
    """Let a projection be out of step in partitions that are held."""
    move(connection, [replace(each, in_step=each.in_step - {projection}) for each in held])


def stored_count(engine: Engine) -> int | None:
    """Read the number of partitions the ledger was laid out for, `None` before the first start."""
    with engine.connect() as connection:
        value = connection.scalar(select(facts.c.value).where(facts.c.name == _PARTITION_COUNT))
    return None if value is None else int(value)


def lay_out(engine: Engine, count: int) -> None:
    """Make the rows of all partitions at the first start.

    Raises PartitionMismatch where the ledger was laid out for another number.
    """
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            # Workers that start together: the first one lays out, the others find it done.
            connection.execute(text("LOCK TABLE facts IN EXCLUSIVE MODE"))
        value = connection.scalar(select(facts.c.value).where(facts.c.name == _PARTITION_COUNT))
        if value is None:
            in_step = ",".join(sorted(projections.all_live(connection)))
            insert_rows(connection, facts, [{"name": _PARTITION_COUNT, "value": str(count)}])
            insert_rows(
                connection,
                partitions,
                [
                    {
                        "partition": partition,
                        "epoch": 0,
                        "n": 0,
                        "offset": 0,
                        "recorded_at": 0,
                        "hash": GENESIS,
                        "in_step": in_step,
                    }
                    for partition in range(count)
                ],
            )
        elif int(value) != count:
            raise PartitionMismatch(
                f"the ledger has {value} partitions and this process is told {count}: "
                f"set ITEMLEDGER_PARTITIONS={value}, or start with an empty database"
            )


def _checkpoint(row: RowMapping) -> Checkpoint:
    return Checkpoint(
        Position(row["partition"], row["epoch"], row["n"]),
        row["offset"],
        row["recorded_at"],
        row["hash"],
        row["quarantined"],
        frozenset(filter(None, row["in_step"].split(","))),
        row["outcomes"],
    )
