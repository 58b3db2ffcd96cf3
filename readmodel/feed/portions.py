"""Stretches of the feed as Server-Sent Events. Followers at the same place want the same one: it is
read and written once.
"""

import threading
from dataclasses import dataclass, field

import orjson
from sqlalchemy import Engine

from readmodel.cursors import FeedCursors
from readmodel.feed.forms import Forms
from readmodel.views import changes
from readmodel.views.changes import Place, Stretch, Wanted

# Events of one portion, bytes after which it ends, and portions that are kept for others who want
# them.
_LIMIT = 500
_SIZE = 2**18
_KEPT = 64
# Looks at the ledger between which portions are kept for all who follow without a filter.
_MARKS = 64
_ALL = Wanted()
# Followers that read or write at once; the others stand in line, and leave the rest of the process
# its share of the interpreter.
_AT_WORK = 2


@dataclass(frozen=True, slots=True)
class Portion:
    """Events as they are sent, and the place after them; `behind` says that there are more. What is
    sent as a `heartbeat` moves a client to that place.
    """

    frames: bytes
    end: Place
    behind: bool
    heartbeat: bytes


@dataclass(slots=True)
class _Entry:
    """A portion that somebody is reading, or has read."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    portion: Portion | None = None


@dataclass(frozen=True, slots=True)
class _Step:
    """From one look at the ledger to the next one that saw more."""

    upto: Place
    entry: _Entry


class Portions:
    """Reads from `snapshots`, an engine whose connections each read one snapshot."""

    def __init__(self, snapshots: Engine, forms: Forms, cursors: FeedCursors) -> None:
        self.forms = forms
        self.cursors = cursors
        self._snapshots = snapshots
        self._entries: dict[tuple[Place, Wanted, Place | None], _Entry] = {}
        self._steps: dict[Place, _Step] = {}
        self._head: Place | None = None
        self._lock = threading.Lock()
        self._at_work = threading.Semaphore(_AT_WORK)

    def mark(self, place: Place) -> bool:
        """Remember that a look saw the ledger there, and say whether it was set back since the one
        before. Followers that are woken at different moments have the stretches between looks in
        common.
        """
        with self._lock:
            before = self._head
            if place == before:
                return False
            self._head = place
            if before is not None and _is_later(place, before):
                self._steps[before] = _Step(place, _Entry())
                if len(self._steps) > _MARKS:
                    del self._steps[next(iter(self._steps))]
                return False
            # The first look, or the first one at a ledger that was set back: what was read of
            # places that it has no more is not what will be there.
            self._steps.clear()
            self._entries.clear()
            return before is not None

    def forget(self) -> None:
        """Take the next look for the first one: nobody looks for a while."""
        with self._lock:
            self._head = None

    def is_ahead(self, place: Place) -> bool:
        """Say whether a place lies beyond where the ledger was seen last: it was set back."""
        with self._lock:
            head = self._head or place
        return any(offset > last for offset, last in zip(place, head, strict=False))

    def ready(self, place: Place, wanted: Wanted, upto: Place | None) -> Portion | None:
        """Find what follows a place up to another without reading, if others have read all of it;
        waits for nobody.
        """
        if upto is None:
            return None
        if wanted == _ALL and place in self._steps:
            step, at = self._steps.get(place), place
            while at != upto and step is not None:
                if step.entry.portion is None:
                    return None
                at = step.upto
                step = self._steps.get(at)
            return self._walk(place, upto)
        entry = self._entries.get((place, wanted, upto))
        return None if entry is None else entry.portion

    def after(self, place: Place, wanted: Wanted, upto: Place | None) -> Portion:
        """Read what follows a place, up to where the ledger was seen to be, or to its head. Raises
        what the database raises.
        """
        with self._at_work:
            if upto is None:
                return self._read(place, wanted, None)
            if wanted == _ALL and place in self._steps:
                return self._walk(place, upto)
            return self._shared(self._entry((place, wanted, upto)), place, wanted, upto)

    def _walk(self, place: Place, upto: Place) -> Portion:
        """Put together what looks between two places have in common; where a step is missing, or it
        becomes much, the rest is left for the next time.
        """
        frames: list[bytes] = []
        size, heartbeat = 0, b""
        while place != upto and size < _SIZE and (step := self._steps.get(place)) is not None:
            portion = self._shared(step.entry, place, _ALL, step.upto)
            frames.append(portion.frames)
            size += len(portion.frames)
            place, heartbeat = portion.end, portion.heartbeat
            if portion.behind:
                break
        if not frames:
            return self._read(place, _ALL, upto)
        return Portion(b"".join(frames), place, place != upto, heartbeat)

    def _shared(self, entry: _Entry, place: Place, wanted: Wanted, upto: Place) -> Portion:
        with entry.lock:
            if entry.portion is None:
                entry.portion = self._read(place, wanted, upto)
            return entry.portion

    def of(self, stretch: Stretch) -> Portion:
        """Write a stretch that is read already, or its beginning where it is large."""
        frames: list[bytes] = []
        size, end, behind = 0, stretch.end, stretch.behind > 0
        last = len(stretch.rows) - 1
        told = zip(self.forms.changes(stretch), stretch.places(), strict=True)
        for number, (each, place) in enumerate(told):
            document = orjson.dumps(self.forms.document(each))
            frames.append(b"id: %b\ndata: %b\n\n" % (each.cursor.encode(), document))
            size += len(frames[-1])
            if size >= _SIZE and number < last:
                end, behind = place, True
                break
        heartbeat = b"id: %b\n\n" % self.cursors.write(end).encode()
        return Portion(b"".join(frames), end, behind, heartbeat)

    def _read(self, place: Place, wanted: Wanted, upto: Place | None) -> Portion:
        with self._snapshots.connect() as connection:
            stretch = changes.read(connection, place, _LIMIT, wanted, upto)
        return self.of(stretch)

    def _entry(self, key: tuple[Place, Wanted, Place | None]) -> _Entry:
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                entry = self._entries[key] = _Entry()
                if len(self._entries) > _KEPT:
                    # The oldest: whoever has it in hand goes on with it.
                    del self._entries[next(iter(self._entries))]
            return entry


def _is_later(place: Place, other: Place) -> bool:
    return len(place) == len(other) and all(
        now >= then for now, then in zip(place, other, strict=True)
    )
