"""One character or one bit, changed anywhere past the worker: it is always found."""

import os
import random
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from ledger.tables import events, heads, outcomes, partitions
from readmodel.views import items, stats, timeline
from tests.ledger.ledgers import edit, look

VIEWS = (items.TABLES[1], stats.TABLES[1], timeline.TABLES[1])
CHANGED = (events, heads, *VIEWS, partitions, outcomes)

# What can not be made again from events, and why. Of an outcome only those of commands that made
# events can be looked for at all.
NOT_TO_BE_FOUND = {
    "partitions.epoch": "how far the log is taken, which only the log knows",
    "partitions.n": "the same; that it goes back is found, see below",
    "partitions.recorded_at": "commands without events move it on; that it goes back is found",
    "partitions.in_step": "which views take part; how far they are, their checkpoints say",
    "partitions.outcomes": "a figure: outcomes are forgotten, so nothing says how many there were",
    "outcomes.epoch": "where the command stood in the log, which has been trimmed since",
    "outcomes.n": "the same",
    "outcomes.fingerprint": "that of a payload which is not kept",
    "outcomes.request_id": "what the client called its request, which only the client knows",
    "outcomes.trace": "the same",
    "outcomes.completed_at": "the clock on the wall, which may have gone back",
}


def test_random_changes_of_one_character_or_bit_are_all_found(
    writer: Engine, reader: Engine
) -> None:
    seed = random.randrange(2**32)  # noqa: S311
    print(f"seed {seed}")  # noqa: T201  shown when it fails
    chance = random.Random(seed)  # noqa: S311
    count = int(os.environ.get("RANDOM_EDITS", "80")) if writer.dialect.name == "sqlite" else 30
    edit(writer)
    found = 0
    while found < count:
        change = _change(writer, chance)
        if change is None:
            continue
        what, places, before, undo = change
        differences = look(reader).differences
        assert any(each.partition in places for each in differences), (seed, what, before)
        with writer.begin() as connection:
            connection.execute(*undo)
        found += 1

    assert look(reader).differences == ()


def test_what_can_not_be_found_is_named_for_columns_that_are_there() -> None:
    columns = {f"{table.name}.{column.name}" for table in CHANGED for column in table.columns}
    assert set(NOT_TO_BE_FOUND) <= columns


def _change(writer: Engine, chance: random.Random) -> tuple[str, set[Any], Any, Any] | None:
    """Change one value somewhere; say what, in which partition (a row that is in another one now
    is too many there, or lacks here), what it was, and how to undo it.

    None where the value may not stand there, or the change is one that can not be found.
    """
    table = chance.choice(CHANGED)
    column = chance.choice(list(table.columns))
    what = f"{table.name}.{column.name}"
    if what in NOT_TO_BE_FOUND:
        return None
    at, this = (
        ("rowid", "rowid = :at")
        if writer.dialect.name == "sqlite"
        else ("CAST(ctid AS text)", "ctid = CAST(:at AS tid)")
    )
    made_events = " WHERE status = 'applied'" if table is outcomes else ""
    with writer.connect() as connection:
        places = connection.scalars(text(f"SELECT {at} FROM {table.name}{made_events}")).all()
        place = chance.choice(places)
        row = connection.execute(
            text(f"SELECT * FROM {table.name} WHERE {this}"), {"at": place}
        ).mappings()
        before = dict(row.one())
        if what == "outcomes.http_status" and before["version"] > 1:
            # A restored item was brought back by a PUT or a restore: 200 and 201 are both right.
            return None
    value, cast = _other(chance, before[column.name], writer.dialect.name)
    change = f'UPDATE {table.name} SET "{column.name}" = {cast} WHERE {this}'
    try:
        with writer.begin() as connection:
            place = connection.execute(
                text(f"{change} RETURNING {at}"), {"value": value, "at": place}
            ).scalar_one()
    except IntegrityError:
        return None
    undo = text(f'UPDATE {table.name} SET "{column.name}" = :value WHERE {this}')
    values = {"value": before[column.name], "at": place}
    places = {before["partition"], value} if column.name == "partition" else {before["partition"]}
    return what, places, before[column.name], (undo, values)


def _other(chance: random.Random, value: Any, engine: str) -> tuple[Any, str]:
    """Change one character or one bit, and say how to write it."""
    if value is None:
        return (0 if chance.random() < 0.5 and engine == "sqlite" else "1"), ":value"
    if isinstance(value, int) and chance.random() < 0.5:
        return value ^ (1 << chance.randrange(14)), ":value"
    if isinstance(value, int):
        digits = list(str(value))
        at = chance.randrange(len(digits))
        # SQLite keeps whatever it is given, in a column of numbers too.
        others = "0123456789" + ("x" if engine == "sqlite" else "")
        digits[at] = chance.choice([each for each in others if each != digits[at]])
        changed = "".join(digits)
        return (changed if "x" in changed else int(changed)), ":value"
    if not value:
        return "x", ":value"
    if engine == "sqlite" and chance.random() < 0.5:
        # One bit of one byte: what comes out need not be UTF-8 any more.
        octets = bytearray(value.encode())
        octets[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)
        return bytes(octets), "CAST(:value AS TEXT)"
    at = chance.randrange(len(value))
    other = chance.choice([each for each in "aZ09 \"'{,é☀😀" if each != value[at]])
    return value[:at] + other + value[at + 1 :], ":value"
