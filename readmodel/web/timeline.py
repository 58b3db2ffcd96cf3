"""The history of an item as a reader follows it: what happened, from what to what."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from readmodel.web.money import written

_TITLES: Mapping[str, str] = {
    "ItemCreated": "Created",
    "ItemRenamed": "Renamed",
    "ItemDescribed": "Described",
    "ItemRepriced": "Price changed",
    "ItemDeleted": "Deleted",
    "ItemRestored": "Restored",
    "ItemPriceScheduled": "Price scheduled",
    "ItemPriceUnscheduled": "Scheduled price ended",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One field, before and after; `None` where there was or is nothing."""

    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One event, as the history tells it, with its title and lines for people."""

    told: Mapping[str, Any]
    title: str
    lines: tuple[Line, ...]


def entries(events: Iterable[Mapping[str, Any]], currency: str) -> Iterator[Entry]:
    """Write events of an item, newest first; `currency` is the item's after the newest of them."""
    for each in events:
        changes = each["changes"]
        changed = changes.get("currency", {"from": currency, "to": currency})
        yield Entry(
            each, title_of(each["type"]), tuple(_lines(changes, changed["from"], changed["to"]))
        )
        currency = changed["from"] or currency


def title_of(type_name: str) -> str:
    """Name a type of event for people."""
    return _TITLES.get(type_name, type_name)


def money(amount: int | None, currency: str | None) -> str | None:
    """Write an amount with its currency."""
    if amount is None or currency is None:
        return None
    return f"{written(amount, currency)} {currency}"


def _lines(changes: Mapping[str, Any], old: str | None, new: str) -> Iterator[Line]:
    for name in ("name", "description"):
        if name in changes:
            yield Line(name.capitalize(), changes[name]["from"], changes[name]["to"])
    if "price" in changes:
        price = changes["price"]
        yield Line("Price", money(price["from"], old), money(price["to"], new))
    elif "currency" in changes:
        yield Line("Currency", old, new)
    scheduled = changes.get("scheduled_price", {"to": None})["to"]
    if scheduled is not None:
        amount = money(scheduled["price"], scheduled["currency"] or new)
        yield Line("Price", None, amount)
        yield Line("From", None, _short(scheduled["effective_from"]))
        if scheduled["effective_until"] is not None:
            yield Line("Until", None, _short(scheduled["effective_until"]))


def _short(at: str) -> str:
    return f"{at[:16].replace('T', ' ')} UTC"
