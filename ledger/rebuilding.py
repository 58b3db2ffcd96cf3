"""What an operator wants of a view, and how far it is.

On SQLite a wish is a write beside the worker's: one short transaction that waits its turn.
"""

from dataclasses import dataclass
from typing import Literal, assert_never

from sqlalchemy import Connection, Engine, func, select

from ledger import partitions, projections
from ledger.projections import Projection, State, name_of
from ledger.tables import checkpoints
from ledger.tables import partitions as ledger

Wish = Literal["rebuild", "restart", "cancel", "roll back", "accept"]

_AT_REST: tuple[State, ...] = ("idle", "failed", "different", "cancelled")
_UNDER_WAY: tuple[State, ...] = (
    "wanted",
    "building",
    "returning",
    "verifying",
    "different",
    "accepted",
)


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
    taken = _taken(connection, name_of(book.view, book.shadow))
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
        book = projections.read(connection, view)
        if book is None:
            raise NotPossible("the database has no such view: run `itemledger migrate`")
        match wanted:
            case "rebuild":
                _rebuild(connection, book, throttle, now)
            case "restart":
                _restart(connection, book, throttle, now)
            case "cancel":
                _cancel(connection, book, now)
            case "roll back":
                _roll_back(connection, book, throttle, now)
            case "accept":
                if not projections.change(connection, view, now, ("different",), state="accepted"):
                    raise NotPossible("nothing was built that differs from what is live")
            case _:
                assert_never(wanted)


def _rebuild(connection: Connection, book: Projection, throttle: int | None, now: int) -> None:
    """Begin anew, or go on with what was cancelled; what is under way hears of the throttle."""
    if book.state == "cancelled":
        begun_from = _taken(connection, name_of(book.view, book.shadow))
        projections.change(
            connection,
            book.view,
            now,
            ("cancelled",),
            state="building",
            throttle=throttle,
            begun_at=now,
            begun_from=begun_from,
            detail=None,
        )
    elif book.state in _AT_REST:
        _restart(connection, book, throttle, now)
    elif throttle is not None:
        projections.change(connection, book.view, now, (book.state,), throttle=throttle)


def _restart(connection: Connection, book: Projection, throttle: int | None, now: int) -> None:
    projections.change(
        connection, book.view, now, (book.state,), state="wanted", throttle=throttle, detail=None
    )


def _cancel(connection: Connection, book: Projection, now: int) -> None:
    """Leave what was built as it is; while nobody wants it, it costs no writer anything."""
    if book.live is None:
        raise NotPossible("it is being built for the first time: there is nothing else to read")
    if not projections.change(connection, book.view, now, _UNDER_WAY, state="cancelled"):
        raise NotPossible("it is not being built")
    count = int(connection.scalar(select(func.count()).select_from(ledger)) or 0)
    held = partitions.lock_all(connection, range(count))
    partitions.drop(connection, held.values(), name_of(book.view, book.shadow))


def _roll_back(connection: Connection, book: Projection, throttle: int | None, now: int) -> None:
    if not book.previous:
        raise NotPossible("there is nothing to go back to: what was live before is not kept")
    begun_from = _taken(connection, name_of(book.view, book.shadow))
    if not projections.change(
        connection,
        book.view,
        now,
        ("idle",),
        state="returning",
        throttle=throttle,
        begun_at=now,
        begun_from=begun_from,
        detail=None,
    ):
        raise NotPossible("it is being built: cancel that first")


def _taken(connection: Connection, name: str) -> int:
    total = select(func.sum(checkpoints.c.offset)).where(checkpoints.c.projection == name)
    return int(connection.scalar(total) or 0)
