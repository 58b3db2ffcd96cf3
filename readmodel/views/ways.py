"""The ways to the items of a list, tried one after the other by `readmodel.views.pages`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, CursorResult

from ledger.prepared import Prepared, Values, listed
from ledger.projections import Slot
from readmodel.views import items, search
from readmodel.views.chosen import Filter, Key, Sort
from readmodel.views.matches import ASKED, FOUND, asking, testing
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


@dataclass(frozen=True, slots=True)
class Found:
    """What the index of words has found: how many items, and these as a parameter."""

    count: int
    items: str | None


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
            **({} if after is None else key_values(AFTER, self._shape.key, after)),
            LIMIT: limit,
            "one": 1,
        }
        self._ends: dict[int, Key | None] = {}
        self._statements = statements(self._shape)

    @property
    def has_words(self) -> bool:
        return bool(self._words)

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
        count, found = self._run(self._looked_up.found, {LIMIT: most + 1}).one()
        return Found(count, found) if count <= most else None

    def along_found(self, found: Found, stretch: int) -> Rows:
        """Walk along the order, past so many items, and take what was found."""
        if not self._sqlite:
            values = {FOUND: found.items, STRETCH: stretch}
            return self._all(self._looked_up.along_found, values)
        end = self._end_of(stretch)
        if end is None:
            return self.sorted_found(found)
        return self._all(self._looked_up.along_found, {FOUND: found.items, **self._key(END, end)})

    def sorted_found(self, found: Found) -> Rows:
        """Take what was found, and sort it."""
        return self._all(self._looked_up.found_sorted, {FOUND: found.items})

    def narrowest(self, most: int) -> str | None:
        """Find the column whose bounds leave the fewest, if these are no more than so many."""
        counted = self._statements.counted_within
        # In the order of this column, the walk does not leave its bounds.
        asked = {name: count for name, count in counted.items() if name not in self._shape.key}
        counts = {
            name: self._run(count, {LIMIT: most + 1}).scalar_one() for name, count in asked.items()
        }
        fewest = min(counts, key=lambda name: counts[name], default=None)
        return None if fewest is None or counts[fewest] > most else fewest

    def within(self, column: str) -> Rows:
        """Take what is in the bounds of a column, and sort it."""
        return self._all(self._statements.within_sorted[column])

    def by_ids(self, ids: Sequence[str]) -> Rows:
        """Take items by their ids, and sort them."""
        return self._all(self._statements.by_ids, {IDS: listed(self._connection, ids)})

    def everything(self) -> Rows:
        """Take what the filter leaves as the engine sees fit."""
        return self._all(self._looked_up.everything)

    def counted(self) -> int:
        """Count what the filter leaves."""
        ids = self._chosen.ids
        if ids is None:
            return self._run(self._looked_up.counted, {}).scalar_one()
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

    @cached_property
    def _looked_up(self) -> Statements:
        """The statements that ask the index, once it is known for which words."""
        if not self._words:
            return self._statements
        words, rest = self._parted()
        asked = asking(self._dialect_name, words)
        self._values = {**self._values, ASKED: asked, **testing(self._dialect_name, REST, rest)}
        return statements(replace(self._shape, rest=len(rest)))

    def _parted(self) -> tuple[Sequence[str], Sequence[str]]:
        """Part the words that are looked up from those that are only tested."""
        words = self._words
        if len(words) == 1:
            return words, ()
        counts = self._run(self._statements.frequencies, {STRETCH: _SAMPLE}).one()
        ranked = sorted(zip(counts, words, strict=True))
        frequent = max(_COMMON, _FREQUENT * ranked[0][0])
        rare = [word for count, word in ranked[:_LOOKED_UP] if count < frequent]
        return rare, [word for word in words if word not in rare]
