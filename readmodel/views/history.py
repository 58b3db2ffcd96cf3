"""The history of an item, read from the ledger itself: its events and what each one changed."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from domain.events import (
    Event,
    ItemCreated,
    ItemDescribed,
    ItemRenamed,
    ItemRepriced,
)
from domain.evolve import evolve
from domain.item import Item
from ledger import heads
from ledger.shapes import stored_types
from ledger.tables import events
from ledger.upcasting import stored_type
from readmodel.views import schedule_changes
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
    happened = [(row, schedule_changes.decode_row(row)) for row in reversed(rows)]
    start = heads.at_version(connection, item_id, oldest - 1) if oldest > 1 else None
    if fields is None and start is not None:
        start = schedule_changes.with_schedules(connection, start, [each for _, each in happened])
    described = list(_describe(happened, start, members, scheduled=fields is None))
    described.reverse()
    return HistoryPage(described, oldest if len(found) > limit else None)


def _describe(
    happened: Iterable[tuple[Row[*tuple[Any, ...]], Event]],
    start: Item | None,
    members: Collection[str],
    *,
    scheduled: bool,
) -> Iterable[dict[str, Any]]:
    """Say of each event, oldest first, what it changed of these members and, where that is asked
    for, of a scheduled price; `start` is the item before them, and no event is left out that
    changes what is told.
    """
    item = start
    for row, event in happened:
        after = evolve(item, event)
        changes = _changes(item, after, members)
        if scheduled:
            changes |= schedule_changes.described(item, event, after)
        yield {
            "version": row.version,
            "type": stored_type(row.type).name,
            "changes": changes,
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
