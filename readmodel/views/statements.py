"""The statements that lists are read by. They leave an engine little choice of another way, and are
built once for all lists of one shape: most of what a list costs would be to build them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    case,
    false,
    func,
    literal_column,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import custom_op

from ledger.prepared import Prepared, among
from ledger.projections import Slot
from readmodel.views import items
from readmodel.views.chosen import Key, Sort
from readmodel.views.matches import FOUND, Matches

# Parameters: how many rows, how long a stretch, how many before its last, and ids of items.
LIMIT, STRETCH, BEFORE_LAST, IDS = "limit", "stretch", "before_last", "ids"
# Groups of words: all, and those that the index is not asked for.
WORDS, REST = "word", "rest"
# The place after which the list goes on, and the end of a stretch: these, with the column behind.
AFTER, END = "after", "end"
# The columns that have bounds, with the parameters.
BOUNDS: Mapping[str, tuple[str, ...]] = {
    "currency": ("currency",),
    "price": ("price_min", "price_max"),
    "updated_at": ("updated_since",),
}
# Shapes whose statements are kept, and the most words of one: at worst some 20 MB.
_SHAPES, _WORDS = 512, 6

_LOWER, _UPPER = frozenset({"price_min", "updated_since"}), frozenset({"price_max"})

_Columns = Mapping[str, ColumnElement[Any]]


@dataclass(frozen=True, slots=True)
class Shape:
    """What the statements of a list depend on, beside values. `given` are the parameters of bounds
    that have one; of `words` are asked for so many, and `rest` of them are not looked up.
    """

    dialect_name: str
    items: Slot
    search: Slot | None
    sort: Sort
    goes_on: bool
    given: frozenset[str]
    include_deleted: bool
    words: int
    rest: int

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of the order."""
        if self.sort.field == "id":
            return ("item_id",)
        return ("name_key" if self.sort.field == "name" else self.sort.field, "item_id")


class Statements:
    """Those that read give body and key of items after the place, in the order of the list. Each is
    compiled when it is first used.
    """

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._sqlite = shape.dialect_name == "sqlite"
        self._key = shape.key
        self._items = items.TABLES[shape.items]
        self._here: _Columns = dict(self._items.c)
        # SQLite uses no index for these, and may walk along another one.
        self._hidden = {
            name: _plus(each) if self._sqlite else each for name, each in self._here.items()
        }
        self._matches = None if shape.search is None else Matches(shape.dialect_name, shape.search)

    @cached_property
    def along(self) -> Prepared:
        """Walk along the order, past so many items, and leave out what the filter does; on SQLite
        to the end of the list.
        """
        if self._sqlite:
            return _kept(self._walk(self._place(self._here), self._tested(self._here)))
        if self._matches is not None:
            return _kept(self._stepping(self._tested))
        # What has a limit is done by itself, before anything else is asked of it.
        near = self._ordered(select(self._items).where(*self._place(self._here)), self._here)
        there: _Columns = dict(near.limit(_number(STRETCH)).subquery("near").c)
        rows = self._rows(there).where(*self._filters(there))
        return _kept(rows.limit(_number(LIMIT)))

    @cached_property
    def along_to_end(self) -> Prepared:
        """Walk to the end of a stretch, on SQLite."""
        return _kept(self._walk(self._stretch(), self._tested(self._here)))

    @cached_property
    def end(self) -> Prepared:
        """Find the key of the last item of a stretch, where it has so many."""
        key = select(*(self._here[name] for name in self._key)).where(*self._place(self._here))
        last = self._ordered(key, self._here).limit(1).offset(_number(BEFORE_LAST))
        return _kept(last)

    @cached_property
    def found(self) -> Prepared:
        """Ask the index of words: how many items there are, and a list of them."""
        return _kept(self._asked.gathered(_number(LIMIT)))

    @cached_property
    def spelled(self) -> Prepared:
        """List words that begin with one, on SQLite."""
        return _kept(self._asked.spelled(_number(LIMIT)))

    @cached_property
    def named(self) -> Prepared:
        """List the ids of what was found, on SQLite."""
        return _kept(self._asked.named())

    @cached_property
    def along_found(self) -> Prepared:
        """Walk along the order to the end of a stretch, and take what was found by words. Of the
        rest nothing is read but the place in the index.
        """
        if self._sqlite:
            is_found = among("sqlite", self._hidden["item_id"], FOUND)
            return _kept(self._walk([*self._stretch(), is_found], self._rest(self._here)))
        given: ColumnElement[Any] = bindparam(FOUND, type_=postgresql.ARRAY(Text))
        listed = select(func.unnest(given))

        def passes(near: _Columns) -> list[ColumnElement[bool]]:
            # It is looked up in a table of hashes in this form, and the order stays as it is.
            return [near["item_id"].in_(listed).is_(True), *self._rest(near)]

        return _kept(self._stepping(passes))

    @cached_property
    def found_sorted(self) -> Prepared:
        """Take what was found by words, and sort it."""
        these = among(self._shape.dialect_name, self._here["item_id"], FOUND)
        return _kept(self._sorted(these, self._rest(self._here)))

    @cached_property
    def by_ids(self) -> Prepared:
        """Take items by their ids, and sort them."""
        named = among(self._shape.dialect_name, self._here["item_id"], IDS)
        return _kept(self._sorted(named, self._tested(self._here)))

    @cached_property
    def counted_within(self) -> Mapping[str, Prepared]:
        """Count, up to a limit, what is in the bounds of a column. In the order of that column a
        walk does not leave them: it has none.
        """
        return {name: self._count_within(name) for name in self._bounds(self._here)}

    @cached_property
    def within_sorted(self) -> Mapping[str, Prepared]:
        """Take what is in the bounds of a column, and sort it."""
        return {name: self._within(name) for name in self._bounds(self._here)}

    @cached_property
    def everything(self) -> Prepared:
        """Take what the filter leaves as the engine sees fit."""
        where = [*self._place(self._here), *self._filters(self._here), *self._indexed()]
        return _kept(self._rows(self._here).where(*where).limit(_number(LIMIT)))

    @cached_property
    def counted(self) -> Prepared:
        """Count what the filter leaves."""
        return _kept(self._count([*self._filters(self._here), *self._indexed()]))

    @cached_property
    def counted_by_ids(self) -> Prepared:
        """Count what the filter leaves of items by their ids."""
        named = among(self._shape.dialect_name, self._here["item_id"], IDS)
        tested = self._tested(self._here)
        return _kept(self._count([named, *self._filters(self._here), *tested]))

    @cached_property
    def frequencies(self) -> Prepared:
        """Count how many items of the next stretch have each of the words."""
        near = select(self._items.c.item_id).where(*self._place(self._here))
        near = self._ordered(near, self._here).limit(_number(STRETCH))
        return _kept(self._asked.frequencies(near, WORDS, self._shape.words))

    @property
    def _asked(self) -> Matches:
        if self._matches is None:
            raise AssertionError("no words are asked for")
        return self._matches

    def _walk(
        self, where: list[ColumnElement[bool]], tested: list[ColumnElement[bool]]
    ) -> Select[Any]:
        """Walk along the order, on SQLite, until the page is full. Of items without the words the
        row is not read.
        """
        filters = self._filters(self._hidden)
        if filters and tested:
            filters = [case((and_(*tested), and_(*filters)), else_=false())]
        rows = self._rows(self._here).where(*where, *filters or tested)
        return rows.limit(_number(LIMIT))

    def _stepping(self, tested: Callable[[_Columns], list[ColumnElement[bool]]]) -> Select[Any]:
        """Walk along the order on PostgreSQL, past so many places in the index, and look only those
        up that pass.
        """
        order = select(*(self._here[name] for name in self._key)).where(*self._place(self._here))
        steps = self._ordered(order, self._here).limit(_number(STRETCH)).subquery("near")
        near: _Columns = dict(steps.c)
        one = select(self._items).where(self._here["item_id"] == near["item_id"])
        item = one.limit(1).lateral("item")
        rows = select(item.c.body, *(near[name] for name in self._key))
        rows = rows.select_from(steps.join(item, true()))
        rows = rows.where(*tested(near), *self._filters(dict(item.c)))
        return self._ordered(rows, near).limit(_number(LIMIT))

    def _sorted(self, these: ColumnElement[bool], tested: list[ColumnElement[bool]]) -> Select[Any]:
        there = self._hidden
        where = [these, *self._place(there), *self._filters(there), *tested]
        if self._sqlite:
            return self._rows(self._here).where(*where).limit(_number(LIMIT))
        # With an offset it is done by itself, and not along the order.
        columns = [there[name] for name in ("body", *self._key)]
        few = select(*columns).where(*where).offset(literal_column("0")).subquery("few")
        return self._rows(dict(few.c)).limit(_number(LIMIT))

    def _within(self, column: str) -> Prepared:
        item_id = self._items.c.item_id
        ids = select(item_id).where(*self._bounds(self._here)[column])
        these = (
            item_id.in_(ids) if self._sqlite else item_id == any_(func.array(ids.scalar_subquery()))
        )
        return _kept(self._sorted(these, self._tested(self._here)))

    def _count_within(self, column: str) -> Prepared:
        ids = select(self._items.c.item_id).where(*self._bounds(self._here)[column])
        some = ids.limit(_number(LIMIT)).subquery()
        return _kept(select(func.count()).select_from(some))

    def _count(self, where: list[ColumnElement[bool]]) -> Select[int]:
        return select(func.count()).select_from(self._items).where(*where)

    def _rows(self, there: _Columns) -> Select[Any]:
        return self._ordered(select(there["body"], *(there[name] for name in self._key)), there)

    def _ordered(self, statement: Select[Any], there: _Columns) -> Select[Any]:
        key = [there[name] for name in self._key]
        descending = self._shape.sort.descending
        return statement.order_by(*(each.desc() if descending else each for each in key))

    def _place(self, there: _Columns) -> list[ColumnElement[bool]]:
        """Say what is after the place, and in the bounds of the column that is sorted by."""
        return [*self._begun(there), *self._in_bounds(there, at_begin=False)]

    def _stretch(self) -> list[ColumnElement[bool]]:
        """Say what is after the place, up to the end of a stretch, which is in the bounds. Of two
        ends of the same column an engine may take the farther one.
        """
        mine, other = self._pair(self._here, END)
        until = mine >= other if self._shape.sort.descending else mine <= other
        return [*self._begun(self._here), until]

    def _begun(self, there: _Columns) -> list[ColumnElement[bool]]:
        if not self._shape.goes_on:
            return self._in_bounds(there, at_begin=True)
        mine, other = self._pair(there, AFTER)
        return [mine < other if self._shape.sort.descending else mine > other]

    def _in_bounds(self, there: _Columns, *, at_begin: bool) -> list[ColumnElement[bool]]:
        """Say what is in the bounds of the column that is sorted by, at the begin of the list or at
        its end.
        """
        column, shape = self._key[0], self._shape
        begins = _UPPER if shape.sort.descending else _LOWER
        parameters = [each for each in BOUNDS.get(column, ()) if each in shape.given]
        wanted = [each for each in parameters if (each in begins) == at_begin]
        return [_bound(there[column], each) for each in wanted]

    def _pair(self, there: _Columns, group: str) -> tuple[Any, Any]:
        columns = [there[name] for name in self._key]
        values: list[ColumnElement[Any]] = [
            bindparam(f"{group}_{name}", type_=there[name].type) for name in self._key
        ]
        return tuple_(*columns), tuple_(*values)

    def _filters(self, there: _Columns) -> list[ColumnElement[bool]]:
        """Say what the filter says of an item, but for ids and words."""
        found = [each for bounds in self._bounds(there).values() for each in bounds]
        hides_none = self._shape.include_deleted
        return found if hides_none else [*found, there["deleted_at"].is_(None)]

    def _bounds(self, there: _Columns) -> Mapping[str, list[ColumnElement[bool]]]:
        """Say, of the columns that have an index, what the filter says of them."""
        found: dict[str, list[ColumnElement[bool]]] = {}
        for column, parameters in BOUNDS.items():
            given = [each for each in parameters if each in self._shape.given]
            if given:
                found[column] = [_bound(there[column], each) for each in given]
        return found

    def _tested(self, there: _Columns) -> list[ColumnElement[bool]]:
        if self._matches is None:
            return []
        return [self._matches.tested(there["item_id"], WORDS, self._shape.words)]

    def _rest(self, there: _Columns) -> list[ColumnElement[bool]]:
        if not self._shape.rest:
            return []
        return [self._asked.tested(there["item_id"], REST, self._shape.rest)]

    def _indexed(self) -> list[ColumnElement[bool]]:
        if self._matches is None:
            return []
        return [self._matches.indexed(self._items.c.item_id, REST, self._shape.rest)]


def statements(shape: Shape) -> Statements:
    """Find the statements of a shape. They are not kept where they are long, and rarely wanted."""
    return _remembered(shape) if shape.words <= _WORDS else Statements(shape)


@lru_cache(_SHAPES)
def _remembered(shape: Shape) -> Statements:
    return Statements(shape)


def key_values(group: str, names: Sequence[str], key: Key) -> Mapping[str, str | int]:
    """Name the values of a place, as a statement does that goes on after it or ends there."""
    return {f"{group}_{name}": value for name, value in zip(names, key, strict=True)}


def _kept(statement: ClauseElement) -> Prepared:
    return Prepared(lambda _: statement)


def _number(name: str) -> Any:
    return bindparam(name, type_=BigInteger)


def _bound(column: ColumnElement[Any], parameter: str) -> ColumnElement[bool]:
    value: ColumnElement[Any] = bindparam(parameter, type_=column.type)
    if parameter in _UPPER:
        return column <= value
    return column >= value if parameter in _LOWER else column == value


def _plus(column: ColumnElement[Any]) -> ColumnElement[Any]:
    operator: custom_op[Any] = custom_op("+")
    return UnaryExpression(column, operator=operator, type_=column.type)
