"""Pages of lists: in any order, with any filter, as fast at the end of a list as at its start.

No engine knows well enough how many items a filter leaves, least of all where it is of words. So
ways are tried by turns, and none is followed far before another: to walk along the order from the
place of the page, which is short where many items are left; and to take what a filter leaves from
an index of its own and sort it, which is short where few are. In between, what has the words is
looked for along the order, and of the others nothing is read but the place in that.
"""

from dataclasses import dataclass

from sqlalchemy import Connection

from readmodel.views.chosen import Filter, Key, Sort
from readmodel.views.ways import Found, Rows, Slots, Ways

# How many items to walk past, and how many to sort at most: at first, and where that was in vain.
_NEAR, _FEW = 512, 8_000
_FAR, _MANY = 16_384, 50_000
# How many the index of words may find at first: it has them together, where a column's would each
# have to be looked up.
_FEW_FOUND = 14_000
# What has the words is sorted at once, where that costs no more than to walk past so many items.
# More are looked for along the order, if a part of the way that costs as much as to sort them says
# that the page is full before its end. It is not tried where another filter leaves no more than so
# many for each.
_AT_ONCE, _PART, _SELECTIVE = 12_000, 8, 4


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of a list: the rendered items, and the key of the last one where more follow."""

    bodies: list[str]
    last: list[str | int] | None


def page(
    connection: Connection, slots: Slots, chosen: Filter, sort: Sort, limit: int, after: Key | None
) -> Page:
    """Read up to `limit` items that follow the key `after`.

    An item that changes its place between two pages may be met twice or not at all; every other
    one is met exactly once, whatever is inserted meanwhile.
    """
    ways = Ways(connection, slots, chosen, sort, after, limit + 1)
    rows = _first(ways, chosen, limit + 1)
    full = rows[:limit]
    return Page([each[0] for each in full], list(full[-1][1:]) if len(rows) > limit else None)


def count(connection: Connection, slots: Slots, chosen: Filter) -> int:
    """Count all items of a list."""
    return Ways(connection, slots, chosen, Sort(), None, 0).counted()


def _first(ways: Ways, chosen: Filter, limit: int) -> Rows:
    """Read the first rows that are left of a list: the body, and the key."""
    if chosen.ids is not None:
        return ways.by_ids(chosen.ids)
    rows = ways.along(_NEAR)
    if len(rows) == limit or ways.ends_within(_NEAR):
        return rows
    few = None if _is_dense(len(rows), limit) else _few(ways, _FEW, _FEW_FOUND, limit)
    if few is not None:
        return few
    rows = ways.along(_FAR)
    if len(rows) == limit or ways.ends_within(_FAR):
        return rows
    few = _few(ways, _MANY, _MANY, limit)
    return ways.everything() if few is None else few


def _few(ways: Ways, most: int, most_found: int, limit: int) -> Rows | None:
    """Take what a filter leaves from an index of its own, if that is no more than so many, or than
    so many with the words.
    """
    found = ways.found(most_found) if ways.has_words else None
    if found is None:
        column, left = ways.narrowest(most + 1)
        return ways.within(column) if column is not None and left <= most else None
    if found.count * ways.walked <= _AT_ONCE:
        return ways.sorted_found(found)
    selective = _SELECTIVE * found.count
    column, left = ways.narrowest(selective)
    if column is not None and left <= min(most, found.count):
        return ways.within(column)
    return ways.sorted_found(found) if left < selective else _along(ways, found, limit)


def _along(ways: Ways, found: Found, limit: int) -> Rows:
    """Look along the order for what was found by its words, if that is less work than to sort it.

    Half as far again as the first part says, as they do not come evenly.
    """
    worth = found.count * ways.walked
    part = worth // _PART
    rows = ways.along_found(found, part)
    if len(rows) < limit <= len(rows) * _PART:
        rows = ways.along_found(found, min(part * limit * 3 // (2 * len(rows)), worth))
    return rows if len(rows) == limit else ways.sorted_found(found)


def _is_dense(found: int, limit: int) -> bool:
    """Tell by the first walk whether to walk on. The more it found, the less is left to walk, and
    the more there is to sort; in a catalogue of a million the two are even here.
    """
    return found * found >= limit
