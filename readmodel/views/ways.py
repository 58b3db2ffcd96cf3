"""The ways to the items of a list, as statements that leave an engine little choice of another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    any_,
    case,
    false,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import custom_op

from ledger.bulk import among
from ledger.projections import Slot
from readmodel.views import items, search
from readmodel.views.chosen import Filter, Key, Sort
from readmodel.views.matches import Matches

Slots = Mapping[str, Slot]
_Columns = Mapping[str, ColumnElement[Any]]

# Items that are looked at to tell which words are frequent, and how many times as frequent as the
# rarest a word is that is not looked up: to test what has the rarest is less work. At most so many
# words are looked up.
_SAMPLE = 512
_FREQUENT = 30
_LOOKED_UP = 4


@dataclass(frozen=True, slots=True)
class Few:
    """Says that an item is one of a few; `have_words` where these are known to have the words."""

    these: ColumnElement[bool]
    have_words: bool


class Ways:
    """What is left of a list after a place. The statements give body and key of items, in the order
    of the list, unless they say something else.
    """

    def __init__(
        self, connection: Connection, slots: Slots, chosen: Filter, sort: Sort, after: Key | None
    ) -> None:
        self.chosen = chosen
        self._connection = connection
        self._sqlite = connection.dialect.name == "sqlite"
        self._items = items.TABLES[slots[items.NAME]]
        self._here: _Columns = dict(self._items.c)
        # SQLite uses no index for these, and may walk along another one.
        self._hidden = {
            name: _plus(each) if self._sqlite else each for name, each in self._here.items()
        }
        self._words = chosen.words or ()
        self._matches = Matches(connection, slots[search.NAME]) if self._words else None
        self._sort = sort
        self._after = after
        field = "name_key" if sort.field == "name" else sort.field
        self._key = ("item_id",) if sort.field == "id" else (field, "item_id")

    def along(self, stretch: int) -> Select[Any]:
        """Walk along the order, past so many items, and leave out what the filter does."""
        if not self._sqlite:
            # What has a limit is done by itself, before anything else is asked of it.
            near = self._ordered(select(self._items).where(*self._place(self._here)), self._here)
            there: _Columns = dict(near.limit(stretch).subquery("near").c)
            return self._rows(there).where(*self._filters(there), *self._tested(there))
        # It ends where the page is full; of items without the words the row is not read.
        end = None if self.chosen.leaves_all else self._end_of(stretch)
        until = [] if end is None else [self._until(end)]
        filters, tested = self._filters(self._hidden), self._tested(self._here)
        if filters and tested:
            filters = [case((and_(*tested), and_(*filters)), else_=false())]
        return self._rows(self._here).where(*self._place(self._here), *until, *filters or tested)

    def ends_within(self, stretch: int) -> bool:
        """Say whether there are no more items along the order than these."""
        return self._end_of(stretch) is None

    def few(self, most: int) -> Few | None:
        """Find the filter that leaves the fewest, by an index of its own, if these are no more than
        so many.
        """
        item_id = self._items.c.item_id
        if self._matches is not None:
            these = self._matches.few(item_id, *self._parted, most)
            if these is not None:
                return Few(these, have_words=True)
        found: list[tuple[int, Select[str]]] = []
        for name, bounds in self._bounds(self._here).items():
            # In the order of this column, the walk does not leave its bounds.
            if name not in self._key:
                ids = select(item_id).where(*bounds)
                some = ids.limit(most + 1).subquery()
                count = select(func.count()).select_from(some)
                found.append((self._connection.execute(count).scalar_one(), ids))
        if not found:
            return None
        count, ids = min(found, key=lambda each: each[0])
        if count > most:
            return None
        if self._sqlite:
            return Few(item_id.in_(ids), have_words=False)
        return Few(item_id == any_(func.array(ids.scalar_subquery())), have_words=False)

    def among(self, few: Few) -> Select[Any]:
        """Take a few items, and sort them."""
        there = self._hidden
        tested = [] if few.have_words else self._tested(self._here)
        where = [few.these, *self._place(there), *self._filters(there), *tested]
        return self._rows(self._here).where(*where)

    def by_ids(self, ids: Sequence[str]) -> Few:
        """Say of items that they have these ids."""
        return Few(among(self._connection, self._items.c.item_id, ids), have_words=False)

    def everything(self) -> Select[Any]:
        """Take what the filter leaves as the engine sees fit."""
        where = [*self._place(self._here), *self._filters(self._here), *self._indexed()]
        return self._rows(self._here).where(*where)

    def counted(self) -> Select[int]:
        """Count what the filter leaves."""
        ids = self.chosen.ids
        named = [] if ids is None else [self.by_ids(ids).these]
        where = [*named, *self._filters(self._here), *self._indexed()]
        return select(func.count()).select_from(self._items).where(*where)

    def _rows(self, there: _Columns) -> Select[Any]:
        return self._ordered(select(there["body"], *(there[name] for name in self._key)), there)

    def _ordered(self, statement: Select[Any], there: _Columns) -> Select[Any]:
        key = [there[name] for name in self._key]
        return statement.order_by(*(each.desc() if self._sort.descending else each for each in key))

    def _place(self, there: _Columns) -> list[ColumnElement[bool]]:
        """Say what is after the place, and in the bounds of the column that is sorted by."""
        bounds = self._bounds(there).get(self._key[0], [])
        if self._after is None:
            return bounds
        mine, other = self._pair(there, self._after)
        return [mine < other if self._sort.descending else mine > other, *bounds]

    def _until(self, end: Key) -> ColumnElement[bool]:
        mine, other = self._pair(self._here, end)
        return mine >= other if self._sort.descending else mine <= other

    def _pair(self, there: _Columns, key: Key) -> tuple[Any, Any]:
        columns = [there[name] for name in self._key]
        values = [literal(value, each.type) for value, each in zip(key, columns, strict=True)]
        return tuple_(*columns), tuple_(*values)

    def _end_of(self, stretch: int) -> Key | None:
        """Find the last key of a stretch, where there are so many items."""
        key = select(*(self._here[name] for name in self._key)).where(*self._place(self._here))
        last = self._ordered(key, self._here).limit(1).offset(stretch - 1)
        found = self._connection.execute(last).one_or_none()
        return None if found is None else tuple(found)

    def _filters(self, there: _Columns) -> list[ColumnElement[bool]]:
        """Say what the filter says of an item, but for ids and words."""
        found = [each for bounds in self._bounds(there).values() for each in bounds]
        return found if self.chosen.include_deleted else [*found, there["deleted_at"].is_(None)]

    def _bounds(self, there: _Columns) -> Mapping[str, list[ColumnElement[bool]]]:
        """Say, of the columns that have an index, what the filter says of them."""
        chosen = self.chosen
        found: dict[str, list[ColumnElement[bool]]] = {}
        if chosen.currency is not None:
            found["currency"] = [there["currency"] == chosen.currency]
        prices = [] if chosen.price_min is None else [there["price"] >= chosen.price_min]
        if chosen.price_max is not None:
            prices.append(there["price"] <= chosen.price_max)
        if prices:
            found["price"] = prices
        if chosen.updated_since is not None:
            found["updated_at"] = [there["updated_at"] >= chosen.updated_since]
        return found

    def _tested(self, there: _Columns) -> list[ColumnElement[bool]]:
        if self._matches is None:
            return []
        return [self._matches.tested(there["item_id"], self._words)]

    def _indexed(self) -> list[ColumnElement[bool]]:
        if self._matches is None:
            return []
        return [self._matches.indexed(self._items.c.item_id, *self._parted)]

    @cached_property
    def _parted(self) -> tuple[Sequence[str], Sequence[str]]:
        """Part the words that are looked up from those that are only tested."""
        words = self._words
        if self._matches is None or len(words) == 1:
            return words, ()
        ids = self._items.c.item_id
        near = self._ordered(select(ids).where(*self._place(self._here)), self._here)
        counts = self._matches.frequencies(near.limit(_SAMPLE), words)
        ranked = sorted(zip(counts, words, strict=True))
        frequent = _FREQUENT * max(1, ranked[0][0])
        rare = [word for count, word in ranked[:_LOOKED_UP] if count < frequent]
        return rare, [word for word in words if word not in rare]


def _plus(column: ColumnElement[Any]) -> ColumnElement[Any]:
    operator: custom_op[Any] = custom_op("+")
    return UnaryExpression(column, operator=operator, type_=column.type)
