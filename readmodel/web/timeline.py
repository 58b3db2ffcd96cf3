"""The history of an item as a reader follows it: what happened, from what to what."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from readmodel.web.moments import short
from readmodel.web.money import written

_TITLES: Mapping[str, str] = {
    "ItemCreated": "Created",
    "ItemRenamed": "Renamed",
    "ItemDescribed": "Description changed",
    "ItemRepriced": "Price changed",
    "ItemDeleted": "Deleted",
    "ItemRestored": "Restored",
    "ItemPriceScheduled": "Price scheduled",
    "ItemPriceUnscheduled": "Scheduled price ended",
}
_BEGAN = "Scheduled price began"
_CANCELLED = "Scheduled price cancelled"
_REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Line:
    """One field, before and after; `None` where there was or is nothing, and then what is said in
    its place.
    """

    field: str
    before: str | None
    after: str | None
    gone: str = _REMOVED


@dataclass(frozen=True, slots=True)
class Entry:
    """One event, as the history tells it, with its title and lines for people; `about` names the
    scheduled price that began or ended with it by itself, and `note` is what else is to be known.
    """

    told: Mapping[str, Any]
    title: str
    lines: tuple[Line, ...]
    about: str | None = None
    note: str | None = None


def entries(events: Iterable[Mapping[str, Any]], currency: str) -> Iterator[Entry]:
    """Write events of an item, newest first; `currency` is the item's after the newest of them."""
    for each in events:
        changes = each["changes"]
        changed = changes.get("currency", {"from": currency, "to": currency})
        lines = [*_lines(changes, changed["from"], changed["to"])]
        yield _of_schedule(each, lines) or Entry(each, title_of(each["type"]), tuple(lines))
        currency = changed["from"] or currency


def title_of(type_name: str) -> str:
    """Name a type of event for people."""
    return _TITLES.get(type_name, type_name)


def titled(type_name: str, data: Mapping[str, Any]) -> str:
    """Name an event for people by all it holds."""
    match type_name, data:
        case "ItemPriceUnscheduled", {"how": "cancelled"}:
            return _CANCELLED
        case "ItemRepriced", {"schedule_id": str()}:
            return "Price changed as scheduled"
        case _:
            return title_of(type_name)


def money(amount: int | None, currency: str | None) -> str | None:
    """Write an amount with its currency."""
    if amount is None or currency is None:
        return None
    return f"{written(amount, currency)} {currency}"


def scheduled(price: Mapping[str, Any]) -> str:
    """Write a scheduled price: how much, from when, and until when if it ends."""
    until = price["effective_until"]
    ends = "" if until is None else f" until {short(until)}"
    begins = short(price["effective_from"])
    return f"{money(price['price'], price['currency'])} from {begins}{ends} UTC"


def _lines(changes: Mapping[str, Any], old: str | None, new: str) -> Iterator[Line]:
    for name in ("name", "description"):
        if name in changes:
            yield Line(name.capitalize(), changes[name]["from"], changes[name]["to"])
    if "price" in changes:
        price = changes["price"]
        yield Line("Price", money(price["from"], old), money(price["to"], new))
    elif "currency" in changes:
        yield Line("Currency", old, new)


def _of_schedule(event: Mapping[str, Any], lines: list[Line]) -> Entry | None:
    """Write what happened to a scheduled price; `None` where it is about none."""
    change = event["changes"].get("scheduled_price")
    if change is None:
        return None
    title, about, note = _TITLES["ItemPriceUnscheduled"], None, None
    told = scheduled(change["to"])
    match change["from"] and change["from"]["status"], change["to"]["status"]:
        case None, _:
            title = _TITLES["ItemPriceScheduled"]
            lines.append(Line("Scheduled", None, told))
        case _, "cancelled":
            title = _CANCELLED
            lines.append(Line("Scheduled", told, None, ""))
        case "pending", _:
            title, about = _BEGAN, told
        case _:
            about, note = told, None if lines else "The price that was set meanwhile stays."
    return Entry(event, title, tuple(lines), about, note)
