"""Every second: bring views up that are behind the ledger, and build those that are to be anew."""

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from ledger import projections
from ledger.projections import Projection, State
from readmodel.views.view import View
from worker.live import Live
from worker.pace import Pace
from worker.shadow import Shadow
from worker.stores import Stores
from worker.trouble import is_outage

_TICK = 1.0
# Seconds that a build has while another view waits for one: one that is throttled may take days.
_TURN = 5.0
_TO_DO: frozenset[State] = frozenset({"wanted", "building", "returning", "verifying", "accepted"})

log = structlog.get_logger()


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
        self._stopping = stopping
        named = {view.name: view for view in views}
        self._live = Live(stores, named, stopping, pace)
        self._shadows = {
            view.name: Shadow(stores, view, clock, stopping, pace, self._live) for view in views
        }
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
        """Do what is to be done for each view. Raises what the stores raise, after the others had
        their turn.
        """
        self._live.bring_up()
        with self._stores.reads.connect() as connection:
            books = projections.read_all(connection)
        wanted = [each.view for each in books if self._is_to_do(each)]
        trouble: list[Exception] = []
        for view in wanted:
            if not self._stopping.is_set():
                try:
                    with self._live.alone(view) as mine:
                        if mine:
                            self._shadows[view].attend(self._turn(view))
                except Exception as error:  # noqa: BLE001  raised again below
                    trouble.append(error)
        if trouble:
            raise trouble[0]

    def _is_to_do(self, book: Projection) -> bool:
        shadow = self._shadows.get(book.view)
        return shadow is not None and (book.state in _TO_DO or shadow.tries_again(book))

    def _turn(self, view: str) -> Callable[[], bool]:
        """Begin the turn of a view; return the question whether it is over: it is not while no
        other view waits.
        """
        end = time.monotonic() + _TURN

        def is_over() -> bool:
            if time.monotonic() < end:
                return False
            with self._stores.reads.connect() as connection:
                books = projections.read_all(connection)
            return any(self._is_to_do(each) for each in books if each.view != view)

        return is_over

    def _say(self, error: Exception) -> None:
        """Say what keeps views from being built: once, while it stays the same."""
        if type(error) is not self._trouble:
            if is_outage(error):
                log.warning("views that are behind have to wait", error=str(error))
            else:
                log.error("views that are behind have to wait", exc_info=error)
        self._trouble = type(error)
