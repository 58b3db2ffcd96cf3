"""The page of the catalogue: search, filters, order, and page after page of items."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import orjson

from readmodel import params
from readmodel.answers import Answer
from readmodel.cursors import FeedCursors
from readmodel.feed.reading import HEAD
from readmodel.item_routes import SORTS
from readmodel.paging import Paging
from readmodel.params import DEFAULT_PAGE, BadValue, Reader
from readmodel.reads import Reads
from readmodel.views import changes
from readmodel.views import pages as lists
from readmodel.views.chosen import Filter, Sort
from readmodel.web import form
from readmodel.web.form import Form
from readmodel.web.money import amount_of, understood
from readmodel.web.render import Pages

_BEST_FIRST = "-updated_at"


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
        if asked.wrong:
            return self._answer(asked, [], None, HEAD, 400)
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
            shown = self._cursors.write(changes.head(read.connection))
        items = [orjson.loads(each) for each in page.bodies]
        return self._answer(asked, items, self._paging.following(page.last, *binding), shown)

    def _answer(
        self, asked: Form, items: list[Any], following: str | None, shown: str, status: int = 200
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
                "items": items,
                "next": following,
                "shown": shown,
                "continued": bool(asked.filled["cursor"]),
                "narrowed": any(filters[each] for each in ("q", "min", "max", "currency")),
            },
            status,
        )


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
