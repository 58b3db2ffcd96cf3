"""The page of the catalogue: search, filters, order, and page after page of items."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import orjson

from domain.rules import ID_PATTERN
from readmodel import params
from readmodel.answers import Answer
from readmodel.cursors import FeedCursors
from readmodel.feed.reading import HEAD
from readmodel.item_routes import SORTS
from readmodel.paging import Paging
from readmodel.params import DEFAULT_PAGE, BadValue, Reader
from readmodel.reads import Reads, Snapshot
from readmodel.views import by_id, changes, in_use, items
from readmodel.views import pages as lists
from readmodel.views.chosen import Filter, Sort
from readmodel.web import form
from readmodel.web.form import Form
from readmodel.web.money import amount_of, understood
from readmodel.web.render import Pages

_BEST_FIRST = "-updated_at"
_ID = re.compile(ID_PATTERN)
# Items that are found by their id.
_BY_ID = 5
_TURNED = "This is below Price from"


@dataclass(frozen=True, slots=True)
class _Found:
    """Rendered items of the list, and those found by their id; currencies that items are in."""

    bodies: Sequence[str]
    by_id: Sequence[str]
    in_use: Sequence[str]


class CataloguePage:
    """Answers from `reads`."""

    def __init__(self, pages: Pages, reads: Reads, paging: Paging, cursors: FeedCursors) -> None:
        self._pages = pages
        self._reads = reads
        self._paging = paging
        self._cursors = cursors

    def catalogue(self) -> Answer:
        given = form.filled_in()
        asked = form.read(given, _readers(given.get("currency", "").upper()))
        low, high = (asked.values.get(each) for each in ("min", "max"))
        if low is not None and high is not None and low > high:
            asked = replace(asked, wrong={"max": _TURNED})
        if asked.wrong:
            return self._answer(asked, _Found([], [], []), None, HEAD, 400)
        values = asked.values
        chosen = Filter(
            price_min=values.get("min"),
            price_max=values.get("max"),
            currency=values.get("currency"),
            include_deleted=values.get("deleted", False),
            words=values.get("q"),
        )
        sort: Sort = values.get("sort", SORTS[_BEST_FIRST])
        binding = ("catalogue", sort, chosen)
        after = self._paging.place(values, sort.kinds, *binding)
        with self._reads.snapshot(*chosen.views) as read:
            page = lists.page(read.connection, read.slots, chosen, sort, DEFAULT_PAGE, after)
            found = _Found(page.bodies, _by_id(read, asked), _in_use(read))
            shown = self._cursors.write(changes.head(read.connection))
        return self._answer(asked, found, self._paging.following(page.last, *binding), shown)

    def _answer(
        self, asked: Form, found: _Found, following: str | None, shown: str, status: int = 200
    ) -> Answer:
        filters = {name: value for name, value in asked.filled.items() if name != "cursor"}
        filters["sort"] = filters["sort"] or _BEST_FIRST
        return self._pages.page(
            "catalogue.html",
            {
                "filters": filters,
                "wrong": {name: asked.wrong.get(name, "") for name in asked.filled},
                "understood": {
                    name: understood(filters["currency"].upper() or None, filters[name])
                    for name in ("min", "max")
                },
                "refused": bool(asked.wrong),
                "items": [orjson.loads(each) for each in found.bodies],
                "by_id": [orjson.loads(each) for each in found.by_id],
                "in_use": found.in_use,
                "next": following,
                "shown": shown,
                "continued": bool(asked.filled["cursor"]),
                "narrowed": any(filters[each] for each in ("q", "min", "max", "currency")),
            },
            status,
        )


def _by_id(read: Snapshot, asked: Form) -> Sequence[str]:
    """Find items by what was typed into the search, above the first page of what has the words."""
    typed = asked.filled["q"].strip()
    if asked.filled["cursor"] or not _ID.fullmatch(typed):
        return ()
    return by_id.beginning(read.connection, read.slots[items.NAME], typed, _BY_ID)


def _in_use(read: Snapshot) -> Sequence[str]:
    return in_use.currencies(read.connection, read.slots[items.NAME])


def _currency(value: str) -> str:
    return params.currency(value.upper())


def _words(value: str) -> tuple[str, ...]:
    try:
        return params.words(value)
    except BadValue as error:
        if error.code != "no-words":
            raise
        raise BadValue(
            error.code, "Write a word or a number; empty the field to see everything"
        ) from error


def _readers(currency: str | None) -> Mapping[str, Reader]:
    amount = partial(amount_of, currency)
    return {
        "q": _words,
        "min": amount,
        "max": amount,
        "currency": _currency,
        "deleted": params.flag,
        "sort": params.one_of(SORTS),
        "cursor": params.text,
    }
