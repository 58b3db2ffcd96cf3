"""Pages of lists: in any order, with any filter, as fast at the end of a list as at its start.

No engine knows well enough how many items a filter leaves, least of all where it is of words. So
two ways are tried by turns, and neither is followed far before the other: to walk along the order
from the place of the page, which is short where many items are left; and to take what a filter
leaves from an index of its own and sort it, which is short where few are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from readmodel.views.chosen import Filter, Key, Sort
from readmodel.views.ways import Slots, Ways

# By turns: how many items to walk past at most, and how many to sort. The first walk is short, as
# it is in vain where a word is rare; most lists end with it.
_TURNS = ((512, 8_000), (16_384, 50_000))


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
    rows = _first(connection, Ways(connection, slots, chosen, sort, after), limit + 1)
    full = rows[:limit]
    return Page([each[0] for each in full], list(full[-1][1:]) if len(rows) > limit else None)


def count(connection: Connection, slots: Slots, chosen: Filter) -> int:
    """Count all items of a list."""
    counted = Ways(connection, slots, chosen, Sort(), None).counted()
    return connection.execute(counted).scalar_one()


def _first(connection: Connection, ways: Ways, limit: int) -> Sequence[Any]:
    """Read the first rows that are left of a list: the body, and the key."""
    ids = ways.chosen.ids
    if ids is not None:
        return connection.execute(ways.among(ways.by_ids(ids)).limit(limit)).all()
    for stretch, most in _TURNS:
        found = connection.execute(ways.along(stretch).limit(limit)).all()
        if len(found) == limit or ways.ends_within(stretch):
            return found
        few = ways.few(most)
        if few is not None:
            return connection.execute(ways.among(few).limit(limit)).all()
    return connection.execute(ways.everything().limit(limit)).all()
