"""The page of an item: as it is or was, what happened to it, what it cost, what it will cost."""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection

from domain.item import Item
from domain.schedules import SCHEDULES_LIMIT
from ledger import imports, quarantine
from readmodel import params
from readmodel.answers import Answer
from readmodel.cursors import FeedCursors
from readmodel.item_problems import known, never_seen, no_such_version
from readmodel.paging import Paging
from readmodel.params import BadValue, Reader
from readmodel.places import LATER_VERSIONS
from readmodel.reads import LEDGER, Reads
from readmodel.views import changes, history, prices, schedules, versions
from readmodel.views.prices import PricePage
from readmodel.views.versions import Stamp
from readmodel.web import form
from readmodel.web.coming import by_then, grouped
from readmodel.web.form import Form
from readmodel.web.render import Pages
from readmodel.web.states import at, document
from readmodel.web.timeline import Entry, entries
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


class ItemPage:
    """Answers from `reads`; `clock` gives milliseconds."""

    def __init__(
        self,
        pages: Pages,
        reads: Reads,
        paging: Paging,
        cursors: FeedCursors,
        clock: Callable[[], int],
    ) -> None:
        self._pages = pages
        self._reads = reads
        self._paging = paging
        self._cursors = cursors
        self._clock = clock

    def item(self, item_id: str) -> Answer:
        asked = form.read(form.filled_in(), _STATE)
        checked = known(item_id)
        values = asked.values
        with self._reads.snapshot(LEDGER) as read:
            connection = read.connection
            last = versions.last(connection, checked)
            if last is None:
                raise never_seen(checked)
            current = at(connection, checked, last.version)
            version = _version(connection, checked, last, values)
            if version == _NOT_YET:
                return self._not_yet(connection, current, asked)
            shown = current if version == last.version else at(connection, checked, version)
            told, following = self._history(connection, current, values)
            priced = prices.page(connection, checked, _INTERVALS, (None, None), None) or _NO_PRICES
            scheduled = schedules.page(connection, checked, _SCHEDULES, None)
            is_blocked = quarantine.blocks(connection, checked)
            place = changes.head(connection)
        currencies = dict.fromkeys(each.price.currency for each in priced.intervals)
        return self._pages.page(
            "item.html",
            {
                "item": document(shown),
                "shown": self._cursors.write(place),
                "last": last.version,
                "is_past": bool(asked.filled["version"] or asked.filled["as_of"]),
                "is_deleted_now": current.is_deleted,
                "is_blocked": is_blocked,
                "as_of": asked.filled["as_of"],
                "then": rfc3339(values["as_of"]) if "as_of" in values else "",
                "wrong": asked.wrong.get("as_of") or asked.wrong.get("version") or "",
                "entries": told,
                "next": following,
                "prices": [each.document() for each in priced.intervals],
                "all_prices": priced.following is None,
                "by_then": by_then(scheduled.scheduled, self._clock(), values.get("as_of")),
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
                "item": document(current),
                "as_of": asked.filled["as_of"],
                "then": rfc3339(asked.values["as_of"]),
                "created_at": rfc3339(created_at),
            },
            404,
        )

    def _history(
        self, connection: Connection, current: Item, values: Mapping[str, Any]
    ) -> tuple[list[Mapping[str, Any]], str | None]:
        """Read a stretch of what happened, and where the next one begins."""
        binding = ("item page", current.id)
        before: int | None = self._paging.place(values, LATER_VERSIONS, *binding)
        page = history.history(connection, current.id, _EVENTS, before)
        if page is None:
            return [], None
        newest = current if before is None else at(connection, current.id, before - 1)
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
