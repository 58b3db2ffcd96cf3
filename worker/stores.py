"""Where the ledger is."""

from dataclasses import dataclass

from sqlalchemy import Engine


@dataclass(frozen=True, slots=True)
class Stores:
    """Where the ledger is written, and read in snapshots; it has so many partitions."""

    engine: Engine
    reads: Engine
    partitions: int
