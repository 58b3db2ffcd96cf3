"""Random catalogues in nasty Unicode, put into the views, and what Python says is in them."""

# ruff: noqa: RUF001  letters that look like others are what is tried

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import orjson
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine

from domain.events import Event, ItemCreated
from domain.evolve import evolve
from domain.item import Item
from ledger.changes import Changes
from ledger.projections import Slot
from ledger.recorded import Recorded
from readmodel.views import pages
from readmodel.views.chosen import Filter, Key, Sort
from readmodel.views.listing import all_views
from readmodel.views.words import words_asked, words_of

AT = 1_763_798_400_000
SLOTS: Mapping[str, Slot] = {"items": 1, "search": 1}

# What queries and names are made of: scripts, forms, and what a query language of an engine knows.
PIECES = (
    "lamp",
    "Lamps",
    "LAMPSHADE",
    "a",
    "an",
    "AND",
    "OR",
    "NOT",
    "NEAR(",
    "straße",
    "STRASSE",
    "ẞ",
    "İstanbul",
    "ısı",
    "IŞIK",
    "ﬁne",
    "Ω",
    "Σίσυφος",
    "ΣΊΣΥΦΟΣ",
    "e\u0301clair",
    "éclair",
    "ＦＵＬＬ",
    "ﾊﾝｶｸ",
    "ハンカク",
    "日本語",
    "本",
    "日",
    "เสื้อเชิ้ต",
    "เสื้อ",
    "한국어",
    "हिन्दी",
    "عربي",
    "עברית",
    "می\u200cخواهم",
    "soft\u00adhyphen",
    "zero\u200bwidth",
    "🎈",
    "❤️",
    "👩\u200d🔧",
    "m²",
    "½",
    "№",
    "12",
    "12.5",
    "x" * 250,
    "'",
    '"',
    "\\",
    "%",
    "_",
    "*",
    "-",
    "^",
    ":*",
    "&",
    "|",
    "!",
    "<->",
    "(",
    ")",
    "{",
    "words:",
    "' OR 1=1 --",
    '" OR 1=1',
    "\ufffd",
    "\ufeff",
)
_SEPARATORS = st.sampled_from(["", " ", "  ", "-", "\u3000", "\u00a0"])


def texts(least: int = 0) -> st.SearchStrategy[str]:
    """Draw texts that an item may have."""
    any_text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
    piece = st.one_of(st.sampled_from(PIECES), st.sampled_from(PIECES), any_text)
    pairs = st.lists(st.tuples(piece, _SEPARATORS), min_size=least, max_size=5)
    return pairs.map(lambda drawn: "".join(part for pair in drawn for part in pair))


def queries(among: Sequence[Item]) -> st.SearchStrategy[str]:
    """Draw what is searched for: any text, or some of what an item says, in another form."""
    said = [text for item in among for text in (item.name, item.description) if text]
    if not said:
        return texts()
    some = st.tuples(st.sampled_from(said), st.integers(0, 40), st.integers(1, 12))
    cut = some.map(lambda drawn: drawn[0][drawn[1] % len(drawn[0]) :][: drawn[2]])
    forms: Sequence[Callable[[str], str]] = (str, str.upper, str.lower, str.title, str.swapcase)
    formed = st.tuples(cut, st.sampled_from(forms)).map(lambda drawn: drawn[1](drawn[0]))
    return st.one_of(formed, formed, texts(1), st.tuples(formed, formed).map(" ".join))


@st.composite
def catalogues(draw: st.DrawFn, most: int = 14) -> list[Item]:
    """Draw items, of few values, so that many are equal."""
    drawn = draw(
        st.lists(
            st.tuples(texts(1), st.none() | texts(), st.integers(0, 4), st.integers(0, 3)),
            max_size=most,
        )
    )
    items: list[Item] = []
    for number, (name, description, price, at) in enumerate(drawn):
        created = ItemCreated(
            f"{'bac'[number % 3]}{number}", AT + at, AT, name, description, price, "EUR"
        )
        currency = "CHF" if number % 5 == 4 else "EUR"
        deleted_at = AT + 9 if number % 4 == 3 else None
        items.append(replace(evolve(None, created), currency=currency, deleted_at=deleted_at))
    return items


class Taking:
    """Takes events into one slot, some at a time."""

    def __init__(self, connection: Connection, slot: Slot) -> None:
        self._connection = connection
        self._slot = slot
        self.items: dict[str, Item] = {}
        self._offset = 0

    def take(self, happened: Sequence[Event]) -> None:
        before, after = {}, {}
        recorded = []
        for each in happened:
            self._offset += 1
            had = self.items.get(each.item_id)
            if had is not None and each.item_id not in after:
                before[each.item_id] = had
            self.items[each.item_id] = after[each.item_id] = evolve(had, each)
            version = after[each.item_id].version
            recorded.append(Recorded(0, self._offset, version, each, "c", "rosa", None))
        for view in all_views():
            view.into(self._slot)(self._connection, Changes(recorded, before, after))


def put(connection: Connection, items: Sequence[Item], slot: Slot = 1) -> None:
    """Put items into every view, as if they had been created as they are."""
    recorded = [
        Recorded(0, offset, 1, creation(item), "c", "rosa", None)
        for offset, item in enumerate(items, 1)
    ]
    for view in all_views():
        view.into(slot)(connection, Changes(recorded, {}, {item.id: item for item in items}))


def creation(item: Item) -> ItemCreated:
    return ItemCreated(
        item.id, item.created_at, AT, item.name, item.description, item.price, item.currency
    )


@contextmanager
def passing(engine: Engine) -> Generator[Connection]:
    """Open a transaction that leaves nothing behind."""
    with engine.connect() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()


def has(item: Item, chosen: Filter) -> bool:
    """Say in Python whether a filter leaves an item."""
    bounds: dict[str, Any] = {
        "price_min": chosen.price_min is None or item.price >= chosen.price_min,
        "price_max": chosen.price_max is None or item.price <= chosen.price_max,
        "currency": chosen.currency is None or item.currency == chosen.currency,
        "updated": chosen.updated_since is None or item.updated_at >= chosen.updated_since,
        "ids": chosen.ids is None or item.id in chosen.ids,
        "deleted": chosen.include_deleted or item.deleted_at is None,
        "words": chosen.words is None or has_words(item, chosen.words),
    }
    return all(bounds.values())


def has_words(item: Item, asked: Sequence[str]) -> bool:
    mine = words_of(f"{item.name}\n{item.description or ''}")
    return all(any(word.startswith(each) for word in mine) for each in asked)


def key(item: Item, sort: Sort) -> list[str | int]:
    """Tell where an item stands in a list."""
    fields: Mapping[str, list[str | int]] = {
        "id": [],
        "name": [item.name.casefold()],
        "price": [item.price],
        "updated_at": [item.updated_at],
    }
    return [*fields[sort.field], item.id]


def listed(
    connection: Connection, chosen: Filter, sort: Sort, limit: int, after: Key | None = None
) -> list[list[str]]:
    """Follow a list to its end, and tell the bodies' ids by page."""
    found: list[list[str]] = []
    while True:
        page = pages.page(connection, SLOTS, chosen, sort, limit, after)
        found.append([_id(body) for body in page.bodies])
        if page.last is None:
            return found
        after = page.last


def _id(body: str) -> str:
    return orjson.loads(body)["id"]


def searched(connection: Connection, query: str) -> list[str] | None:
    """Search by the words of a query, in the order of ids; `None` where it has no word."""
    asked = words_asked(query)
    if not asked:
        return None
    chosen = Filter(words=asked, include_deleted=True)
    return [each for page in listed(connection, chosen, Sort(), 50) for each in page]
