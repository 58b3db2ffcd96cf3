"""What events did to scheduled prices: which one each is about, and what became of it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from domain.events import Event, ItemPriceScheduled, ItemPriceUnscheduled, ItemRepriced
from domain.evolve import fold
from domain.item import Item
from domain.schedules import Schedule
from ledger.codec import decode
from ledger.shapes import stored_types
from ledger.tables import events
from readmodel.views.schedules import Status
from runtime.times import rfc3339

# Events of scheduled prices; a price that somebody sets names none.
_SCHEDULING = ("ItemPriceScheduled", "ItemPriceUnscheduled", "ItemRepriced")
_COLUMNS = (
    events.c.item_id,
    events.c.type,
    events.c.data,
    events.c.recorded_at,
    events.c.effective_at,
)
_OF_SCHEDULES = (
    select(*_COLUMNS)
    .where(
        events.c.item_id == bindparam("item_id"),
        events.c.version <= bindparam("version"),
        events.c.type.in_([each for kind in _SCHEDULING for each in stored_types(kind)]),
        events.c.data.like('%"schedule_id":"%'),
    )
    .order_by(events.c.version)
)


def with_schedules(connection: Connection, item: Item, following: Sequence[Event]) -> Item:
    """Add to an item the prices that were scheduled then, where one of these events, which follow
    its version, is about one of them.
    """
    if not _name_earlier(following):
        return item
    given = {"item_id": item.id, "version": item.version}
    found = (decode_row(row) for row in connection.execute(_OF_SCHEDULES, given))
    after = fold(found, item)
    return item if after is None else replace(item, schedules=after.schedules)


def described(before: Item | None, event: Event, after: Item) -> dict[str, dict[str, Any]]:
    """Say of an event of a scheduled price which one it is about, and what became of it."""
    match event:
        case ItemPriceScheduled(schedule_id=str(schedule_id)):
            over: Status = "pending"
        case ItemRepriced(schedule_id=str(schedule_id)):
            over = "done"
        case ItemPriceUnscheduled(schedule_id=str(schedule_id), how=how):
            over = "cancelled" if how == "cancelled" else "done"
        case _:
            return {}
    old, new = _find(before, schedule_id), _find(after, schedule_id)
    told = new or old
    if told is None:
        # Of what is over already, or was never asked for, there is nothing to tell.
        return {}
    return {
        "scheduled_price": {
            "from": None if old is None else _standing(old, _status(old)),
            "to": _standing(told, over if new is None else _status(new)),
        }
    }


def _name_earlier(following: Iterable[Event]) -> bool:
    asked: set[str] = set()
    for event in following:
        match event:
            case ItemPriceScheduled(schedule_id=schedule_id):
                asked.add(schedule_id)
            case ItemRepriced(schedule_id=str(schedule_id)) if schedule_id not in asked:
                return True
            case ItemPriceUnscheduled(schedule_id=schedule_id) if schedule_id not in asked:
                return True
            case _:
                pass
    return False


def _find(item: Item | None, schedule_id: str) -> Schedule | None:
    schedules = () if item is None else item.schedules
    return next((each for each in schedules if each.id == schedule_id), None)


def _status(schedule: Schedule) -> Status:
    return "active" if schedule.has_begun else "pending"


def _standing(schedule: Schedule, status: Status) -> dict[str, Any]:
    return {
        "id": schedule.id,
        "price": schedule.price.amount,
        "currency": schedule.price.currency,
        "effective_from": rfc3339(schedule.begins),
        "effective_until": None if schedule.ends is None else rfc3339(schedule.ends),
        "status": status,
    }


def decode_row(row: Row[*tuple[Any, ...]]) -> Event:
    """Read an event of a row that has what `decode` needs."""
    return decode(row.type, row.data, row.item_id, row.recorded_at, row.effective_at)
