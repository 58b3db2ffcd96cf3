"""A view that can not bear to take an event twice, or not at all: it counts, and it adds up."""

from collections.abc import Mapping
from typing import Any, get_args

from sqlalchemy import BigInteger, Column, ColumnElement, Connection, MetaData, Table, Text

from domain.events import Event
from ledger import projections, tables
from ledger.bulk import Columns, upsert_rows
from ledger.changes import Changes
from ledger.projections import Slot, name_of
from readmodel.views.view import View, in_slots
from tests.worker.world import NOW, World

_metadata = MetaData()


def _table(slot: Slot) -> Table:
    return Table(
        name_of("tally", slot),
        _metadata,
        Column("item_id", Text, primary_key=True),
        Column("events", BigInteger, nullable=False),
        Column("price", BigInteger, nullable=False),
    )


TABLES = in_slots(_table)


def _added_up(slot: Slot, new: Columns) -> Mapping[str, ColumnElement[Any]]:
    return {name: TABLES[slot].c[name] + new[name] for name in ("events", "price")}


def _in_one(new: Columns) -> Mapping[str, ColumnElement[Any]]:
    return _added_up(1, new)


def _in_two(new: Columns) -> Mapping[str, ColumnElement[Any]]:
    return _added_up(2, new)


def project(connection: Connection, slot: Slot, changes: Changes) -> None:
    rows: list[dict[str, Any]] = []
    for item_id, after in changes.after.items():
        before = changes.before.get(item_id)
        mine = [each for each in changes.events if each.event.item_id == item_id]
        assert after.version == mine[-1].version
        assert mine[0].version == (0 if before is None else before.version) + 1
        price = after.price - (0 if before is None else before.price)
        rows.append({"item_id": item_id, "events": len(mine), "price": price})
    upsert_rows(connection, TABLES[slot], rows, _in_one if slot == 1 else _in_two)


VIEW = View(
    "tally",
    frozenset(get_args(Event)),
    {slot: [table] for slot, table in TABLES.items()},
    project,
)


def install(world: World, live: Slot | None) -> None:
    """Bring the view into a ledger; one that is live is in step with it from its beginning."""
    with world.engine.begin() as connection:
        _metadata.create_all(connection)
        projections.add(connection, VIEW.name, live, NOW)
        if live is not None:
            name = tables.partitions.c.in_step + f",{name_of(VIEW.name, live)}"
            connection.execute(tables.partitions.update().values(in_step=name))


def told(world: World, slot: Slot) -> list[tuple[str, int, int]]:
    rows = world.rows(TABLES[slot], "item_id")
    return sorted((row["item_id"], row["events"], row["price"]) for row in rows)


def right(world: World) -> list[tuple[str, int, int]]:
    """Tell what it has to be, by the heads that were decided on."""
    rows = world.rows(tables.heads, "item_id")
    return sorted((row["item_id"], row["version"], row["price"]) for row in rows)
