"""What the timeline of an item's prices has to be, by brute force: every moment is looked at by
going through all events. Times are milliseconds; versions are places in the list, from 1.
"""

import atexit
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import StaticPool

from domain.events import (
    Event,
    ItemCreated,
    ItemDeleted,
    ItemDescribed,
    ItemPriceScheduled,
    ItemPriceUnscheduled,
    ItemRenamed,
    ItemRepriced,
    ItemRestored,
)
from ledger import tables
from ledger.codec import encode

AT = 1_763_798_400_000
DAY = 86_400_000

Money = tuple[int, str]
# Price, from, until, version.
Stretch = tuple[Money, int, int | None, int]

_OF_PRICES = (ItemCreated, ItemRepriced, ItemDeleted, ItemRestored)


def in_force(events: Sequence[Event], at: int) -> Money | None:
    money, live = None, False
    for each in events:
        if each.effective_at > at:
            break
        if isinstance(each, ItemCreated | ItemRepriced):
            money = (each.price, each.currency)
        if isinstance(each, ItemCreated | ItemRestored):
            live = True
        if isinstance(each, ItemDeleted):
            live = False
    return money if live else None


def stretches(events: Sequence[Event]) -> list[Stretch]:
    moments = sorted({each.effective_at for each in events})
    found: list[Stretch] = []
    for at, following in zip(moments, [*moments[1:], None], strict=True):
        money = in_force(events, at)
        if money is None:
            continue
        if found and found[-1][0] == money and found[-1][2] == at:
            found[-1] = (money, found[-1][1], following, found[-1][3])
        else:
            version = max(
                n
                for n, each in enumerate(events, 1)
                if each.effective_at <= at and isinstance(each, _OF_PRICES)
            )
            found.append((money, at, following, version))
    return found


def lowest(events: Sequence[Event], begins: int, ends: int) -> Money | None:
    """Look at the window's first moment and at every one at which something happens in it."""
    counted = in_force(events, ends)
    moments = [begins, *(each.effective_at for each in events if begins < each.effective_at < ends)]
    seen = [money for at in moments if (money := in_force(events, at)) is not None]
    return min((each for each in seen if counted and each[1] == counted[1]), default=None)


def _happenings(at: st.SearchStrategy[int]) -> st.SearchStrategy[Event]:
    lamp = st.just("lamp")
    money = (st.integers(0, 3), st.sampled_from(["EUR", "USD"]))
    return st.one_of(
        st.builds(ItemRepriced, lamp, at, at, *money),
        st.builds(ItemRepriced, lamp, at, at, *money),
        st.builds(ItemDeleted, lamp, at, at),
        st.builds(ItemRestored, lamp, at, at),
        st.builds(ItemRenamed, lamp, at, at, st.just("Lantern")),
        st.builds(ItemDescribed, lamp, at, at, st.just(None)),
        st.builds(
            ItemPriceScheduled,
            *(lamp, at, at, st.just("s"), *money, st.just(AT), st.none(), st.just("rosa")),
            st.none(),
        ),
        st.builds(ItemPriceUnscheduled, lamp, at, at, st.just("s"), st.just("cancelled")),
    )


# Days apart, and a millisecond before or after: edges of windows are hit and just missed.
MOMENTS = st.builds(
    lambda day, off: AT + day * DAY + off, st.integers(0, 5), st.sampled_from([-1, 0, 0, 1])
)


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Draw what happened to an item; `effective_at` never decreases, and is often equal."""
    events = [
        ItemCreated("lamp", AT, AT, "Lamp", None, draw(st.integers(0, 3)), "EUR"),
        *draw(st.lists(_happenings(st.just(AT)), max_size=14)),
    ]
    moments = sorted(draw(st.lists(MOMENTS, min_size=len(events), max_size=len(events))))
    return [
        replace(each, recorded_at=at, effective_at=at)
        for each, at in zip(events, moments, strict=True)
    ]


@cache
def _engine() -> Engine:
    """One database in memory for all of them: a new one would have every statement compiled."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    tables.events.create(engine)
    atexit.register(engine.dispose)
    return engine


@contextmanager
def recorded(events: Sequence[Event]) -> Iterator[Connection]:
    """Keep events in a database that has no others."""
    with _engine().connect() as connection, connection.begin() as transaction:
        rows: list[dict[str, Any]] = []
        for version, each in enumerate(events, 1):
            type_name, data = encode(each)
            rows.append(
                {
                    "partition": 0,
                    "offset": version,
                    "item_id": each.item_id,
                    "version": version,
                    "type": type_name,
                    "data": data,
                    "command_id": "c",
                    "actor": "a",
                    "recorded_at": each.recorded_at,
                    "effective_at": each.effective_at,
                    "hash": "h",
                }
            )
        connection.execute(tables.events.insert(), rows)
        yield connection
        transaction.rollback()
