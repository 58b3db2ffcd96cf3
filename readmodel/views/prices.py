"""The prices of an item as a timeline, read from the ledger itself: half-open intervals of time, by
when each change took effect.

Reads ItemCreated, ItemRepriced, ItemDeleted and ItemRestored: a scheduled price is none before it
has begun. Of several changes at one moment the last one counts; while the item is deleted no price
is in force; what goes on at the same price is one interval.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from domain.events import ItemCreated, ItemDeleted, ItemRepriced, ItemRestored
from domain.item import Item
from domain.schedules import Price
from ledger import heads
from ledger.codec import decode
from ledger.shapes import stored_types
from ledger.tables import events
from readmodel.views import versions
from readmodel.views.versions import Stamp
from runtime.times import rfc3339

# Rows that are read at once: a page of the longest timeline needs no more memory than a short one.
_CHUNK = 250
# How far back the beginning of an interval is looked for at first, in price changes.
_FIRST_LOOK = 50


@dataclass(frozen=True, slots=True)
class Interval:
    """A price that was in force from `begins` until just before `ends`, `None` while it still is.
    Times are milliseconds since 1970; `version` is the item's, of the change that brought it.
    """

    price: Price
    begins: int
    ends: int | None
    version: int

    def document(self) -> dict[str, Any]:
        return {
            "price": self.price.amount,
            "currency": self.price.currency,
            "from": rfc3339(self.begins),
            "until": None if self.ends is None else rfc3339(self.ends),
            "version": self.version,
        }


@dataclass(frozen=True, slots=True)
class PricePage:
    """A stretch of a timeline, oldest first; `following` is the version that brought the interval
    after it, where more follow.
    """

    intervals: Sequence[Interval]
    following: int | None


@dataclass(frozen=True, slots=True)
class _Step:
    """From `at` on, `price` is in force, or none is."""

    version: int
    at: int
    price: Price | None


_CHANGES = select(
    events.c.version, events.c.type, events.c.data, events.c.recorded_at, events.c.effective_at
).where(
    events.c.item_id == bindparam("item_id"),
    events.c.type.in_(
        [
            stored
            for each in (ItemCreated, ItemRepriced, ItemDeleted, ItemRestored)
            for stored in stored_types(each.__name__)
        ]
    ),
)
_ONWARDS = (
    _CHANGES.where(events.c.version >= bindparam("version"))
    .order_by(events.c.version)
    .limit(bindparam("limit"))
)
_BACKWARDS = (
    _CHANGES.where(events.c.version <= bindparam("version"))
    .order_by(events.c.version.desc())
    .limit(bindparam("limit"))
)


def page(
    connection: Connection,
    item_id: str,
    limit: int,
    within: tuple[int | None, int | None],
    continued: int | None,
) -> PricePage | None:
    """Read up to `limit` intervals that overlap the time `within`, from its first moment until just
    before its second one; `continued` is where the page before was followed. `None` for an item
    never seen.
    """
    last = versions.last(connection, item_id)
    if last is None:
        return None
    begin, end = within
    found: list[Interval] = []
    first = _first(connection, item_id, last, begin) if continued is None else continued
    for each in _timeline(connection, item_id, first):
        if end is not None and each.begins >= end:
            break
        if len(found) == limit:
            return PricePage(found, each.version)
        found.append(each)
    return PricePage(found, None)


def in_force(connection: Connection, item_id: str, last: Stamp, at: int) -> Price | None:
    """Find the price that is in force at a moment; `last` is the item's last version."""
    then = heads.at_version(connection, item_id, versions.as_of(connection, item_id, last, at))
    return _price(then)


def since(connection: Connection, item_id: str, last: Stamp, at: int) -> Iterator[Interval]:
    """Read the timeline from the interval on that is in force at a moment, or the next one."""
    return _timeline(connection, item_id, _first(connection, item_id, last, at))


def _timeline(connection: Connection, item_id: str, version: int) -> Iterator[Interval]:
    """Read the timeline from the interval on that this version brought."""
    before = heads.at_version(connection, item_id, version - 1)
    return _intervals(_steps(item_id, before, _onwards(connection, item_id, version)))


def _first(connection: Connection, item_id: str, last: Stamp, at: int | None) -> int:
    """Find the version that brought the interval in force at a moment, or one before the next."""
    if at is None:
        return 1
    there = versions.as_of(connection, item_id, last, at)
    if _price(heads.at_version(connection, item_id, there)) is None:
        return there + 1
    look = _FIRST_LOOK
    while True:
        given = {"item_id": item_id, "version": there, "limit": look}
        rows = connection.execute(_BACKWARDS, given).all()[::-1]
        before = heads.at_version(connection, item_id, rows[0].version - 1)
        seen = list(_intervals(_steps(item_id, before, rows)))
        # One that was in force from the first moment on may have begun earlier.
        if before is None or seen[-1].begins > rows[0].effective_at:
            return seen[-1].version
        look *= 4


def _onwards(connection: Connection, item_id: str, version: int) -> Iterator[Row[*tuple[Any, ...]]]:
    while True:
        given = {"item_id": item_id, "version": version, "limit": _CHUNK}
        rows = connection.execute(_ONWARDS, given).all()
        yield from rows
        if len(rows) < _CHUNK:
            return
        version = rows[-1].version + 1


def _steps(
    item_id: str, before: Item | None, rows: Iterable[Row[*tuple[Any, ...]]]
) -> Iterator[_Step]:
    """Say after each change which price is in force; `before` is the item before them."""
    price = None if before is None else before.priced
    live = before is not None and not before.is_deleted
    for row in rows:
        event = decode(row.type, row.data, item_id, row.recorded_at, row.effective_at)
        match event:
            case ItemCreated():
                price, live = Price(event.price, event.currency), True
            case ItemRepriced():
                price = Price(event.price, event.currency)
            case ItemDeleted():
                live = False
            case ItemRestored():
                live = True
            case _:
                raise AssertionError(f"{row.type} is no change of a price")
        yield _Step(row.version, row.effective_at, price if live else None)


def _intervals(steps: Iterable[_Step]) -> Iterator[Interval]:
    """Make intervals of the steps of an item, oldest first."""
    here: _Step | None = None
    price: Price | None = None
    for _, at_one_moment in groupby(steps, attrgetter("at")):
        *_, step = at_one_moment
        if step.price == price:
            continue
        if here is not None and price is not None:
            yield Interval(price, here.at, step.at, here.version)
        here, price = step, step.price
    if here is not None and price is not None:
        yield Interval(price, here.at, None, here.version)


def _price(item: Item | None) -> Price | None:
    return None if item is None or item.is_deleted else item.priced
