"""Items in memory as they stand, in so many bytes, kept right by what workers tell.

An entry is right as long as its partition's line is sure and no notice has named the item since it
was read; it is taken in only where it was read at or after the last notice. So it is never older
than that.
"""

import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock

from ledger.moments import Place
from ledger.projections import SLOTS, Slot, name_of
from readmodel.hot.answers import Rendered
from readmodel.hot.line import Line
from readmodel.hot.row import ItemRow
from readmodel.views import items
from runtime.positions import Point, Position

# Seconds for which a beat is good; there is one each second.
_GOOD = 2.5
_SLOT_OF: Mapping[str, Slot] = {name_of(items.NAME, slot): slot for slot in SLOTS}
# What the table of entries takes for one: its node and its places in two tables of hashes, which
# are half empty at worst.
_PLACE = 200


class Part:
    """A partition. What was read in another `generation` than this is not known any more."""

    __slots__ = ("generation", "line", "number", "slots")

    def __init__(self, number: int) -> None:
        self.number = number
        self.line = Line()
        self.generation = 0
        self.slots: frozenset[Slot] = frozenset()


class Entry:
    """An item, ready to be sent; `used` since it was last asked whether it may go."""

    __slots__ = ("generation", "lost_upto", "part", "rendered", "size", "used")

    def __init__(self, item_id: str, row: ItemRow, rendered: Rendered, part: Part) -> None:
        self.rendered = rendered
        self.lost_upto = row.lost_upto
        self.part = part
        self.generation = part.generation
        self.used = False
        self.size = rendered.size() + sys.getsizeof(self) + sys.getsizeof(item_id) + _PLACE


@dataclass(frozen=True, slots=True)
class Figures:
    """What the cache has come to: requests it answered and did not, what it holds, and in how many
    partitions it is sure of that.
    """

    hits: int
    misses: int
    entries: int
    size: int
    sure: int


class ItemCache:
    """Holds at most `limit` bytes; with 0 it holds nothing. For any number of threads."""

    def __init__(self, limit: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._monotonic = monotonic
        self._lock = Lock()
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._size = 0
        self._parts: dict[int, Part] = {}
        self._good_until = 0.0
        self._hits = 0
        self._misses = 0
        self._counting = Lock()

    @property
    def is_on(self) -> bool:
        return self._limit > 0

    def find(self, item_id: str, token: Position | None = None) -> Rendered | None:
        """Find an item as it stands, no older than the command of the token."""
        entry = self._entries.get(item_id)
        if entry is None:
            return None
        part = entry.part
        line = part.line
        if (
            not line.is_sure
            or entry.generation != part.generation
            or self._monotonic() >= self._good_until
        ):
            return None
        if token is not None and not self._has(item_id, entry, token):
            return None
        entry.used = True
        return entry.rendered

    def _has(self, item_id: str, entry: Entry, token: Position) -> bool:
        """Say whether an entry has the token's command, for certain."""
        # Alone: while a notice is taken in, how far it went is of another moment than the entries.
        with self._lock:
            part, last = entry.part, entry.part.line.last
            return (
                last is not None
                and covers(part.number, last, entry.lost_upto, token)
                and self._entries.get(item_id) is entry
                and entry.generation == part.generation
            )

    def keep(self, item_id: str, row: ItemRow, rendered: Rendered) -> None:
        """Take an item in, if what was read is known to be as it stands."""
        if self._limit == 0 or not row.is_in_step:
            return
        with self._lock:
            part = self._parts.get(row.partition)
            if part is None or not part.line.is_sure or row.slot not in part.slots:
                return
            last = part.line.last
            if last is None or row.point < last or self._has_newer(item_id, row):
                return
            entry = Entry(item_id, row, rendered, part)
            self._drop(item_id)
            self._entries[item_id] = entry
            self._size += entry.size
            self._make_room()

    def is_at(self, places: Mapping[int, Place]) -> bool:
        """Say whether everything was heard of a ledger that is at these places, by partition: what
        was written, and from which slot it is read.
        """
        with self._lock:
            parts = self._parts
            return all(
                partition in parts
                and parts[partition].line.is_sure
                and parts[partition].line.last == point
                and parts[partition].slots == _slots(in_step)
                for partition, (point, in_step) in places.items()
            )

    def count(self, *, hit: bool, times: int = 1) -> None:
        """Count a request, or several."""
        with self._counting:
            if hit:
                self._hits += times
            else:
                self._misses += times

    def moved(
        self,
        partition: int,
        before: Point,
        after: Point,
        in_step: frozenset[str],
        changed: tuple[str, ...],
        *,
        gap: bool,
    ) -> None:
        """Take in that a transaction has moved a partition and changed items."""
        with self._lock:
            part = self._part(partition)
            # First, so that nobody who sees how far it is finds what was before.
            for item_id in changed:
                self._drop(item_id)
            known = part.line.moved(before, after, self._monotonic())
            if not self._has_slots(part, in_step) or not known or gap:
                part.generation += 1

    def beat(self, worker: str, partition: int, point: Point, in_step: frozenset[str]) -> None:
        """Take in where the ledger was in a partition when a worker looked, a moment ago."""
        with self._lock:
            now = self._monotonic()
            part = self._part(partition)
            known = part.line.beat(worker, point, now)
            if not self._has_slots(part, in_step) or not known:
                part.generation += 1
            self._good_until = now + _GOOD

    def forget(self) -> None:
        """Begin anew: what was told meanwhile was not heard."""
        with self._lock:
            self._good_until = 0.0
            for part in self._parts.values():
                part.generation += 1
                # Also for those who have an entry of it in hand.
                part.line.is_sure = False
            self._parts = {}
            self._entries.clear()
            self._size = 0

    def figures(self) -> Figures:
        with self._lock:
            good = self._monotonic() < self._good_until
            sure = sum(each.line.is_sure for each in self._parts.values()) if good else 0
            return Figures(self._hits, self._misses, len(self._entries), self._size, sure)

    def _part(self, partition: int) -> Part:
        return self._parts.setdefault(partition, Part(partition))

    def _has_slots(self, part: Part, in_step: frozenset[str]) -> bool:
        """Note which slots are in step; say whether those still are that were."""
        before = part.slots
        part.slots = _slots(in_step)
        return before <= part.slots

    def _has_newer(self, item_id: str, row: ItemRow) -> bool:
        """Say whether another reader was slower to ask and quicker to come back."""
        entry = self._entries.get(item_id)
        if entry is None or entry.generation != entry.part.generation:
            return False
        return entry.rendered.version > row.version

    def _drop(self, item_id: str) -> None:
        entry = self._entries.pop(item_id, None)
        if entry is not None:
            self._size -= entry.size

    def _make_room(self) -> None:
        while self._size > self._limit:
            item_id, entry = self._entries.popitem(last=False)
            if entry.used and entry.generation == entry.part.generation:
                entry.used = False
                self._entries[item_id] = entry
            else:
                self._size -= entry.size


def covers(partition: int, point: Point, lost_upto: int, token: Position) -> bool:
    """Say whether a ledger at this point has the command of a token, for certain."""
    return (
        token.partition == partition
        and token.epoch == point.epoch
        and lost_upto < token.n <= point.n
    )


def _slots(in_step: frozenset[str]) -> frozenset[Slot]:
    return frozenset(_SLOT_OF[each] for each in in_step if each in _SLOT_OF)
