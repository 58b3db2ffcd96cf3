"""Pages of lists: in any order, with any filter, as fast at the end of a list as at its start.

No engine knows well enough how many items a filter leaves, least of all where it is of words. So
two ways are tried by turns, and neither is followed far before the other: to walk along the order
from the place of the page, which is short where many items are left; and to take what a filter
leaves from an index of its own and sort it, which is short where few are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select

from readmodel.views.chosen import Filter, Key, Sort
from readmodel.views.ways import Slots, Ways

# How many items to walk past, and how many to sort at most: at first, and where that was in vain.
_NEAR, _FEW = 512, 8_000
_FAR, _MANY = 16_384, 50_000


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

    def read(statement: Select[Any]) -> Sequence[Any]:
        return connection.execute(statement.limit(limit)).all()

    ids = ways.chosen.ids
    if ids is not None:
        return read(ways.among(ways.by_ids(ids)))
    found = read(ways.along(_NEAR))
    if len(found) == limit or ways.ends_within(_NEAR):
        return found
    if not _is_dense(len(found), limit) and (few := ways.few(_FEW)) is not None:
        return read(ways.among(few))
    found = read(ways.along(_FAR))
    if len(found) == limit or ways.ends_within(_FAR):
        return found
    many = ways.few(_MANY)
    return read(ways.everything() if many is None else ways.among(many))


def _is_dense(found: int, limit: int) -> bool:
    """Tell by the first walk whether to walk on. The more it found, the less is left to walk, and
    the more there is to sort; in a catalogue of a million the two are even here.
    """
    return 5 * found * found >= limit
