"""The last state of items, for decide, and any earlier state, rebuilt from events."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, func, select, tuple_

from domain.evolve import fold
from domain.item import Item
from domain.schedules import Due, Price, Schedule, next_due
from ledger.bulk import Values, upserting
from ledger.codec import decode
from ledger.prepared import Prepared, among, listed
from ledger.tables import events, heads

_last_of_each_type = (
    select(func.max(events.c.version).label("version"))
    .where(events.c.item_id == bindparam("item_id"), events.c.version <= bindparam("version"))
    .group_by(events.c.type)
    .subquery()
)

_DECIDING = (
    select(events.c.type, events.c.data, events.c.recorded_at, events.c.effective_at)
    .join(_last_of_each_type, events.c.version == _last_of_each_type.c.version)
    .where(events.c.item_id == bindparam("item_id"))
    .order_by(events.c.version)
)

_DUE = (
    select(heads.c.item_id, heads.c.schedules)
    .where(
        heads.c.due_at <= bindparam("by"),
        heads.c.due_at >= bindparam("since"),
        tuple_(heads.c.due_at, heads.c.item_id) > tuple_(bindparam("since"), bindparam("after")),
    )
    .order_by(heads.c.due_at, heads.c.item_id)
    .limit(bindparam("most"))
)

# In the order of an item's own members.
_MEMBERS = (
    heads.c.item_id,
    heads.c.name,
    heads.c.description,
    heads.c.price,
    heads.c.currency,
    heads.c.version,
    heads.c.created_at,
    heads.c.updated_at,
    heads.c.deleted_at,
    heads.c.effective_at,
    heads.c.schedules,
)

_STORING = upserting(heads)

_LOAD = Prepared(lambda dialect: select(*_MEMBERS).where(among(dialect, heads.c.item_id, "ids")))


def load(connection: Connection, item_ids: Sequence[str]) -> dict[str, Item]:
    """Load the heads of those items that exist."""
    found = _LOAD.run(connection, {"ids": listed(connection, item_ids)})
    return {row[0]: _item(row) for row in found}


def due(
    connection: Connection, by: int, after: tuple[int, str], most: int
) -> list[tuple[str, Due]]:
    """List up to `most` items of which something is due by a moment, the longest due first; those
    that follow `after`, a moment and an item's id.
    """
    since, after_id = after
    given = {"by": by, "since": since, "after": after_id, "most": most}
    found = connection.execute(_DUE, given).mappings()
    return [
        (row["item_id"], happening)
        for row in found
        if (happening := next_due(_read_schedules(row["schedules"]))) is not None
    ]


def store(connection: Connection, items: Iterable[tuple[Item, int]]) -> None:
    """Insert or overwrite the heads of these items, each with its partition."""
    _STORING.write(connection, [_values(item, partition) for item, partition in items])


def at_version(connection: Connection, item_id: str, version: int) -> Item | None:
    """Rebuild the item as it was at a version it has reached; `None` before its first event.

    Every event overwrites what earlier ones of its type said, so the last of each type is enough:
    a handful of events, however long the history. What was scheduled then is not told.
    """
    found = connection.execute(_DECIDING, {"item_id": item_id, "version": version})
    item = fold(
        decode(type_name, data, item_id, recorded_at, effective_at)
        for type_name, data, recorded_at, effective_at in found
    )
    return None if item is None else replace(item, version=version, schedules=())


def _item(row: Sequence[Any]) -> Item:
    """Make an item of its `_MEMBERS`."""
    members: list[Any] = [*row[:-1], _read_schedules(row[-1])]
    return Item(*members)


def make_row(item: Item, partition: int) -> dict[str, Any]:
    """Make the row of an item's head."""
    return dict(zip(_STORING.names, _values(item, partition), strict=True))


def _values(item: Item, partition: int) -> Values:
    due = next_due(item.schedules) if item.schedules else None
    return (
        item.id,
        partition,
        item.version,
        item.name,
        item.description,
        item.price,
        item.currency,
        item.created_at,
        item.updated_at,
        item.deleted_at,
        item.effective_at,
        write_schedules(item),
        None if due is None else due.at,
    )


def write_schedules(item: Item) -> str | None:
    """Write what is pending of an item as the JSON that its head keeps."""
    if not item.schedules:
        return None
    return orjson.dumps([_document(each) for each in item.schedules]).decode()


def _document(schedule: Schedule) -> dict[str, Any]:
    regular = schedule.regular
    document: dict[str, Any] = {
        "id": schedule.id,
        "price": [schedule.price.amount, schedule.price.currency],
        "begins": schedule.begins,
        "ends": schedule.ends,
        "actor": schedule.actor,
        "reason": schedule.reason,
        "regular": None if regular is None else [regular.amount, regular.currency],
    }
    # Not in heads of before there was such a thing: they are to stay as they are made again.
    return document | {"overtaken": True} if schedule.overtaken else document


def _read_schedules(text: str | None) -> tuple[Schedule, ...]:
    if text is None:
        return ()
    return tuple(
        Schedule(
            each["id"],
            Price(*each["price"]),
            each["begins"],
            each["ends"],
            each["actor"],
            each["reason"],
            None if each["regular"] is None else Price(*each["regular"]),
            each.get("overtaken", False),
        )
        for each in orjson.loads(text)
    )
