"""What an operator wants of a view, and how far it is.

On SQLite a wish is a write beside the worker's: one short transaction that waits its turn.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, assert_never

from sqlalchemy import Connection, Engine, func, select

from ledger import partitions, projections
from ledger.partitions import Checkpoint
from ledger.projections import Projection, State, name_of
from ledger.tables import partitions as ledger

Wish = Literal["rebuild", "restart", "cancel", "roll back", "accept"]

_AT_REST: frozenset[State] = frozenset({"idle", "failed", "different"})
# Of these there is something that can be gone on with.
_BUILT: frozenset[State] = frozenset({"building", "verifying", "different", "accepted"})


class NotPossible(Exception):
    """The view is not in a state in which that can be wished for; `str()` says why."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the slot beside the live one is: events taken, of how many; `rate` is events per
    second since the build began or went on, `left` the seconds that the rest takes at that rate.
    """

    book: Projection
    taken: int
    events: int
    rate: float | None
    left: float | None

    @property
    def percent(self) -> float:
        return 100.0 if not self.events else 100.0 * self.taken / self.events


def progress(connection: Connection, book: Projection, now: int) -> Progress:
    """Tell how far a view is, in the snapshot of the connection; `now` is in milliseconds."""
    events = int(connection.scalar(select(func.sum(ledger.c.offset))) or 0)
    taken = projections.taken(connection, book)
    rate = left = None
    if book.state in {"building", "returning"} and book.begun_at is not None:
        seconds = (now - book.begun_at) / 1000
        done = taken - (book.begun_from or 0)
        if seconds > 0 and done > 0:
            rate = done / seconds
            left = (events - taken) / rate
    return Progress(book, taken, events, rate, left)


def wish(engine: Engine, view: str, wanted: Wish, throttle: int | None, now: int) -> None:
    """Write down what is wanted of a view; a worker does it. Raises NotPossible."""
    with engine.begin() as connection:
        # Who switches has the partitions before the view as well: nobody waits in a circle.
        held = _all_partitions(connection) if wanted == "cancel" else {}
        book = projections.hold(connection, view)
        if book is None:
            raise NotPossible("the database has no such view: run `itemledger migrate`")
        match wanted:
            case "rebuild":
                _rebuild(connection, book, throttle, now)
            case "restart":
                _become(connection, book, now, "wanted", throttle=throttle)
            case "cancel":
                _cancel(connection, book, held, now)
            case "roll back":
                _roll_back(connection, book, throttle, now)
            case "accept":
                if book.state != "different":
                    raise NotPossible("nothing was built that differs from what is live")
                _become(connection, book, now, "accepted", detail=book.detail)
            case _:
                assert_never(wanted)


def _rebuild(connection: Connection, book: Projection, throttle: int | None, now: int) -> None:
    """Begin anew, or go on with what was cancelled; what is under way hears of the throttle."""
    if book.state == "cancelled":
        _go_on(connection, book, now, "building", throttle)
    elif book.state in _AT_REST:
        _become(connection, book, now, "wanted", throttle=throttle)
    elif throttle is not None:
        projections.change(connection, book.view, now, (book.state,), throttle=throttle)


def _cancel(
    connection: Connection, book: Projection, held: Mapping[int, Checkpoint], now: int
) -> None:
    """Leave what was built as it is; while nobody wants it, it costs no writer anything."""
    if book.live is None:
        raise NotPossible("it is being built for the first time: there is nothing else to read")
    if book.state in _BUILT:
        _become(connection, book, now, "cancelled")
    elif book.state in {"wanted", "returning"}:
        # Nothing was begun that could be gone on with, and what was live before is still that.
        _become(connection, book, now, "idle")
    else:
        raise NotPossible("it is not being built")
    partitions.drop(connection, held.values(), name_of(book.view, book.shadow))


def _roll_back(connection: Connection, book: Projection, throttle: int | None, now: int) -> None:
    if not book.previous:
        raise NotPossible("there is nothing to go back to: what was live before is not kept")
    # What was live before is kept until another build begins; to go back may have failed once.
    if book.state not in {"idle", "failed"}:
        raise NotPossible("it is being built: cancel that first")
    _go_on(connection, book, now, "returning", throttle)


def _go_on(
    connection: Connection, book: Projection, now: int, state: State, throttle: int | None
) -> None:
    begun_from = projections.taken(connection, book)
    _become(connection, book, now, state, throttle=throttle, begun_at=now, begun_from=begun_from)


def _become(
    connection: Connection, book: Projection, now: int, state: State, **values: object
) -> None:
    """Change the state of a view that is held."""
    values = {"detail": None, **values}
    projections.change(connection, book.view, now, (book.state,), state=state, **values)


def _all_partitions(connection: Connection) -> dict[int, Checkpoint]:
    count = int(connection.scalar(select(func.count()).select_from(ledger)) or 0)
    return partitions.lock_all(connection, range(count))
