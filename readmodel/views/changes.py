"""The ledger as a feed, read from the ledger itself.

A place in the feed is the last offset that was told of each partition. Offsets are given out
without gaps and in the order of commits, under the lock of the partition: whoever reads all
partitions in one snapshot and goes on from there misses nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from typing import Any

from sqlalchemy import Connection, select, text

from ledger.prepared import listed
from ledger.tables import partitions
from readmodel.views.change_rows import (
    LAST_VERSION,
    OFFSET_OF_VERSION,
    ChangeRow,
    of_partitions,
    of_versions,
)

Place = tuple[int, ...]

# Events that are looked at for a page at most, however few of them are wanted.
LOOKED_AT = 10_000
# Partitions that a page is read from at most: SQLite takes 500 terms in one statement.
_PARTITIONS = 400


class OtherPartitions(Exception):
    """The place is of a ledger with another number of partitions."""

    def __init__(self, given: int, there: int) -> None:
        super().__init__(
            f"it is of a ledger with {given} partitions, and this one has {there}: "
            "start again without it"
        )


class AheadOfLedger(Exception):
    """The place lies beyond what the database holds. A `replica` may only be late."""

    def __init__(self, partition: int, offset: int, last: int, *, replica: bool) -> None:
        super().__init__(
            f"it has seen event {offset} of partition {partition}, and the last one is {last}"
        )
        self.replica = replica


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events; `None` is all of them."""

    types: tuple[str, ...] | None = None
    item_id: str | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the feed: what follows `start`, and where to go on. `behind` counts the events
    that no page has looked at yet, 0 at the head.
    """

    start: Place
    rows: Sequence[ChangeRow]
    end: Place
    behind: int

    def places(self) -> Iterator[Place]:
        """Tell of each row the place right after it."""
        place = list(self.start)
        for row in self.rows:
            place[row.partition] = row.offset
            yield tuple(place)


_ENDS = select(partitions.c.offset).order_by(partitions.c.partition)


def head(connection: Connection) -> Place:
    """Tell the place after everything there is."""
    return tuple(connection.scalars(_ENDS))


def read(
    connection: Connection, after: Place, limit: int, wanted: Wanted, upto: Place | None = None
) -> Stretch:
    """Read up to `limit` wanted events that follow a place; an empty one is the beginning. The
    connection has to read one snapshot. With `upto` it ends there, as if nothing came after.

    Every partition that has something gets an equal share of the page, so none waits for another;
    within the page events are in the order of `recorded_at`, and always in that of their partition.
    Raises OtherPartitions and AheadOfLedger.
    """
    ends = head(connection)
    start = after or (0,) * len(ends)
    if len(start) != len(ends):
        raise OtherPartitions(len(start), len(ends))
    for partition, (offset, last) in enumerate(zip(start, ends, strict=True)):
        if offset > last:
            replica = _is_replica(connection)
            raise AheadOfLedger(partition, offset, last, replica=replica)
    if upto is not None:
        ends = tuple(
            max(offset, min(last, bound))
            for offset, last, bound in zip(start, ends, upto, strict=True)
        )
    if wanted.item_id is None:
        rows, end = _of_all(connection, start, ends, limit, wanted.types)
    else:
        rows, end = _of_item(connection, start, ends, limit, wanted.item_id, wanted.types)
    return Stretch(start, rows, end, sum(ends) - sum(end))


def _is_replica(connection: Connection) -> bool:
    if connection.dialect.name != "postgresql":
        return False
    return bool(connection.scalar(text("SELECT pg_is_in_recovery()")))


def _of_all(
    connection: Connection, start: Place, ends: Place, limit: int, types: tuple[str, ...] | None
) -> tuple[list[ChangeRow], Place]:
    there = [last - offset for offset, last in zip(start, ends, strict=True)]
    # Another one at every place, and of the same place always the same.
    turn = hash(start)
    windows = shares(there, limit if types is None else LOOKED_AT, turn)
    quotas = shares(windows, limit, turn)
    # As offsets have no gaps, what lies in a window is known before it is read.
    wanted = [each for each, quota in enumerate(quotas) if quota]
    first = turn % len(wanted) if wanted else 0
    looked_at = [*wanted[first:], *wanted[:first]][:_PARTITIONS]
    if not looked_at:
        return [], start
    values: dict[str, Any] = {"types": listed(connection, types or ())}
    for n, each in enumerate(looked_at):
        values |= {
            f"partition_{n}": each,
            f"after_{n}": start[each],
            f"upto_{n}": start[each] + windows[each],
            f"most_{n}": quotas[each],
        }
    statement = of_partitions(len(looked_at), filtered=types is not None)
    found: dict[int, list[ChangeRow]] = {each: [] for each in looked_at}
    for row in statement.run(connection, values):
        found[row.partition].append(row)
    end = list(start)
    for each, rows in found.items():
        rows.sort(key=_offset)
        full = len(rows) == quotas[each]
        end[each] = rows[-1].offset if full else start[each] + windows[each]
    return list(merge(*found.values(), key=_recorded_at)), tuple(end)


def shares(wishes: Sequence[int], total: int, turn: int) -> list[int]:
    """Part a total equally among wishes, none getting more than it wishes. Where there is not even
    one for each, it begins with the one whose turn it is.
    """
    given = [0] * len(wishes)
    first = turn % len(wishes) if wishes else 0
    ring = [*range(first, len(wishes)), *range(first)]
    while total and (short := [each for each in ring if given[each] < wishes[each]]):
        part = max(1, total // len(short))
        for each in short[:total]:
            more = min(part, wishes[each] - given[each])
            given[each] += more
            total -= more
    return given


def _offset(row: ChangeRow) -> int:
    return row.offset


def _recorded_at(row: ChangeRow) -> tuple[int, int]:
    return row.recorded_at, row.partition


def _of_item(
    connection: Connection,
    start: Place,
    ends: Place,
    limit: int,
    item_id: str,
    types: tuple[str, ...] | None,
) -> tuple[list[ChangeRow], Place]:
    """Read by the item's versions. In its other partitions there is nothing of it, ever."""
    found = LAST_VERSION.run(connection, {"item_id": item_id}).one_or_none()
    if found is None:
        return [], ends
    partition: int = found.partition
    if found.offset <= start[partition]:
        return [], ends
    first = _first_beyond(connection, item_id, found.version, start[partition])
    beyond = first + LOOKED_AT
    values: dict[str, Any] = {"types": listed(connection, types or ())}
    values |= {"item_id": item_id, "first": first, "beyond": beyond, "most": limit}
    read = list(of_versions(filtered=types is not None).run(connection, values))
    rows = [row for row in read if row.offset <= ends[partition]]
    end = list(ends)
    if len(rows) == limit:
        end[partition] = rows[-1].offset
    elif beyond <= found.version:
        end[partition] = min(end[partition], _offset_of(connection, item_id, beyond - 1))
    return rows, tuple(end)


def _first_beyond(connection: Connection, item_id: str, last: int, offset: int) -> int:
    """Find the first version of an item beyond an offset, which its last one is; both only grow."""
    low, high = 1, last
    if not offset:
        return low
    while low < high:
        middle = (low + high) // 2
        if _offset_of(connection, item_id, middle) > offset:
            high = middle
        else:
            low = middle + 1
    return low


def _offset_of(connection: Connection, item_id: str, version: int) -> int:
    return OFFSET_OF_VERSION.run(connection, {"item_id": item_id, "version": version}).scalar_one()
