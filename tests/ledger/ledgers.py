"""Ledgers as the worker makes them, and what the owner of a database could do to them."""

import random
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Engine, text

from domain.commands import Command, CreateItem, DeleteItem, PatchItem, ReplaceItem, RestoreItem
from eventlog.envelope import Envelope
from ledger import chain, partitions
from ledger.verify.difference import Report
from ledger.verify.run import verify
from readmodel.verify import live_views
from readmodel.views.listing import all_projections
from runtime.positions import Position
from tests.worker.world import no_ends
from worker.apply import Circumstances, Decoded, apply_one

NOW = 1_800_000_000_000


def fill(engine: Engine, count: int = 2, commands: int = 100, seed: int = 7) -> None:
    """Apply commands of every kind to a few items of each partition, in batches of ten."""
    partitions.lay_out(engine, count)
    chance = random.Random(seed)  # noqa: S311
    for partition in range(count):
        log = [
            Decoded(Position(partition, 1, n), envelope)
            for n, envelope in enumerate(_commands(chance, partition, commands), 1)
        ]
        for begin in range(0, len(log), 10):
            batch = log[begin : begin + 10]
            given = Circumstances(no_ends, NOW + begin)
            apply_one(engine, all_projections(), batch, given)


def _commands(chance: random.Random, partition: int, count: int) -> Iterator[Envelope]:
    for n in range(count):
        item_id = f"p{partition}-{chance.randrange(8)}"
        reason = chance.choice([None, "a sale", "mended ☀"])
        yield Envelope(f"c-{partition}-{n}", _any(chance, item_id), "anna", "f", reason=reason)


def _any(chance: random.Random, item_id: str) -> Command:
    name, price = f"Lamp {chance.randrange(99)} ☀", chance.randrange(1_000_000)
    description = chance.choice([None, "bright", "a 'quoted' \\ thing"])
    match chance.randrange(10):
        case 0 | 1:
            return CreateItem(item_id, NOW, name, description, price, "EUR")
        case 2 | 3 | 4:
            return ReplaceItem(item_id, NOW, name, description, price, None, "USD")
        case 5 | 6:
            return PatchItem(item_id, NOW, price=price, currency="CHF")
        case 7:
            return PatchItem(item_id, NOW, name, description)
        case 8:
            return DeleteItem(item_id, NOW)
        case _:
            return RestoreItem(item_id, NOW)


def look(engine: Engine, *noted: object, now: int = NOW) -> Report:
    """Verify through the engine of a reader."""
    return verify(engine, live_views, noted, now, lambda *_: None)  # type: ignore[arg-type]


def without_triggers(connection: Connection) -> None:
    """Do what the owner of a database can do."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("ALTER TABLE events DISABLE TRIGGER USER"))
        return
    for trigger in connection.scalars(
        text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    ).all():
        connection.execute(text(f"DROP TRIGGER {trigger}"))


def chain_anew(connection: Connection, partition: int = 0) -> None:
    """Make all hashes of a partition fit what is in it now."""
    last = chain.GENESIS
    rows = connection.execute(
        text('SELECT * FROM events WHERE "partition" = :p ORDER BY "offset"'), {"p": partition}
    )
    for row in rows.mappings().all():
        last = chain.link(last, row)
        connection.execute(
            text('UPDATE events SET hash = :h WHERE "partition" = :p AND "offset" = :o'),
            {"h": last, "p": partition, "o": row["offset"]},
        )
    connection.execute(
        text('UPDATE partitions SET hash = :h WHERE "partition" = :p'),
        {"h": last, "p": partition},
    )


def edit(writer: Engine, *statements: str, chain: bool = False, **values: Any) -> None:
    """Edit the database as its owner can, and hide the edit in the chain if asked to."""
    with writer.begin() as connection:
        without_triggers(connection)
        for statement in statements:
            connection.execute(text(statement), values)
        if chain:
            chain_anew(connection)
