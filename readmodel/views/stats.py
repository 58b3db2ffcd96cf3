"""The stats view: how many items there are, what they cost, and how much happens on a day.

Reads every event. Counters belong to a partition and are summed when they are read, so that
partitions never wait for each other.
"""

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, get_args

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Integer,
    Table,
    Text,
    cast,
    func,
    select,
)

from domain.events import Event, ItemCreated, ItemDeleted, ItemRepriced
from domain.item import Item
from ledger.bulk import Columns, Overwrite, upserting
from ledger.changes import Changes
from ledger.projections import Slot, name_of
from readmodel.views.query import BadParameter, Given, Query
from readmodel.views.view import View, in_slots, metadata

NAME = "stats"

# Days in one answer: where nothing is said, and at most.
DAYS, MOST_DAYS = 30, 366

PARAMETERS: Mapping[str, str] = {
    "from": f"The first day (UTC); if not said, {DAYS} days are told, up to `to`",
    "to": f"The last day; if not said, {MOST_DAYS} days are told from `from` on, and without that "
    "those up to the last one on which anything happened",
}

_DAY = 86_400_000
_EPOCH = date(1970, 1, 1).toordinal()
_FIRST, _LAST = date.min.toordinal() - _EPOCH, date.max.toordinal() - _EPOCH
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

# The lowest prices of the buckets, in minor units: 0, and 1, 2 and 5 of each power of ten. The last
# one ends where prices do.
BOUNDS = (0, *(digit * 10**power for power in range(16) for digit in (1, 2, 5)))
END = 2**53

# What is counted, each by a number and a name: live items by the lowest price of their bucket and
# by currency, deleted items, events by their day (of 1970) and by type.
_PRICE, _DELETED, _EVENT = "price", "deleted", "event"

_Counter = tuple[str, int, str, int]


def _table(slot: Slot) -> Table:
    return Table(
        name_of(NAME, slot),
        metadata,
        Column("counter", Text, primary_key=True),
        Column("number", BigInteger, primary_key=True, autoincrement=False),
        Column("name", Text, primary_key=True),
        Column("partition", Integer, primary_key=True, autoincrement=False),
        Column("value", BigInteger, nullable=False),
    )


TABLES = in_slots(_table)


def _adding_to(table: Table) -> Overwrite:
    def add(new: Columns) -> Mapping[str, ColumnElement[Any]]:
        return {"value": table.c.value + new["value"]}

    return add


_ADDING = {slot: upserting(table, overwrite=_adding_to(table)) for slot, table in TABLES.items()}


def project(connection: Connection, slot: Slot, changes: Changes) -> None:
    """Add what the changes make of each counter, all in one statement."""
    counts = _differences(changes)
    _ADDING[slot].write(connection, [(*counter, value) for counter, value in counts.items()])


def _differences(changes: Changes) -> Mapping[_Counter, int]:
    """Count by counter and partition.

    There is a counter for whatever an event ever named, also where it is at 0: which ones there are
    must not depend on what happens to come in one batch.
    """
    counts: defaultdict[_Counter, int] = defaultdict(int)
    events = changes.events
    partition_of = {each.event.item_id: each.partition for each in events}
    happened = Counter(
        (each.event.recorded_at, type(each.event), each.partition) for each in events
    )
    for (recorded_at, kind, partition), times in happened.items():
        counts[_EVENT, recorded_at // _DAY, kind.__name__, partition] += times
        if kind is ItemDeleted:
            counts[_DELETED, 0, "", partition] += 0
    priced = {
        (event.price, event.currency, each.partition)
        for each in events
        if isinstance(event := each.event, ItemCreated | ItemRepriced)
    }
    for price, currency, partition in priced:
        counts[_PRICE, _bucket(price), currency, partition] += 0
    for items, step in ((changes.after, 1), (changes.before, -1)):
        for counter, times in _count(items, partition_of).items():
            counts[counter] += step * times
    return counts


def _count(items: Mapping[str, Item], partition_of: Mapping[str, int]) -> Mapping[_Counter, int]:
    """Count items by where they are counted; those that cost the same at once."""
    alike = Counter(
        (None if item.is_deleted else item.price, item.currency, partition_of[item_id])
        for item_id, item in items.items()
    )
    counts: Counter[_Counter] = Counter()
    for (price, currency, partition), times in alike.items():
        if price is None:
            counts[_DELETED, 0, "", partition] += times
        else:
            counts[_PRICE, _bucket(price), currency, partition] += times
    return counts


def _bucket(price: int) -> int:
    return BOUNDS[bisect_right(BOUNDS, price) - 1]


@dataclass(frozen=True, slots=True)
class _Window:
    """Days as counted from 1970, both of them in it."""

    first: int
    last: int


def _answer(connection: Connection, slot: Slot, given: Given) -> Mapping[str, Any]:
    table = TABLES[slot]
    window = _window(given, _last_day(connection, table))
    deleted, prices = _items(connection, table)
    currencies = [
        {
            "currency": currency,
            "items": sum(buckets.values()),
            "prices": [
                {"from": low, "below": _end_of(low), "items": items}
                for low, items in sorted(buckets.items())
            ],
        }
        for currency, buckets in sorted(prices.items())
    ]
    live = sum(sum(buckets.values()) for buckets in prices.values())
    return {
        "items": {"live": live, "deleted": deleted},
        "currencies": currencies,
        "from": None if window is None else _text(window.first),
        "to": None if window is None else _text(window.last),
        "days": [] if window is None else _days(connection, table, window),
    }


def _items(connection: Connection, table: Table) -> tuple[int, Mapping[str, Mapping[int, int]]]:
    """Count deleted items, and live ones by currency and the lowest price of their bucket."""
    statement = (
        select(table.c.counter, table.c.number, table.c.name, _summed(table))
        .where(table.c.counter.in_([_PRICE, _DELETED]))
        .group_by(table.c.counter, table.c.number, table.c.name)
    )
    deleted = 0
    prices: dict[str, dict[int, int]] = {}
    for counter, bucket, currency, items in connection.execute(statement):
        if counter == _DELETED:
            deleted = items
        elif items:
            prices.setdefault(currency, {})[bucket] = items
    return deleted, prices


def _last_day(connection: Connection, table: Table) -> int | None:
    return connection.scalar(select(func.max(table.c.number)).where(table.c.counter == _EVENT))


def _days(connection: Connection, table: Table, window: _Window) -> list[Mapping[str, Any]]:
    statement = (
        select(table.c.number, table.c.name, _summed(table))
        .where(table.c.counter == _EVENT, table.c.number.between(window.first, window.last))
        .group_by(table.c.number, table.c.name)
    )
    days: dict[int, dict[str, int]] = {}
    for day, type_name, events in connection.execute(statement):
        days.setdefault(day, {})[type_name] = events
    return [
        {"day": _text(day), "events": sum(types.values()), "types": dict(sorted(types.items()))}
        for day, types in sorted(days.items())
    ]


def _window(given: Given, last_day: int | None) -> _Window | None:
    """Find the days that are asked for; `last_day` is the last one on which anything happened."""
    first, last = _day(given, "from"), _day(given, "to")
    if first is None:
        last = last_day if last is None else last
        return None if last is None else _Window(max(last - DAYS + 1, _FIRST), last)
    if last is None:
        return _Window(first, min(first + MOST_DAYS - 1, _LAST))
    if not first <= last < first + MOST_DAYS:
        raise BadParameter("to", f"not before `from`, and at most {MOST_DAYS} days with it")
    return _Window(first, last)


def _day(given: Given, parameter: str) -> int | None:
    value = given.get(parameter)
    if value is None:
        return None
    try:
        # Python would take other ways of writing a day as well.
        written = value if _DATE.fullmatch(value) else ""
        return date.fromisoformat(written).toordinal() - _EPOCH
    except ValueError as error:
        raise BadParameter(parameter, "a day such as 2026-11-22") from error


def _text(day: int) -> str:
    return date.fromordinal(day + _EPOCH).isoformat()


def _end_of(low: int) -> int:
    after = bisect_right(BOUNDS, low)
    return BOUNDS[after] if after < len(BOUNDS) else END


def _summed(table: Table) -> ColumnElement[int]:
    # PostgreSQL sums whole numbers to something wider.
    return cast(func.sum(table.c.value), BigInteger)


VIEW = View(
    NAME,
    frozenset(get_args(Event)),
    {slot: [table] for slot, table in TABLES.items()},
    project,
    query=Query(PARAMETERS, _answer),
    by_item=True,
)
