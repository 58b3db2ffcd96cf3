"""A view is built anew in the slot that is not read.

It takes the events into tables beside the live ones, is in step at last, is compared with what is
live, and takes its place in one transaction. Reads and writes go on all the time.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import structlog
from sqlalchemy import Connection

from ledger import checkpoints, partitions, projections
from ledger.projections import ByItem, Projection, Slot, State, name_of
from readmodel.views.compare import Comparison, compare
from readmodel.views.view import View
from runtime.errors import first_line
from worker.by_item import take_by_item
from worker.catchup import Terms, bring
from worker.live import Live, in_all, keep_error
from worker.pace import Pace, Stride
from worker.stores import Stores
from worker.trouble import is_own

# Seconds between two looks at whether a build is still wanted.
_STILL_WANTED = 0.5
# Rows that are removed at once: at first, at least, and at most.
_FIRST, _LEAST, _MOST = 1_000, 100, 100_000

log = structlog.get_logger()


class Shadow:
    """Builds one view. `clock` gives milliseconds since 1970; `live` goes first: what is read shall
    not be stale because something is built.
    """

    def __init__(
        self,
        stores: Stores,
        view: View,
        clock: Callable[[], int],
        stopping: threading.Event,
        pace: Pace,
        live: Live,
    ) -> None:
        self._stores = stores
        self._view = view
        self._clock = clock
        self._stopping = stopping
        self._pace = pace
        self._live = live
        self._is_over: Callable[[], bool] = lambda: False
        self._has_tried = False

    def tries_again(self, book: Projection) -> bool:
        """Say whether the view's first build failed before this process was there, which may be of
        a release in which that is mended: nothing can be read of it until then.
        """
        return book.live is None and book.state == "failed" and not self._has_tried

    def attend(self, is_over: Callable[[], bool] = lambda: False) -> None:
        """Go as far as it goes, or until the turn `is_over`; the next one goes on from there.
        Raises what the stores raise.
        """
        self._is_over = is_over
        while not self._stopping.is_set():
            self._live.bring_up()
            if is_over():
                return
            book = self._book()
            try:
                if not self._step(book):
                    return
            except (Exception, SystemExit) as error:
                # Libraries call `sys.exit`, too: nobody would build any more, and nothing say so.
                if not is_own(error):
                    raise
                self._fail(book, error)
                return

    def _step(self, book: Projection) -> bool:
        """Do what is next, and say whether there may be more."""
        match book.state:
            case "wanted":
                self._begin(book)
            case "building" | "returning" | "accepted":
                self._build(book)
            case "verifying":
                return book.live is not None and self._verify(book, book.live)
            case "failed" if self.tries_again(book):
                self._has_tried = True
                with self._stores.engine.begin() as connection:
                    self._change(connection, book, "wanted", detail=None)
            case "idle" | "different" | "cancelled" | "failed":
                return False
        return True

    def _begin(self, book: Projection) -> None:
        """Empty the slot, and let it take the ledger from the beginning."""
        name = name_of(self._view.name, book.shadow)
        with self._stores.engine.begin() as connection:
            held = partitions.lock_all(connection, range(self._stores.partitions))
            # From here on there is nothing to go back to.
            if not self._change(connection, book, "wanted", previous=False):
                return
            partitions.drop(connection, held.values(), name)
        going, most = self._still(book), _FIRST
        stride = Stride(self._pace, going)
        while going():
            begun = time.monotonic()
            with self._stores.engine.begin() as connection:
                # Whatever happened meanwhile: nothing but what is not read is emptied.
                if not self._change(connection, book, "wanted"):
                    return
                for each in held:
                    # Who has been at it until now ends, or finds that it is begun anew.
                    checkpoints.hold(connection, name, each)
                checkpoints.forget(connection, name)
                if self._view.clear(connection, book.shadow, most):
                    by_item = self._by_item(connection)
                    if self._change(connection, book, "building", begun_from=0, by_item=by_item):
                        log.info("a view is being built anew", view=self._view.name)
                    return
            lasted = max(time.monotonic() - begun, 0.001)
            # Who asks for the one connection of SQLite at once has it again before who waits.
            stride.rest(0, lasted)
            fitting = int(most * self._pace.longest / lasted)
            most = max(_LEAST, min(_MOST, 2 * most, fitting))

    def _build(self, book: Projection) -> None:
        """Take the ledger into the slot; when it is in step, go on to what is next."""
        self._has_tried = True
        pace = replace(self._pace, throttle=book.throttle or self._pace.throttle)
        terms = Terms(self._still(book), lambda connection: self._as_it_was(connection, book), pace)
        if not take_by_item(self._stores, self._view, book, terms):
            return
        if not bring(self._stores, self._view, book.shadow, terms):
            return
        match book:
            case Projection(live=None):
                self._switch(book, "built")
            case Projection(state="accepted"):
                self._switch(book, "accepted as it is")
            case Projection(state="returning"):
                self._switch(book, "as before")
            case _:
                with self._stores.engine.begin() as connection:
                    self._change(connection, book, "verifying")

    def _verify(self, book: Projection, live: Slot) -> bool:
        """Compare what was built with what is live; say whether there is more to do at once."""
        found: Comparison | None = None
        with self._stores.reads.connect() as connection:
            in_step = in_all(connection, self._stores.partitions)
            is_built = name_of(self._view.name, book.shadow) in in_step
            is_live = name_of(self._view.name, live) in in_step
            if is_built and is_live:
                wanted = _Still(lambda: self._book_is(book), self._stopping)
                found = compare(connection, self._view, live, book.shadow, wanted)
        if not is_built:
            # It has met a defect meanwhile, or a worker of another release.
            self._build_on(book)
            return False
        if not is_live:
            if not self._live.is_failing(self._view.name, live):
                return False
            found = Comparison("", "what is live is behind, and does not get on")
        if found is None:
            return True
        if found.difference is None:
            self._switch(book, f"equal: {found.told}")
            return True
        with self._stores.engine.begin() as connection:
            self._change(connection, book, "different", detail=found.difference)
        log.warning(
            "a view that was built anew is not what is live",
            view=self._view.name,
            difference=found.difference,
        )
        return False

    def _switch(self, book: Projection, detail: str) -> None:
        """Let what was built be live, from one moment to the next; what was live stays as it was,
        to go back to.
        """
        with self._stores.engine.begin() as connection:
            held = partitions.lock_all(connection, range(self._stores.partitions))
            built = name_of(self._view.name, book.shadow)
            if not all(built in each.in_step for each in held.values()):
                # It will be found, and brought up.
                return
            kept = book.live is not None
            if not self._change(
                connection, book, "idle", live=book.shadow, previous=kept, detail=detail
            ):
                return
            if book.live is not None:
                had = name_of(self._view.name, book.live)
                partitions.drop(connection, held.values(), had)
        log.info("a view that was built anew is live", view=self._view.name, how=detail)

    def _build_on(self, book: Projection) -> None:
        with self._stores.engine.begin() as connection:
            taken = projections.taken(connection, book)
            self._change(connection, book, "building", begun_from=taken)

    def _by_item(self, connection: Connection) -> ByItem | None:
        """Begin with what there is by now, item by item, where the view can bear that."""
        if not self._view.by_item:
            return None
        found = partitions.look(connection, range(self._stores.partitions))
        until = tuple(found[each].offset for each in range(self._stores.partitions))
        return ByItem(until) if any(until) else None

    def _fail(self, book: Projection, error: BaseException) -> None:
        """Leave the build as it is, and say why; the error is being handled."""
        keep_error(self._stores, name_of(self._view.name, book.shadow))
        why = f"it raised an error of its own: {type(error).__name__}: {first_line(error)}"
        with self._stores.engine.begin() as connection:
            self._change(connection, book, "failed", detail=why)
        log.error("a view could not be built", view=self._view.name, exc_info=error)

    def _change(
        self, connection: Connection, book: Projection, state: State, **values: object
    ) -> bool:
        """Change the state where it is still what it was."""
        now = self._clock()
        if state == "building":
            values["begun_at"] = now
        name = self._view.name
        return projections.change(connection, name, now, (book.state,), state=state, **values)

    def _still(self, book: Projection) -> Callable[[], bool]:
        """Make the question whether to go on: nobody has another wish, nothing that is read is
        behind, and no other view waits for its turn.
        """

        def goes_on() -> bool:
            return self._book_is(book) and not self._live.behind() and not self._is_over()

        return _Still(goes_on, self._stopping)

    def _book_is(self, book: Projection) -> bool:
        with self._stores.reads.connect() as connection:
            return self._as_it_was(connection, book)

    def _as_it_was(self, connection: Connection, book: Projection) -> bool:
        now = projections.read(connection, self._view.name)
        return now is not None and (now.state, now.throttle) == (book.state, book.throttle)

    def _book(self) -> Projection:
        with self._stores.reads.connect() as connection:
            book = projections.read(connection, self._view.name)
        if book is None:
            raise LookupError(f"no books are kept of the view {self._view.name}")
        return book


class _Still:
    """Whether to go on: asked before every transaction, and looked up every so often."""

    def __init__(self, wanted: Callable[[], bool], stopping: threading.Event) -> None:
        self._wanted = wanted
        self._stopping = stopping
        self._looked = time.monotonic()
        self._last = True

    def __call__(self) -> bool:
        if time.monotonic() - self._looked >= _STILL_WANTED:
            self._looked, self._last = time.monotonic(), self._wanted()
        return self._last and not self._stopping.is_set()
