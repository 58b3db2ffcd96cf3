"""What is read is kept up with the ledger: where a view has fallen out of step, it is stale."""

import threading
import time
import traceback
from collections.abc import Generator, Mapping
from contextlib import contextmanager

import structlog
from sqlalchemy import Connection

from ledger import checkpoints, partitions, projections
from ledger.projections import Projection, Slot, name_of
from readmodel.views.view import View
from runtime.positions import Position
from worker.alone import alone
from worker.catchup import Terms, bring
from worker.pace import Pace
from worker.stores import Stores
from worker.trouble import is_own, shortened

# Seconds until the next try of a live view that failed again: it will need another release; and of
# one that another process works at.
_REST, _THEIRS = 30.0, 5.0

log = structlog.get_logger()


class Live:
    """Brings up what is read. `stopping` is set when the process is to end."""

    def __init__(
        self, stores: Stores, views: Mapping[str, View], stopping: threading.Event, pace: Pace
    ) -> None:
        self._stores = stores
        self._views = views
        self._stopping = stopping
        self._pace = pace
        self._rests: dict[str, float] = {}
        self._failing: set[str] = set()
        self._mine: set[str] = set()

    def behind(self) -> list[Projection]:
        """List the views that are behind and whose turn it is."""
        with self._stores.reads.connect() as connection:
            books = projections.read_all(connection)
            in_step = in_all(connection, self._stores.partitions)
        return [
            book
            for book in books
            if book.live is not None
            and book.view in self._views
            and (name := name_of(book.view, book.live)) not in in_step
            and time.monotonic() >= self._rests.get(name, 0.0)
        ]

    def bring_up(self) -> None:
        """Bring up what is behind. Raises what the stores raise."""
        for book in self.behind():
            if book.live is not None and not self._stopping.is_set():
                self._bring_up(self._views[book.view], book.live)

    def is_failing(self, view: str, live: Slot) -> bool:
        """Say whether what is live of a view did not get on when it was tried last."""
        return name_of(view, live) in self._failing

    @contextmanager
    def alone(self, view: str) -> Generator[bool]:
        """Keep other processes from a view; say whether it is this one's."""
        if view in self._mine:
            yield True
            return
        with alone(self._stores.engine, view) as mine:
            if mine:
                self._mine.add(view)
            try:
                yield mine
            finally:
                self._mine.discard(view)

    def _bring_up(self, view: View, live: Slot) -> None:
        name = name_of(view.name, live)

        def is_live(connection: Connection) -> bool:
            book = projections.read(connection, view.name)
            return book is not None and book.live == live

        terms = Terms(lambda: not self._stopping.is_set(), is_live, self._pace)
        with self.alone(view.name) as mine:
            if not mine:
                self._rests[name] = time.monotonic() + _THEIRS
                return
            try:
                bring(self._stores, view, live, terms)
                self._failing.discard(name)
            except (Exception, SystemExit) as error:
                if not is_own(error):
                    raise
                self._rests[name] = time.monotonic() + _REST
                self._failing.add(name)
                keep_error(self._stores, name)
                log.warning("a view still fails", view=view.name, exc_info=True)


def in_all(connection: Connection, count: int) -> frozenset[str]:
    """Name the projections that are in step with every partition."""
    held = partitions.look(connection, range(count)).values()
    some = frozenset[str]().union(*(each.in_step for each in held))
    return frozenset(name for name in some if all(name in each.in_step for each in held))


def keep_error(stores: Stores, name: str) -> None:
    """Keep why a projection does not get on, where it is behind; the error is being handled."""
    why = shortened(traceback.format_exc())
    with stores.engine.begin() as connection:
        held = partitions.lock_all(connection, range(stores.partitions))
        for each in held.values():
            if name not in each.in_step:
                nowhere = Position(each.position.partition, 0, 0)
                checkpoints.detach(connection, {name: why}, nowhere, 0)
