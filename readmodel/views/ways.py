"""The ways to the items of a list, tried one after the other by `readmodel.views.pages`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, CursorResult

from ledger.prepared import Prepared, Values, listed
from ledger.projections import Slot
from readmodel.views import items, search
from readmodel.views.chosen import Filter, Key, Sort
from readmodel.views.matches import ASKED, FOUND, asking, spelling, testing
from readmodel.views.statements import (
    AFTER,
    BEFORE_LAST,
    BOUNDS,
    END,
    IDS,
    LIMIT,
    REST,
    STRETCH,
    WORDS,
    Shape,
    Statements,
    key_values,
    statements,
)

Slots = Mapping[str, Slot]
Rows = Sequence[Any]

# Items that are looked at to tell which words are frequent. A word is not looked up that so many of
# them have, or so many times as many as have the rarest one: to test what has that is less work. At
# most so many words are looked up.
_SAMPLE = 512
_COMMON, _FREQUENT = 10, 8
_LOOKED_UP = 4
# If no more words begin with one that is looked up, they are asked for by name on SQLite: that is
# two to ten times as fast as by their beginning. Beyond, to go along so many lists is slower.
_SPELLED = 32
# How many items can be walked past for what it costs to look up and sort one: PostgreSQL walks in
# the index alone.
_WALKED = {"sqlite": 4, "postgresql": 20}


@dataclass(frozen=True, slots=True)
class Found:
    """What the index of words has found: how many items, and the list of what it knows them by, as
    the database takes it.
    """

    count: int
    known: str | None


@dataclass(frozen=True, slots=True)
class _Asked:
    """The statements that ask the index, and what they ask it for."""

    statements: Statements
    values: Values


class Ways:
    """Reads what is left of a list after a place: body and key of up to `limit` items, in the order
    of the list.
    """

    def __init__(
        self,
        connection: Connection,
        slots: Slots,
        chosen: Filter,
        sort: Sort,
        after: Key | None,
        limit: int,
    ) -> None:
        self._connection = connection
        self._chosen = chosen
        self._dialect_name = connection.dialect.name
        self._sqlite = self._dialect_name == "sqlite"
        words = chosen.words or ()
        bounds = {name: getattr(chosen, name) for names in BOUNDS.values() for name in names}
        given = {name: value for name, value in bounds.items() if value is not None}
        self._shape = Shape(
            self._dialect_name,
            slots[items.NAME],
            slots[search.NAME] if words else None,
            sort,
            after is not None,
            frozenset(given),
            chosen.include_deleted,
            len(words),
            0,
        )
        self._words = words
        self._values: Values = {
            **given,
            **testing(self._dialect_name, WORDS, words),
            **({} if after is None else self._key(AFTER, after)),
            LIMIT: limit,
        }
        self._ends: dict[int, Key | None] = {}
        self._named: str | None = None
        self._statements = statements(self._shape)

    @property
    def has_words(self) -> bool:
        return bool(self._words)

    @property
    def walked(self) -> int:
        """How many items can be walked past for what it costs to sort one that was found."""
        return _WALKED[self._dialect_name]

    def along(self, stretch: int) -> Rows:
        """Walk along the order, past so many items."""
        if not self._sqlite:
            return self._all(self._statements.along, {STRETCH: stretch})
        # It ends where the page is full, and no later than all the same.
        end = None if self._chosen.leaves_all else self._end_of(stretch)
        if end is None:
            return self._all(self._statements.along)
        return self._all(self._statements.along_to_end, self._key(END, end))

    def ends_within(self, stretch: int) -> bool:
        """Say whether there are no more items along the order than these."""
        return self._end_of(stretch) is None

    def found(self, most: int) -> Found | None:
        """Ask the index for the words, if no more than so many items have them: but for those that
        are so frequent that they are better tested.
        """
        count, found = self._by_index(lambda its: its.found, {LIMIT: most + 1}).one()
        return Found(count, found) if count <= most else None

    def along_found(self, found: Found, stretch: int) -> Rows:
        """Walk along the order, past so many items, and take what was found."""
        values: Values = {FOUND: self._ids(found), STRETCH: stretch}
        if self._sqlite:
            end = self._end_of(stretch)
            if end is None:
                return self.sorted_found(found)
            values = {FOUND: self._ids(found), **self._key(END, end)}
        return self._by_index(lambda its: its.along_found, values).all()

    def sorted_found(self, found: Found) -> Rows:
        """Take what was found, and sort it."""
        return self._by_index(lambda its: its.found_sorted, {FOUND: self._ids(found)}).all()

    def narrowest(self, upto: int) -> tuple[str | None, int]:
        """Find the column whose bounds leave the fewest, and count these up to so many. In the
        order of a column, the walk does not leave its bounds.
        """
        counts = [
            (self._run(count, {LIMIT: upto}).scalar_one(), name)
            for name, count in self._statements.counted_within.items()
            if name not in self._shape.key
        ]
        left, column = min(counts, default=(upto, None))
        return column, left

    def within(self, column: str) -> Rows:
        """Take what is in the bounds of a column, and sort it."""
        return self._all(self._statements.within_sorted[column])

    def by_ids(self, ids: Sequence[str]) -> Rows:
        """Take items by their ids, and sort them."""
        return self._all(self._statements.by_ids, {IDS: listed(self._connection, ids)})

    def everything(self) -> Rows:
        """Take what the filter leaves as the engine sees fit."""
        return self._by_index(lambda its: its.everything, {}).all()

    def counted(self) -> int:
        """Count what the filter leaves."""
        ids = self._chosen.ids
        if ids is None:
            return self._by_index(lambda its: its.counted, {}).scalar_one()
        listing = {IDS: listed(self._connection, ids)}
        return self._run(self._statements.counted_by_ids, listing).scalar_one()

    def _all(self, statement: Prepared, values: Values = MappingProxyType({})) -> Rows:
        return self._run(statement, values).all()

    def _run(self, statement: Prepared, values: Values) -> CursorResult[*tuple[Any, ...]]:
        return statement.run(self._connection, {**self._values, **values})

    def _key(self, group: str, key: Key) -> Values:
        return key_values(group, self._shape.key, key)

    def _end_of(self, stretch: int) -> Key | None:
        """Find the last key of a stretch, where there are so many items."""
        if stretch not in self._ends:
            values = {BEFORE_LAST: stretch - 1}
            row = self._run(self._statements.end, values).one_or_none()
            self._ends[stretch] = None if row is None else tuple(row)
        return self._ends[stretch]

    def _ids(self, found: Found) -> str | None:
        """List the ids of what was found; SQLite looks them up, once."""
        if not self._sqlite:
            return found.known
        if self._named is None:
            self._named = self._by_index(lambda its: its.named, {FOUND: found.known}).scalar_one()
        return self._named

    def _by_index(
        self, choose: Callable[[Statements], Prepared], values: Values
    ) -> CursorResult[*tuple[Any, ...]]:
        asked = self._asked
        return self._run(choose(asked.statements), {**asked.values, **values})

    @cached_property
    def _asked(self) -> _Asked:
        """What the index is asked, once it is known for which words."""
        if not self._words:
            return _Asked(self._statements, {})
        words, rest = self._parted()
        asked = {ASKED: asking(self._dialect_name, words, self._spelled(words))}
        tested = testing(self._dialect_name, REST, rest)
        shape = replace(self._shape, rest=len(rest))
        return _Asked(statements(shape), {**asked, **tested})

    def _spelled(self, words: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Find the words of the index that begin with each of these, where they are few."""
        if not self._sqlite:
            return {}
        spelled = self._statements.spelled
        found = {
            word: self._run(spelled, {**spelling(word), LIMIT: _SPELLED + 1}).scalars().all()
            for word in words
        }
        return {word: some for word, some in found.items() if len(some) <= _SPELLED}

    def _parted(self) -> tuple[Sequence[str], Sequence[str]]:
        """Part the words that are looked up from those that are only tested."""
        words = self._words
        if len(words) == 1:
            return words, ()
        counts = self._run(self._statements.frequencies, {STRETCH: _SAMPLE}).one()
        ranked = sorted(zip(counts, words, strict=True))
        frequent = max(_COMMON, _FREQUENT * ranked[0][0])
        # The rarest one always is.
        rare = [word for count, word in ranked[:_LOOKED_UP] if count < frequent]
        return rare, [word for word in words if word not in rare]
