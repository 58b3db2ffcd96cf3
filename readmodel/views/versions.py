"""The versions of an item, read from the ledger itself: which it had when, and when each came.

Versions are counted from 1 without gaps, and `effective_at` never decreases from one to the next.
Every answer is about versions up to one that is known, and those never change: statements need no
common snapshot.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, Connection, bindparam, case, cast, literal, select

from ledger.tables import events


@dataclass(frozen=True, slots=True)
class Stamp:
    """A version and the moment it took effect, in milliseconds since 1970."""

    version: int
    effective_at: int


@dataclass(frozen=True, slots=True)
class StampPage:
    """A stretch of an item's versions, newest first; `last` is its oldest where older follow."""

    stamps: Sequence[Stamp]
    last: int | None


_STAMPS = select(events.c.version, events.c.effective_at).where(
    events.c.item_id == bindparam("item_id")
)
_LAST = _STAMPS.order_by(events.c.version.desc()).limit(1)
_SOME = _STAMPS.where(events.c.version.in_(bindparam("versions", expanding=True))).order_by(
    events.c.version
)
_OLDER = (
    _STAMPS.where(events.c.version < bindparam("before"))
    .order_by(events.c.version.desc())
    .limit(bindparam("limit"))
)

# Halves the versions that may be the one until one is left: `low` has taken effect (0 is before the
# first), nothing above `high` has. An index on moments would cost every write.
_search = select(
    cast(literal(0), BigInteger).label("low"),
    cast(bindparam("last"), BigInteger).label("high"),
).cte("search", recursive=True)
_had_come = events.c.effective_at <= bindparam("at", type_=BigInteger)
_search = _search.union_all(
    select(
        case((_had_come, events.c.version), else_=_search.c.low),
        case((_had_come, _search.c.high), else_=events.c.version - 1),
    ).where(
        _search.c.low < _search.c.high,
        events.c.item_id == bindparam("item_id"),
        events.c.version == (_search.c.low + _search.c.high + 1) // 2,
    )
)
_AS_OF = select(_search.c.low).where(_search.c.low == _search.c.high)


def last(connection: Connection, item_id: str) -> Stamp | None:
    """Read the last version of an item; `None` for one never seen."""
    found = connection.execute(_LAST, {"item_id": item_id}).one_or_none()
    return None if found is None else Stamp(found[0], found[1])


def as_of(connection: Connection, item_id: str, last: Stamp, at: int) -> int:
    """Find the last version that had taken effect at a moment; 0 before the first."""
    if last.effective_at <= at:
        return last.version
    given = {"item_id": item_id, "last": last.version, "at": at}
    return connection.execute(_AS_OF, given).scalar_one()


def effective(connection: Connection, item_id: str, versions: Iterable[int]) -> Mapping[int, int]:
    """Read when these versions took effect, in order; those that there are."""
    given = {"item_id": item_id, "versions": sorted(set(versions))}
    return dict(connection.execute(_SOME, given).all())


def page(connection: Connection, item_id: str, limit: int, before: int) -> StampPage:
    """Read up to `limit` versions older than `before`, newest first."""
    given = {"item_id": item_id, "before": before, "limit": limit + 1}
    rows = connection.execute(_OLDER, given).all()
    stamps = [Stamp(version, at) for version, at in rows[:limit]]
    return StampPage(stamps, stamps[-1].version if len(rows) > limit else None)
