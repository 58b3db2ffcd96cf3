"""The history of an item, read from the ledger itself: its events and what each one changed."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, Row, bindparam, select

from domain.events import ItemCreated, ItemDescribed, ItemRenamed, ItemRepriced
from domain.evolve import evolve
from domain.item import Item
from ledger import heads
from ledger.codec import decode
from ledger.shapes import stored_types
from ledger.tables import events
from ledger.upcasting import stored_type
from runtime.times import rfc3339

_MEMBERS = ("name", "description", "price", "currency")


@dataclass(frozen=True, slots=True)
class _Field:
    """What somebody may ask about: members of the item, and the events that change them."""

    members: Collection[str]
    events: Collection[type]


_FIELDS: Mapping[str, _Field] = {
    "name": _Field(("name",), (ItemCreated, ItemRenamed)),
    "description": _Field(("description",), (ItemCreated, ItemDescribed)),
    "price": _Field(("price", "currency"), (ItemCreated, ItemRepriced)),
}
# Fields whose history can be asked for alone; the price is told with its currency.
FIELDS: Collection[str] = _FIELDS.keys()


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """A stretch of a history, newest first; `last` is its oldest version where older follow."""

    events: list[dict[str, Any]]
    last: int | None


_COLUMNS = (
    events.c.item_id,
    events.c.version,
    events.c.type,
    events.c.data,
    events.c.command_id,
    events.c.actor,
    events.c.reason,
    events.c.recorded_at,
    events.c.effective_at,
)

_OLDER = (
    select(*_COLUMNS)
    .where(events.c.item_id == bindparam("item_id"), events.c.version < bindparam("before"))
    .order_by(events.c.version.desc())
    .limit(bindparam("limit"))
)

_OLDER_OF = _OLDER.where(events.c.type.in_(bindparam("types", expanding=True)))

_NEWEST = 2**63 - 1


def history(
    connection: Connection,
    item_id: str,
    limit: int,
    before: int | None,
    fields: Collection[str] | None = None,
) -> HistoryPage | None:
    """Read up to `limit` events older than version `before`; `None` for an item never seen. Given
    `fields`, read only what set them.
    """
    given: dict[str, Any] = {
        "item_id": item_id,
        "before": _NEWEST if before is None else before,
        "limit": limit + 1,
    }
    members: Collection[str] = _MEMBERS
    if fields is None:
        found = connection.execute(_OLDER, given).all()
    else:
        chosen = [_FIELDS[each] for each in fields]
        members = [name for each in chosen for name in each.members]
        kinds = {kind.__name__ for each in chosen for kind in each.events}
        given["types"] = sorted(stored for kind in kinds for stored in stored_types(kind))
        found = connection.execute(_OLDER_OF, given).all()
    if not found:
        return None
    rows = found[:limit]
    oldest = rows[-1].version
    start = heads.at_version(connection, item_id, oldest - 1) if oldest > 1 else None
    described = list(_describe(reversed(rows), start, members))
    described.reverse()
    return HistoryPage(described, oldest if len(found) > limit else None)


def _describe(
    rows: Iterable[Row[*tuple[Any, ...]]], start: Item | None, members: Collection[str]
) -> Iterable[dict[str, Any]]:
    """Say of each event, oldest first, what it changed of these members; `start` is the item before
    them, and no event is left out that changes one of them.
    """
    item = start
    for row in rows:
        after = evolve(item, _event(row))
        yield {
            "version": row.version,
            "type": stored_type(row.type).name,
            "changes": _changes(item, after, members) | _schedule(row),
            "actor": row.actor,
            "reason": row.reason,
            "command_id": row.command_id,
            "recorded_at": rfc3339(row.recorded_at),
            "effective_at": rfc3339(row.effective_at),
        }
        item = after


def _changes(
    before: Item | None, after: Item, members: Collection[str]
) -> dict[str, dict[str, Any]]:
    changes: dict[str, dict[str, Any]] = {}
    for name in members:
        old, new = getattr(before, name, None), getattr(after, name)
        if old != new:
            changes[name] = {"from": old, "to": new}
    return changes


def _schedule(row: Row[*tuple[Any, ...]]) -> dict[str, dict[str, Any]]:
    """Say of an event of a scheduled price which one it is about."""
    match stored_type(row.type).name:
        case "ItemPriceScheduled":
            data = orjson.loads(row.data)
            until = data["effective_until"]
            scheduled = {
                "id": data["schedule_id"],
                "price": data["price"],
                "currency": data["currency"],
                "effective_from": rfc3339(data["effective_from"]),
                "effective_until": None if until is None else rfc3339(until),
            }
            return {"scheduled_price": {"from": None, "to": scheduled}}
        case "ItemPriceUnscheduled":
            scheduled = {"id": orjson.loads(row.data)["schedule_id"]}
            return {"scheduled_price": {"from": scheduled, "to": None}}
        case _:
            return {}


def _event(row: Row[*tuple[Any, ...]]) -> Any:
    return decode(row.type, row.data, row.item_id, row.recorded_at, row.effective_at)
