"""The first part of a build: the events of one item after the other, each row written once.

In the order of the ledger an item comes back again and again, and each time its rows and their
places in the indexes are written anew, all over the tables. Taken by item they are written once,
one beside the other. What happens meanwhile is left to `worker.catchup`, which goes on in the order
of the ledger from where that was as the build began.
"""

import time
from collections.abc import Sequence
from dataclasses import replace

import structlog
from sqlalchemy import Connection

from ledger import checkpoints, events, projections
from ledger.checkpoints import Taken
from ledger.projections import ByItem, Projection, Slot, name_of
from ledger.recorded import Recorded
from readmodel.views.view import View
from runtime.positions import Position
from worker.catchup import Terms
from worker.fold import Fold
from worker.pace import Stride
from worker.stores import Stores

log = structlog.get_logger()


def take_by_item(stores: Stores, view: View, book: Projection, terms: Terms) -> bool:
    """Take what is left of the part of a build that goes by item; say whether that is all of it: it
    is not where it was told to stop. Raises what the projection and the stores raise.
    """
    return _Part(stores, view, book, terms).run()


class _Part:
    def __init__(self, stores: Stores, view: View, book: Projection, terms: Terms) -> None:
        self._engine = stores.engine
        self._reads = stores.reads
        self._view = view
        self._slot: Slot = book.shadow
        self._project = view.into(book.shadow)
        self._terms = terms
        self._place = book.by_item
        # Of a stretch only its last item may come again.
        self._fold = Fold(remembered=1)
        self._stride = Stride(terms.pace, terms.going)

    def run(self) -> bool:
        while self._place is not None:
            if not self._terms.going():
                return False
            begun = time.monotonic()
            read = self._take(self._place)
            if read is None:
                return False
            self._stride.rest(read, time.monotonic() - begun)
        return True

    def _take(self, place: ByItem) -> int | None:
        """Take a stretch, and tell how many events were read; `None` where somebody else has been
        at it, or it is not wanted any more.
        """
        count = self._stride.count
        with self._reads.connect() as connection:
            read = events.by_item(connection, place.item_id, place.version, count)
            mine = [each for each in read if each.offset <= place.until[each.partition]]
            changes = self._fold.take(connection, mine)
        begun = time.monotonic()
        with self._engine.begin() as connection:
            held = projections.hold(connection, self._view.name)
            if held is None or held.by_item != place or not self._terms.wanted(connection):
                return None
            if mine:
                self._project(connection, changes)
            follows = _after(place, read, len(mine)) if len(read) == count else None
            if follows is None:
                self._go_on_from(connection, place)
            projections.move_by_item(connection, self._view.name, follows)
        self._place = follows
        self._stride.note(len(read), time.monotonic() - begun)
        return len(read)

    def _go_on_from(self, connection: Connection, place: ByItem) -> None:
        """Let what is left be taken in the order of the ledger."""
        name = name_of(self._view.name, self._slot)
        checkpoints.move(
            connection,
            [
                # What it covers of the log is known where it has taken everything.
                Taken(name, Position(partition, 0, 0), offset)
                for partition, offset in enumerate(place.until)
            ],
        )
        log.info("a view has every item", view=self._view.name, slot=self._slot)


def _after(place: ByItem, read: Sequence[Recorded], taken: int) -> ByItem:
    last = read[-1]
    return replace(
        place, item_id=last.event.item_id, version=last.version, taken=place.taken + taken
    )
