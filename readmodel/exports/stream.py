"""An export while it is sent: read piece by piece, and let go of whatever happens."""

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ledger.projections import Slot
from readmodel.exports.forms import Form
from readmodel.exports.snapshot import GivenUp, Snapshot
from readmodel.views import catalogue

# Items of a piece: what is held of them at once, however many there are.
_AT_ONCE = 250

log = structlog.get_logger("readmodel")


class Stream:
    """The body of an answer, for a server that takes it piece by piece and closes it.

    Where the database fails in between it ends early, so that nobody can take it for whole: it
    lacks bytes of the length that was told, or ends in what no reader of its form takes.
    """

    def __init__(
        self, snapshot: Snapshot, slot: Slot, form: Form, *, include_deleted: bool
    ) -> None:
        self._snapshot = snapshot
        self._slot: Slot = slot
        self._form = form
        self._include_deleted = include_deleted
        self._last: str | None = None
        self._head = form.head
        self._ended = False

    def __iter__(self) -> "Stream":
        return self

    def __next__(self) -> bytes:
        if self._head:
            head, self._head = self._head, b""
            return head
        if self._ended:
            raise StopIteration
        try:
            with self._snapshot.used() as connection:
                found = catalogue.bodies(
                    connection,
                    self._slot,
                    self._last,
                    _AT_ONCE,
                    include_deleted=self._include_deleted,
                )
        except (SQLAlchemyError, GivenUp) as error:
            log.warning("an export broke off", error=str(error) or type(error).__name__)
            return self._end(self._form.broken)
        if not found:
            return self._end(b"")
        self._last = found[-1][0]
        return self._form.write([body for _, body in found])

    def close(self) -> None:
        """Give the snapshot back."""
        self._ended = True
        try:
            self._snapshot.close()
        except SQLAlchemyError as error:
            log.warning("the connection of the export was gone", error=str(error))

    def _end(self, last: bytes) -> bytes:
        self.close()
        if last:
            return last
        raise StopIteration
