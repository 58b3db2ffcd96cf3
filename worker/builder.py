"""Every second: bring views up that are behind the ledger, and build those that are to be anew.

What is built takes the events into tables beside the live ones, is in step at last, is compared
with what is live, and takes its place in one transaction. Reads and writes go on all the time.
"""

import threading
import time
import traceback
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

import structlog
from sqlalchemy import Connection, Engine, text

from ledger import checkpoints, partitions, projections
from ledger.projections import Projection, Slot, State, name_of
from readmodel.views.compare import Comparison, compare
from readmodel.views.view import View
from runtime.positions import Position
from worker.catchup import CatchUp, Pace
from worker.trouble import is_outage, shortened

_TICK = 1.0
# Seconds until the next try of a live view that failed again: it will need another release.
_REST = 30.0
# Seconds between two looks at whether a build is still wanted.
_STILL_WANTED = 0.5

# PostgreSQL's advisory locks are of two numbers: this one, and one made of the view's name.
_LOCK = 4_871_204

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Stores:
    """Where the ledger is written, and read in snapshots; it has so many partitions."""

    engine: Engine
    reads: Engine
    partitions: int


class Builder:
    """`clock` gives milliseconds since 1970; `stopping` is set when the process is to end."""

    def __init__(
        self,
        stores: Stores,
        views: Sequence[View],
        clock: Callable[[], int],
        stopping: threading.Event,
        pace: Pace = Pace(),  # noqa: B008  a value that nothing changes
    ) -> None:
        self._stores = stores
        self._views = {view.name: view for view in views}
        self._clock = clock
        self._stopping = stopping
        self._pace = pace
        self._rests: dict[str, float] = {}
        self._trouble: type[Exception] | None = None

    def run(self) -> None:
        """Look until the process is to stop."""
        while not self._stopping.wait(_TICK):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001  it is said, and the next look may go well
                self._say(error)
            else:
                self._trouble = None

    def look(self) -> None:
        """Do what is to be done for each view. Raises what the stores raise."""
        with self._stores.reads.connect() as connection:
            books = projections.read_all(connection)
            in_step = _in_step(connection, self._stores.partitions)
        for book in books:
            view = self._views.get(book.view)
            if view is None or not self._has_to_do(book, in_step):
                continue
            with _alone(self._stores.engine, book.view) as mine:
                if mine:
                    self._attend(view)

    def _has_to_do(self, book: Projection, in_step: Mapping[int, frozenset[str]]) -> bool:
        if book.state in {"wanted", "building", "returning", "verifying", "accepted"}:
            return True
        if book.live is None:
            return False
        name = name_of(book.view, book.live)
        behind = any(name not in each for each in in_step.values())
        return behind and time.monotonic() >= self._rests.get(name, 0.0)

    def _attend(self, view: View) -> None:
        """Go as far as it goes with one view."""
        while not self._stopping.is_set():
            book = self._book(view)
            if book.live is not None and not self._bring_up_live(view, book):
                return
            match book.state:
                case "wanted":
                    self._begin(view, book)
                case "building" | "returning":
                    if not self._build(view, book):
                        return
                case "verifying":
                    if not self._verify(view, book):
                        return
                case "accepted":
                    self._switch(view, book, ("accepted",), "accepted as it is")
                case "idle" | "different" | "cancelled" | "failed":
                    return

    def _bring_up_live(self, view: View, book: Projection) -> bool:
        """Bring what is live up to the ledger where it is behind; say whether it is in step."""
        live = book.live
        if live is None:
            return False
        name = name_of(view.name, live)
        if time.monotonic() < self._rests.get(name, 0.0):
            return False
        try:
            done = self._bring(view, live, lambda: not self._stopping.is_set(), self._pace)
        except Exception as error:
            if is_outage(error):
                raise
            self._rests[name] = time.monotonic() + _REST
            self._keep_error(name)
            log.warning("a view still fails", view=view.name, exc_info=True)
            return False
        return done

    def _begin(self, view: View, book: Projection) -> None:
        """Empty the slot, and let it take the ledger from the beginning."""
        name = name_of(view.name, book.shadow)
        with self._stores.engine.begin() as connection:
            held = partitions.lock_all(connection, range(self._stores.partitions))
            partitions.drop(connection, held.values(), name)
        with self._stores.engine.begin() as connection:
            view.clear(connection, book.shadow)
            checkpoints.forget(connection, name)
            self._change(connection, view, ("wanted",), "building", begun_from=0, previous=False)
        log.info("a view is being built anew", view=view.name)

    def _build(self, view: View, book: Projection) -> bool:
        """Take the ledger into the slot; say whether it is in step."""
        going = _Still(lambda: self._wanted(view, book.state), self._stopping)
        pace = replace(self._pace, throttle=book.throttle or self._pace.throttle)
        name = name_of(view.name, book.shadow)
        try:
            if not self._bring(view, book.shadow, going, pace):
                return False
        except Exception as error:
            if is_outage(error):
                raise
            self._keep_error(name)
            with self._stores.engine.begin() as connection:
                why = f"it raised an error of its own: {_last_line(traceback.format_exc())}"
                self._change(connection, view, (book.state,), "failed", detail=why)
            log.exception("a view could not be built", view=view.name)
            return False
        if book.state == "returning" or book.live is None:
            self._switch(view, book, (book.state,), "built" if book.live is None else "as before")
        else:
            with self._stores.engine.begin() as connection:
                self._change(connection, view, (book.state,), "verifying")
        return True

    def _bring(self, view: View, slot: Slot, going: Callable[[], bool], pace: Pace) -> bool:
        """Take what each partition has, and be in step with all."""
        name = name_of(view.name, slot)
        engine, reads = self._stores.engine, self._stores.reads
        for partition in range(self._stores.partitions):
            with reads.connect() as connection:
                if name in _in_step(connection, self._stores.partitions)[partition]:
                    continue
            project = view.into(slot)
            if not CatchUp(engine, reads, name, project, partition, going, pace).run():
                return False
            log.info("a view is in step", view=view.name, slot=slot, partition=partition)
        return True

    def _verify(self, view: View, book: Projection) -> bool:
        """Compare what was built with what is live; say whether there is more to do."""
        live = book.live
        if live is None:
            raise AssertionError(f"the view {view.name} was built and there is nothing to compare")
        names = {name_of(view.name, live), name_of(view.name, book.shadow)}
        found: Comparison | None = None
        with self._stores.reads.connect() as connection:
            in_step = _in_step(connection, self._stores.partitions)
            if all(names <= each for each in in_step.values()):
                found = compare(connection, view, live, book.shadow)
        if found is None:
            # One of them has met a defect meanwhile.
            with self._stores.engine.begin() as connection:
                self._change(connection, view, ("verifying",), "building")
            return False
        if found.difference is None:
            self._switch(view, book, ("verifying",), f"equal: {found.told}")
            return True
        with self._stores.engine.begin() as connection:
            self._change(connection, view, ("verifying",), "different", detail=found.difference)
        log.warning(
            "a view that was built anew is not what is live",
            view=view.name,
            difference=found.difference,
        )
        return False

    def _switch(self, view: View, book: Projection, among: Sequence[State], detail: str) -> None:
        """Let what was built be live, from one moment to the next; what was live stays as it was,
        to go back to.
        """
        with self._stores.engine.begin() as connection:
            held = partitions.lock_all(connection, range(self._stores.partitions))
            built = name_of(view.name, book.shadow)
            if not all(built in each.in_step for each in held.values()):
                self._change(connection, view, among, "building")
                return
            live, had = book.shadow, book.live
            done = self._change(
                connection, view, among, "idle", live=live, previous=had is not None, detail=detail
            )
            if done and had is not None:
                partitions.drop(connection, held.values(), name_of(view.name, had))
        log.info("a view that was built anew is live", view=view.name, how=detail)

    def _change(
        self,
        connection: Connection,
        view: View,
        among: Sequence[State],
        state: State,
        **values: object,
    ) -> bool:
        now = self._clock()
        if state in {"building", "returning"}:
            values["begun_at"] = now
        return projections.change(connection, view.name, now, among, state=state, **values)

    def _wanted(self, view: View, state: State) -> bool:
        return self._book(view).state == state

    def _book(self, view: View) -> Projection:
        with self._stores.reads.connect() as connection:
            book = projections.read(connection, view.name)
        if book is None:
            raise LookupError(f"no books are kept of the view {view.name}")
        return book

    def _keep_error(self, name: str) -> None:
        """Keep why a projection does not get on, in the partitions where it is behind."""
        why = shortened(traceback.format_exc())
        with self._stores.engine.begin() as connection:
            held = partitions.lock_all(connection, range(self._stores.partitions))
            for each in held.values():
                if name not in each.in_step:
                    nowhere = Position(each.position.partition, 0, 0)
                    checkpoints.detach(connection, {name: why}, nowhere, 0)

    def _say(self, error: Exception) -> None:
        """Say what keeps views from being built: once, while it stays the same."""
        if type(error) is not self._trouble:
            if is_outage(error):
                log.warning("views that are behind have to wait", error=str(error))
            else:
                log.error("views that are behind have to wait", exc_info=error)
        self._trouble = type(error)


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


def _in_step(connection: Connection, count: int) -> dict[int, frozenset[str]]:
    held = partitions.look(connection, range(count))
    return {partition: each.in_step for partition, each in held.items()}


@contextmanager
def _alone(engine: Engine, view: str) -> Generator[bool]:
    """See to it that one process at a time builds a view; say whether that is this one. On SQLite
    there is only one that writes.
    """
    if engine.dialect.name != "postgresql":
        yield True
        return
    autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
    with autocommit.connect() as connection:
        names = {"lock": _LOCK, "view": view}
        lock = text("SELECT pg_try_advisory_lock(:lock, hashtext(:view))")
        mine = bool(connection.scalar(lock, names))
        try:
            yield mine
        finally:
            if mine:
                # A connection that is gone has let go by itself.
                with suppress(Exception):
                    connection.execute(
                        text("SELECT pg_advisory_unlock(:lock, hashtext(:view))"), names
                    )


def _last_line(trace: str) -> str:
    return trace.strip().splitlines()[-1]
