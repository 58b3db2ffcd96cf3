"""A partition's row: the lock of its writer, and how far the ledger has taken it."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, Select, bindparam, select, text, update

from ledger.bulk import insert_rows
from ledger.chain import GENESIS
from ledger.engines import single_reads
from ledger.prepared import Prepared
from ledger.tables import facts, partitions
from runtime.positions import PartitionMismatch, Position

_PARTITION_COUNT = "partitions"
_MOVED = ("epoch", "n", "offset", "recorded_at", "hash", "quarantined", "detached")


def _one(_: str) -> Select[Any]:
    return select(partitions).where(partitions.c.partition == bindparam("which"))


def _locked(dialect_name: str) -> Select[Any]:
    statement = _one(dialect_name)
    if dialect_name == "postgresql":
        return statement.with_for_update(skip_locked=True)
    return statement


_READ = Prepared(_one)
_LOCK = Prepared(_locked)
_MOVE = Prepared(
    lambda _: (
        update(partitions)
        .where(partitions.c.partition == bindparam("which"))
        .values({name: bindparam(name) for name in _MOVED})
    )
)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a partition is taken: log position, ledger offset, last recorded_at, last hash.

    `quarantined` counts its commands that are set aside; `detached` names the projections that are
    out of step.
    """

    position: Position
    offset: int
    recorded_at: int
    hash: str
    quarantined: int = 0
    detached: frozenset[str] = frozenset()


def lock(connection: Connection, partition: int) -> Checkpoint | None:
    """Take the partition for this transaction; `None` where another writer has it."""
    row = _LOCK.run(connection, {"which": partition}).mappings().one_or_none()
    return None if row is None else _checkpoint(row)


def read(engine: Engine, partition: int) -> Checkpoint:
    with single_reads(engine).connect() as connection:
        return _checkpoint(_READ.run(connection, {"which": partition}).mappings().one())


def read_all(engine: Engine) -> dict[int, Checkpoint]:
    with single_reads(engine).connect() as connection:
        rows = connection.execute(select(partitions)).mappings()
        return {row["partition"]: _checkpoint(row) for row in rows}


def move(connection: Connection, checkpoint: Checkpoint) -> None:
    """Move the checkpoint forward, in the transaction that writes what it covers."""
    _MOVE.run(
        connection,
        {
            "which": checkpoint.position.partition,
            "epoch": checkpoint.position.epoch,
            "n": checkpoint.position.n,
            "offset": checkpoint.offset,
            "recorded_at": checkpoint.recorded_at,
            "hash": checkpoint.hash,
            "quarantined": checkpoint.quarantined,
            "detached": ",".join(sorted(checkpoint.detached)),
        },
    )


def attach(connection: Connection, checkpoint: Checkpoint, projection: str) -> None:
    """Let a projection that was detached be in step again."""
    move(connection, replace(checkpoint, detached=checkpoint.detached - {projection}))


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
        frozenset(filter(None, row["detached"].split(","))),
    )
