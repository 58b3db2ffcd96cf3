"""Random histories of a few items, cut into batches, and what views have to make of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from hypothesis import strategies as st

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
from domain.evolve import evolve
from domain.item import Item
from ledger.changes import Changes
from ledger.codec import encode
from ledger.recorded import Recorded
from runtime.times import rfc3339

DAY = 86_400_000
# A moment before midnight, so that some histories go over it.
BEGIN = 20_414 * DAY - 3
PRICES = [0, 1, 2, 4, 5, 9, 10, 49, 199, 200, 9_999, 5 * 10**15, 2**53 - 1]
NAMES = ["Äpfel", "apfel", "Zebra", "日本", "🎈", "STRASSE", "straße"]


@dataclass(frozen=True, slots=True)
class Step:
    """What happens next: to which item, how much later the ledger notes it, and how much later than
    the item's last change it took effect.
    """

    item: int
    what: int
    price: int
    name: str
    currency: str
    recorded_later: int
    effective_later: int


STEPS = st.builds(
    Step,
    st.integers(0, 3),
    st.integers(0, 9),
    st.sampled_from(PRICES),
    st.sampled_from(NAMES),
    st.sampled_from(["EUR", "USD", "JPY"]),
    st.sampled_from([0, 0, 0, 1, 2, DAY // 2]),
    st.sampled_from([0, 0, 0, 1, 1, 2, 500]),
)
# With each step whether a batch ends after it, for two ways of cutting the same history.
HISTORIES = st.lists(st.tuples(STEPS, st.booleans(), st.booleans()), min_size=1, max_size=40)


def recorded(steps: Sequence[Step]) -> list[Recorded]:
    """Make a history of steps, over two partitions."""
    items: dict[str, Item] = {}
    offsets = [0, 0]
    now = BEGIN
    found: list[Recorded] = []
    for step in steps:
        now += step.recorded_later
        item_id, partition = f"item-{step.item}", step.item % 2
        event = _event(item_id, items.get(item_id), now, step)
        item = items[item_id] = evolve(items.get(item_id), event)
        offsets[partition] += 1
        offset = offsets[partition]
        found.append(Recorded(partition, offset, item.version, event, "c", "rosa", None))
    return found


def _event(item_id: str, item: Item | None, now: int, step: Step) -> Event:
    if item is None:
        at = BEGIN - 1_000 + step.effective_later
        return ItemCreated(item_id, now, at, step.name, None, step.price, step.currency)
    at = item.effective_at + step.effective_later
    if item.is_deleted:
        return ItemRestored(item_id, now, at)
    price, currency = step.price, step.currency
    scheduled = ("s", price, currency, at + DAY, None, "rosa", None)
    possible = (
        ItemDeleted(item_id, now, at),
        ItemDeleted(item_id, now, at),
        ItemRenamed(item_id, now, at, step.name),
        ItemRenamed(item_id, now, at, step.name),
        ItemDescribed(item_id, now, at, step.name),
        ItemPriceScheduled(item_id, now, at, *scheduled),
        ItemPriceUnscheduled(item_id, now, at, "s", "cancelled"),
        ItemRepriced(item_id, now, at, price, currency),
        ItemRepriced(item_id, now, at, price, currency),
        ItemRepriced(item_id, now, at, price, currency),
    )
    return possible[step.what]


def batches(history: Sequence[Recorded], ends: Sequence[bool]) -> Iterator[Changes]:
    """Cut a history where `ends` says so, and take each batch as a worker would."""
    items: dict[str, Item] = {}
    number = 0
    numbered: list[tuple[int, Recorded]] = []
    for each, end in zip(history, ends, strict=True):
        numbered.append((number, each))
        number += end
    for _, batch in groupby(numbered, key=lambda pair: pair[0]):
        events = [each for _, each in batch]
        touched = dict.fromkeys(each.event.item_id for each in events)
        before = {each: items[each] for each in touched if each in items}
        for each in events:
            item_id = each.event.item_id
            items[item_id] = evolve(items.get(item_id), each.event)
        yield Changes(events, before, {each: items[each] for each in touched})


def rows(history: Sequence[Recorded]) -> list[dict[str, Any]]:
    """Make the rows that a history has in the ledger."""
    return [
        {
            "partition": each.partition,
            "offset": each.offset,
            "item_id": each.event.item_id,
            "version": each.version,
            "type": encode(each.event)[0],
            "data": encode(each.event)[1],
            "command_id": each.command_id,
            "actor": each.actor,
            "reason": each.reason,
            "recorded_at": each.event.recorded_at,
            "effective_at": each.event.effective_at,
            "hash": "of no interest",
        }
        for each in history
    ]


def states(history: Sequence[Recorded]) -> Mapping[str, list[Item]]:
    """List every state that each item ever had, by version."""
    found: dict[str, list[Item]] = {}
    for each in history:
        mine = found.setdefault(each.event.item_id, [])
        mine.append(evolve(mine[-1] if mine else None, each.event))
    return found


def in_force(history: Sequence[Recorded], at: int) -> list[Item]:
    """Find each item as it was at a moment: the last version that had taken effect."""
    found: list[Item] = []
    for mine in states(history).values():
        reached = [item for item in mine if item.effective_at <= at]
        found += reached[-1:]
    return found


def counted(history: Sequence[Recorded]) -> Mapping[str, Any]:
    """Count what stats tell, one by one."""
    items = [mine[-1] for mine in states(history).values()]
    live = [item for item in items if not item.is_deleted]
    days = sorted({rfc3339(each.event.recorded_at)[:10] for each in history})
    return {
        "items": {"live": len(live), "deleted": len(items) - len(live)},
        "currencies": [
            {
                "currency": currency,
                "items": sum(item.currency == currency for item in live),
                "prices": _buckets([item.price for item in live if item.currency == currency]),
            }
            for currency in sorted({item.currency for item in live})
        ],
        "days": [_day(history, day) for day in days],
    }


def _buckets(prices: Sequence[int]) -> list[Mapping[str, int]]:
    lows = [_low(price) for price in prices]
    return [
        {"from": low, "below": _above(low), "items": lows.count(low)} for low in sorted(set(lows))
    ]


def _low(price: int) -> int:
    if price == 0:
        return 0
    power = 10 ** (len(str(price)) - 1)
    first = int(str(price)[0])
    return power * (5 if first >= 5 else 2 if first >= 2 else 1)


def _above(low: int) -> int:
    if low == 0:
        return 1
    factor = {"1": 2, "2": 2.5, "5": 2}[str(low)[0]]
    return min(int(low * factor), 2**53)


def _day(history: Sequence[Recorded], day: str) -> Mapping[str, Any]:
    types = [
        type(each.event).__name__
        for each in history
        if rfc3339(each.event.recorded_at).startswith(day)
    ]
    return {
        "day": day,
        "events": len(types),
        "types": {name: types.count(name) for name in sorted(set(types))},
    }
