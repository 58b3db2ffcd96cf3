"""The page of an item: as it is or was, what happened to it, what it cost, and what it will cost;
and what differs between two of its versions.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from sqlalchemy import Connection

from domain.item import Item
from domain.schedules import SCHEDULES_LIMIT
from ledger import heads, imports
from readmodel import params
from readmodel.answers import Answer
from readmodel.cursors import FeedCursors
from readmodel.item_problems import known, never_seen, no_such_version
from readmodel.paging import Paging
from readmodel.params import BadValue, Reader
from readmodel.reads import LEDGER, Reads
from readmodel.views import changes, history, items, prices, schedules, versions
from readmodel.views.prices import PricePage
from readmodel.views.versions import Stamp
from readmodel.web import form
from readmodel.web.coming import grouped
from readmodel.web.form import Form
from readmodel.web.moments import moment
from readmodel.web.render import Pages
from readmodel.web.timeline import Entry, entries, money
from runtime.row_ids import whole_of
from runtime.times import parse_rfc3339, rfc3339

_EVENTS = 25
# Intervals in the table; the chart has them all.
_INTERVALS = 200
# All that can be pending, and as many that are over.
_SCHEDULES = 2 * SCHEDULES_LIMIT
# Characters of a description that leave room for what else a page shows.
_LONG = 1000
_NO_PRICES = PricePage((), None)
# What a field for date and time sends, which people read as UTC here.
_TO_THE_MINUTE = len("2026-11-22T08:00")
# With which RFC 3339 ends a moment; fields for date and time do not.
_ZONE = re.compile(r"(?:Z|[+-]\d\d:\d\d)$", re.IGNORECASE)
# Milliseconds: what is recorded sooner took effect at once, as people see it.
_LATE = 60_000
# In place of a version, where there was none.
_NOT_YET = 0
_FIELDS = ("name", "description", "price", "deleted_at")


@dataclass(frozen=True, slots=True)
class Compared:
    """A field in two states of an item, as people read it."""

    field: str
    before: str | None
    after: str | None

    @property
    def is_changed(self) -> bool:
        return self.before != self.after


class ItemPage:
    """Answers from `reads`."""

    def __init__(self, pages: Pages, reads: Reads, paging: Paging, cursors: FeedCursors) -> None:
        self._pages = pages
        self._reads = reads
        self._paging = paging
        self._cursors = cursors

    def item(self, item_id: str) -> Answer:
        asked = form.read(form.filled_in(), _STATE)
        checked = known(item_id)
        values = asked.values
        with self._reads.snapshot(LEDGER) as read:
            connection = read.connection
            last = versions.last(connection, checked)
            if last is None:
                raise never_seen(checked)
            current = _at(connection, checked, last.version)
            version = _version(connection, checked, last, values)
            if version == _NOT_YET:
                return self._not_yet(connection, current, asked)
            shown = current if version == last.version else _at(connection, checked, version)
            told, following = self._history(connection, current, values)
            priced = prices.page(connection, checked, _INTERVALS, (None, None), None) or _NO_PRICES
            scheduled = schedules.page(connection, checked, _SCHEDULES, None)
            place = changes.head(connection)
        currencies = dict.fromkeys(each.price.currency for each in priced.intervals)
        return self._pages.page(
            "item.html",
            {
                "item": _document(shown),
                "shown": self._cursors.write(place),
                "last": last.version,
                "is_past": bool(asked.filled["version"] or asked.filled["as_of"]),
                "is_deleted_now": current.is_deleted,
                "as_of": asked.filled["as_of"],
                "then": rfc3339(values["as_of"]) if "as_of" in values else "",
                "wrong": asked.wrong.get("as_of") or asked.wrong.get("version") or "",
                "entries": told,
                "next": following,
                "prices": [each.document() for each in priced.intervals],
                "all_prices": priced.following is None,
                "scheduled": grouped(scheduled.scheduled),
                "all_scheduled": scheduled.last is None,
                "is_long": len(shown.description or "") > _LONG,
                "not_drawn": [each for each in currencies if each != current.currency],
                "drawn": current.currency,
            },
            400 if asked.wrong else 200,
        )

    def _not_yet(self, connection: Connection, current: Item, asked: Form) -> Answer:
        """Answer that the item came later, and lead to when it did."""
        created_at = versions.effective(connection, current.id, [1])[1]
        return self._pages.page(
            "not_yet.html",
            {
                "item": _document(current),
                "as_of": asked.filled["as_of"],
                "then": rfc3339(asked.values["as_of"]),
                "created_at": rfc3339(created_at),
            },
            404,
        )

    def diff(self, item_id: str) -> Answer:
        asked = form.read(form.filled_in(), _DIFF)
        checked = known(item_id)
        with self._reads.snapshot(LEDGER) as read:
            connection = read.connection
            last = versions.last(connection, checked)
            if last is None:
                raise never_seen(checked)
            after: int = asked.values.get("to", last.version)
            before: int = asked.values.get("from", max(after - 1, 1))
            if max(before, after) > last.version:
                raise no_such_version(checked, last.version)
            states = [_document(_at(connection, checked, each)) for each in (before, after)]
        return self._pages.page(
            "diff.html",
            {
                "item": states[1],
                "last": last.version,
                "before": before,
                "after": after,
                "compared": list(_compare(*states)),
                "wrong": next(iter(asked.wrong.values()), ""),
            },
            400 if asked.wrong else 200,
        )

    def _history(
        self, connection: Connection, current: Item, values: Mapping[str, Any]
    ) -> tuple[list[Mapping[str, Any]], str | None]:
        """Read a stretch of what happened, and where the next one begins."""
        binding = ("item page", current.id)
        before: int | None = self._paging.place(values, int, *binding)
        page = history.history(connection, current.id, _EVENTS, before)
        if page is None:
            return [], None
        newest = current if before is None else _at(connection, current.id, before - 1)
        whole = [whole_of(each["command_id"]) for each in page.events]
        found = imports.among_imports(connection, {each for each in whole if each is not None})
        told = [_entry(each, found) for each in entries(page.events, newest.currency)]
        return told, self._paging.following(page.last, *binding)


def _moment(value: str) -> int:
    """Read a moment as RFC 3339 has it, or as a field for date and time sends it."""
    found = _ZONE.search(value)
    zone = found.group() if found else "Z"
    local = value.removesuffix(zone)
    whole = f"{local}:00" if len(local) == _TO_THE_MINUTE else local
    try:
        return params.moment(f"{whole}{zone}")
    except BadValue as error:
        raise BadValue(error.code, "a date and a time, such as 2026-11-22T08:00") from error


_STATE: Mapping[str, Reader] = {
    "version": params.version(1),
    "as_of": _moment,
    "cursor": params.text,
}
_DIFF: Mapping[str, Reader] = {"from": params.version(1), "to": params.version(1)}


def _version(connection: Connection, item_id: str, last: Stamp, values: Mapping[str, Any]) -> int:
    """Find the version that is asked for; `_NOT_YET` of a moment before the first. Raises Trouble
    where the item has not come to it.
    """
    match values:
        case {"version": int(version)}:
            if version > last.version:
                raise no_such_version(item_id, last.version)
            return version
        case {"as_of": int(at)}:
            return versions.as_of(connection, item_id, last, at)
        case _:
            return last.version


def _at(connection: Connection, item_id: str, version: int) -> Item:
    item = heads.at_version(connection, item_id, version)
    if item is None:
        raise LookupError(f"item {item_id} has a version {version} and no events up to it")
    return item


def _document(item: Item) -> dict[str, Any]:
    return orjson.loads(items.render(item))


def _entry(entry: Entry, imported: Mapping[str, str | None]) -> Mapping[str, Any]:
    """Add when it was recorded, where that was not when it took effect, and of which import it is a
    row.
    """
    told = entry.told
    late = parse_rfc3339(told["recorded_at"]) - parse_rfc3339(told["effective_at"])
    import_id = whole_of(told["command_id"])
    return {
        **told,
        "title": entry.title,
        "about": entry.about,
        "note": entry.note,
        "lines": [asdict(each) for each in entry.lines],
        "is_late": late >= _LATE,
        "import_id": import_id if import_id in imported else None,
        "takes_back": imported.get(import_id or ""),
    }


def _compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Compared]:
    def value(state: Mapping[str, Any], field: str) -> str | None:
        match field:
            case "price":
                return money(state["price"], state["currency"])
            case "deleted_at" if state[field] is not None:
                return f"{moment(state[field])} UTC"
            case _:
                return state[field]

    return [
        Compared(each.removesuffix("_at").capitalize(), value(before, each), value(after, each))
        for each in _FIELDS
    ]
