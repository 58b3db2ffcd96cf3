"""A ledger of several partitions, written as the worker writes it: as to its rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, update

from domain.events import Event
from domain.evolve import evolve
from domain.item import Item
from ledger import checkpoints, events, partitions, tables
from ledger.bulk import insert_rows, upsert_rows
from ledger.chain import GENESIS
from ledger.checkpoints import Taken
from ledger.engines import writing_engine
from ledger.recorded import Recorded
from readmodel.views import items as items_view
from runtime.positions import Position

AT = 1_763_798_400_000


@dataclass(slots=True)
class Partitioned:
    """Takes events of any partition; an item has to be told of in the same one always."""

    engine: Engine
    count: int
    ends: list[int]
    hashes: list[str]
    items: dict[str, Item] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def of(cls, database_url: str, count: int) -> "Iterator[Partitioned]":
        engine = writing_engine(database_url)
        partitions.lay_out(engine, count)
        yield cls(engine, count, [0] * count, [GENESIS] * count)
        engine.dispose()

    def add(
        self,
        partition: int,
        *happened: Event,
        stored_type: str | None = None,
        reason: str | None = None,
    ) -> None:
        """Append events in one transaction; `stored_type` is what the ledger says they are."""
        recorded: list[Recorded] = []
        for event in happened:
            self.ends[partition] += 1
            item = self.items[event.item_id] = evolve(self.items.get(event.item_id), event)
            place = (partition, self.ends[partition], item.version)
            recorded.append(Recorded(*place, event, f"c-{self.ends[partition]}", "rosa", reason))
        rows, self.hashes[partition] = events.chained(recorded, self.hashes[partition])
        if stored_type is not None:
            rows = [{**row, "type": stored_type} for row in rows]
        with self.engine.begin() as connection:
            self._lock(connection, partition)
            events.append(connection, rows)
            touched = [self.items[each] for each in {event.item_id for event in happened}]
            upsert_rows(
                connection,
                items_view.TABLES[1],
                [items_view.row(each, partition) for each in touched],
            )
            taken = Position(partition, 0, 0)
            checkpoints.move(connection, [Taken("items", taken, self.ends[partition])])
            self._move(connection, partition, offset=self.ends[partition])

    def add_row(self, partition: int, **values: Any) -> None:
        """Append one row as somebody else may have written it."""
        self.ends[partition] += 1
        row: dict[str, Any] = {
            "partition": partition,
            "offset": self.ends[partition],
            "item_id": "lamp",
            "version": self.ends[partition],
            "type": "ItemRenamed",
            "data": "{}",
            "command_id": "c",
            "actor": "rosa",
            "reason": None,
            "recorded_at": AT,
            "effective_at": AT,
            "hash": "h",
        }
        with self.engine.begin() as connection:
            insert_rows(connection, tables.events, [row | values])
            self._move(connection, partition, offset=self.ends[partition])

    def set_back(self, partition: int, offset: int) -> None:
        """Let the partition end earlier, as in a backup."""
        with self.engine.begin() as connection:
            self._move(connection, partition, offset=offset)

    def _lock(self, connection: Any, partition: int) -> None:
        assert partitions.lock_all(connection, [partition])

    def _move(self, connection: Any, partition: int, **to: Any) -> None:
        table = tables.partitions
        connection.execute(update(table).where(table.c.partition == partition).values(**to))
