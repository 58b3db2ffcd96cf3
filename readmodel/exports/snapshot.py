"""One moment of the database, held for as long as somebody takes what is read of it."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

import structlog
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

# Seconds that a client may take nothing, and that all of it may take: while a snapshot is held,
# neither database can clean up behind it.
_STALLED = 60.0
_LONGEST = 60.0 * 60.0

log = structlog.get_logger("readmodel")


class GivenUp(Exception):
    """The snapshot was let go, as nobody had taken anything of it for too long."""


class Snapshot:
    """A connection of an engine whose connections each read one snapshot. It is given back when it
    is closed, or when it has not been `used` for too long, and `let_go` is called then, once; a
    thread of its own looks to that, as who sends to a client that takes nothing does not come back.
    """

    def __init__(
        self,
        snapshots: Engine,
        let_go: Callable[[], object],
        stalled: float = _STALLED,
        longest: float = _LONGEST,
    ) -> None:
        """Where this raises, `let_go` is not called. `stalled` and `longest` are seconds."""
        self._told = let_go
        self._connection = snapshots.connect()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._stalled = stalled
        self._end = time.monotonic() + longest
        self._until = 0.0
        self._extend()
        try:
            if snapshots.dialect.name == "postgresql":
                # All of it may take longer to count than a page of the query API may to read.
                self._connection.execute(text("SET LOCAL statement_timeout = 0"))
            threading.Thread(target=self._watch, name="export", daemon=True).start()
        except BaseException:
            self._connection.close()
            raise

    @contextmanager
    def used(self) -> Generator[Connection]:
        """Read something. Raises GivenUp."""
        with self._lock:
            if self._closed.is_set():
                raise GivenUp
            yield self._connection
            self._extend()

    def close(self) -> None:
        with self._lock:
            self._let_go()

    def _let_go(self) -> None:
        if not self._closed.is_set():
            self._closed.set()
            try:
                self._connection.close()
            finally:
                self._told()

    def _extend(self) -> None:
        self._until = min(time.monotonic() + self._stalled, self._end)

    def _watch(self) -> None:
        while not self._closed.wait(max(0.0, self._until - time.monotonic())):
            self._give_up()

    def _give_up(self) -> None:
        with self._lock:
            # Something may have been read since, or just while this waited for the lock.
            if self._closed.is_set() or time.monotonic() < self._until:
                return
            log.warning("an export is given up: its client takes nothing, or takes too long")
            try:
                self._let_go()
            except SQLAlchemyError as error:
                log.warning("the connection of the export was gone", error=str(error))
