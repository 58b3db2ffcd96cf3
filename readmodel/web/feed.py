"""The page of the feed: what happened last, of all items, and what happens now."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from readmodel import params
from readmodel.answers import Answer
from readmodel.cursors import FeedCursors
from readmodel.feed.told import tell
from readmodel.reads import LEDGER, Reads
from readmodel.views import changes
from readmodel.views.change_rows import ChangeRow
from readmodel.views.changes import Wanted
from readmodel.web import form
from readmodel.web.render import Pages
from readmodel.web.timeline import money, scheduled, titled
from runtime.times import rfc3339

# Events that are shown, and how far back each partition is looked at for them.
_SHOWN = 50


class FeedPage:
    """Answers from `reads`."""

    def __init__(self, pages: Pages, reads: Reads, cursors: FeedCursors) -> None:
        self._pages = pages
        self._reads = reads
        self._cursors = cursors

    def feed(self) -> Answer:
        params.read(form.filled_in(), {})
        with self._reads.snapshot(LEDGER) as read:
            ends = changes.head(read.connection)
            start = tuple(max(each - _SHOWN, 0) for each in ends)
            found = changes.read(read.connection, start, _SHOWN * max(len(ends), 1), Wanted())
        newest = sorted(found.rows, key=lambda each: (each.recorded_at, each.offset))[-_SHOWN:]
        events = [_event(each) for each in reversed(newest)]
        return self._pages.page("feed.html", {"events": events, "shown": self._cursors.write(ends)})


def _event(row: ChangeRow) -> Mapping[str, Any]:
    told = tell(row.type, row.data)
    data = orjson.loads(told.data)
    return {
        "item_id": row.item_id,
        "version": row.version,
        "title": titled(told.name, data),
        "says": _says(told.name, data),
        "actor": row.actor,
        "reason": row.reason,
        "recorded_at": rfc3339(row.recorded_at),
    }


def _says(name: str, data: Mapping[str, Any]) -> Sequence[str]:
    """Say what an event holds, in parts of a line."""
    match name, data:
        case "ItemPriceScheduled", {"effective_from": str(), "effective_until": _}:
            return [scheduled(data)]
        case "ItemDescribed", {"description": None}:
            return ["no description any more"]
        case _:
            price = money(data.get("price"), data.get("currency"))
            parts = (price, data.get("name"), data.get("description"))
            return [each for each in parts if each]
