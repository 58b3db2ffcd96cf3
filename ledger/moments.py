"""SQLite read by the one thread that serves: several rows in one snapshot, and whether anything was
committed since. It never waits for a lock.
"""

import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql import ClauseElement

from ledger.prepared import Prepared, Values
from ledger.single import NotRead, compiled, own_connection
from ledger.single import Values as Row
from ledger.tables import partitions
from runtime.positions import Point

_PLACES = select(
    partitions.c.partition,
    partitions.c.epoch,
    partitions.c.n,
    partitions.c.offset,
    partitions.c.hash,
    partitions.c.in_step,
)

# Between two looks at whether a statement takes too long; a row of a list takes some twenty.
_STEPS = 1_000

# Differs from any other while a process lives.
Version = tuple[int, int]
Rows = Callable[[Prepared, Values], list[Any]]

# Where the ledger is in a partition, and which projections are in step with it.
Place = tuple[Point, frozenset[str]]


class _Connected:
    """A connection that ends with the engine's. After an error it is another one, and its versions
    are others.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: sqlite3.Connection | None = None
        # How many connections there have been.
        self._number = 0
        event.listen(engine, "engine_disposed", self._close)

    def version(self) -> Version:
        """Tell what stays the same as long as nobody has committed anything. Raises NotRead."""
        with self._reading() as cursor:
            return self._version(cursor)

    def _version(self, cursor: sqlite3.Cursor) -> Version:
        return self._number, cursor.execute("PRAGMA data_version").fetchone()[0]

    @contextmanager
    def _snapshot(self) -> Generator[sqlite3.Cursor]:
        with self._reading() as cursor:
            cursor.execute("BEGIN")
            try:
                yield cursor
            finally:
                # Whatever came over the block: a snapshot that stays open never sees a commit.
                cursor.execute("COMMIT")

    @contextmanager
    def _reading(self) -> Generator[sqlite3.Cursor]:
        try:
            yield (self._connection or self._open()).cursor()
        except (sqlite3.Error, SQLAlchemyError) as error:
            self._close(self._engine)
            raise NotRead(str(error)) from error

    def _open(self) -> sqlite3.Connection:
        opened: sqlite3.Connection = own_connection(self._engine)
        self._connection = opened
        self._number += 1
        opened.execute("PRAGMA busy_timeout=0")
        return opened

    def _close(self, _: Engine) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class Moments(_Connected):
    """One statement as `ledger.single` has it."""

    def __init__(self, engine: Engine, build: Callable[[str], ClauseElement]) -> None:
        super().__init__(engine)
        self._text, self._times = compiled(build(engine.dialect.name), engine.dialect)
        self._places = str(_PLACES.compile(dialect=engine.dialect))

    def places(self) -> tuple[Version, dict[int, Place]]:
        """Tell where the ledger is by partition, and of which version that is. Raises NotRead."""
        with self._snapshot() as cursor:
            version = self._version(cursor)
            rows = cursor.execute(self._places).fetchall()
        return version, {
            partition: (Point(*point), frozenset(in_step.split(",")))
            for partition, *point, in_step in rows
        }

    def read(self, values: Sequence[str]) -> list[Row | None]:
        """Read the rows of values as they stood in one moment. Raises NotRead."""
        found: list[Row | None] = []
        with self._snapshot() as cursor:
            for value in values:
                rows = cursor.execute(self._text, (value,) * self._times).fetchall()
                found.append(rows[0] if rows else None)
        return found


class TakesLong(NotRead):
    """What was to be read takes more steps of the engine than it may."""


class ShortReads(_Connected):
    """Several statements in one snapshot, which must not take long: what takes more steps of the
    engine than so many is not read.
    """

    def __init__(self, engine: Engine, most_steps: int) -> None:
        super().__init__(engine)
        self._most = most_steps // _STEPS
        self._left = self._most

    @contextmanager
    def snapshot(self) -> Generator[tuple[Version, Rows]]:
        """Open a snapshot for the block: its version, and what reads rows of it. Raises NotRead,
        TakesLong.
        """
        dialect = self._engine.dialect
        with self._snapshot() as cursor:

            def rows(statement: Prepared, values: Values) -> list[Any]:
                self._left = self._most
                try:
                    return cursor.execute(*statement.written(dialect, values)).fetchall()
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                        # The connection is as good as before.
                        raise TakesLong(str(error)) from error
                    raise

            yield self._version(cursor), rows

    def _open(self) -> sqlite3.Connection:
        opened = super()._open()
        opened.set_progress_handler(self._is_too_long, _STEPS)
        return opened

    def _is_too_long(self) -> bool:
        self._left -= 1
        return self._left < 0
