"""One row by one prepared statement, straight by the driver: what SQLAlchemy does around each
execution costs more than such a read.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Dialect, Engine, LargeBinary, cast, event
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql import ClauseElement

# Of one prepared statement per connection.
_NAME = b"itemledger_single"
# Reads after which PostgreSQL plans it anew: what it planned for an empty table may read all of it
# when it has become large.
_PLANNED_FOR = 1_000
# ExecStatus.COMMAND_OK and TUPLES_OK of libpq; the driver is there on PostgreSQL only.
_COMMAND_OK, _TUPLES_OK = 1, 2

Values = Sequence[Any]


class NotRead(Exception):
    """The row could not be read: the database is away, or refuses."""


class _Session(Protocol):
    """A connection that has the statement prepared."""

    def rows(self, value: str) -> Sequence[Values]: ...

    def close(self) -> None: ...


class SingleRow:
    """A statement with one parameter, a text, and literal values, that finds one row or none. As it
    is one statement, it sees one snapshot. Its connections end with those of the engine.

    Whole numbers come as `int()` takes them; texts have to be selected as `ledger.single.raw` of
    them and come as their bytes. Keeps as many connections as were used at once, for any number of
    threads; `build` gets the name of the dialect.
    """

    def __init__(self, engine: Engine, build: Callable[[str], ClauseElement]) -> None:
        self._engine = engine
        self._text, self._times = compiled(build(engine.dialect.name), engine.dialect)
        self._open = _open_postgresql if engine.dialect.name == "postgresql" else _open_sqlite
        self._errors = (engine.dialect.loaded_dbapi.Error, SQLAlchemyError)
        # Taken from and put back to by one call each, which no other thread comes between.
        self._idle: list[_Session] = []
        event.listen(engine, "engine_disposed", self._close)

    def read(self, value: str) -> Values | None:
        """Read the row of a value. Raises NotRead."""
        found = self.read_all(value)
        return found[0] if found else None

    def read_all(self, value: str) -> Sequence[Values]:
        """Read all rows of a value, where the statement finds several. Raises NotRead."""
        try:
            session = self._idle.pop()
        except IndexError:
            session = None
        try:
            if session is None:
                session = self._open(self._engine, self._text, self._times)
            found = session.rows(value)
        except self._errors as error:
            if session is not None:
                session.close()
            raise NotRead(str(error)) from error
        self._idle.append(session)
        return found

    def _close(self, _: Engine) -> None:
        while self._idle:
            self._idle.pop().close()


def raw(dialect_name: str, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Select a text as its bytes, which nobody has to decode who only hands them on."""
    return column if dialect_name == "postgresql" else cast(column, LargeBinary)


def compiled(statement: ClauseElement, dialect: Dialect) -> tuple[str, int]:
    """Write the statement as the driver takes it, and tell how often it names its parameter."""
    if dialect.name == "postgresql":
        # As the server itself writes parameters: the statement goes there as it is.
        dialect = postgresql.dialect(paramstyle="numeric_dollar")
    compiled: Any = statement.compile(dialect=dialect)
    if len(set(compiled.positiontup)) != 1:
        raise ValueError("the statement has another number of parameters than one")
    return str(compiled), len(compiled.positiontup)


def own_connection(engine: Engine) -> Any:
    """Open a connection of the engine's kind that its pool does not count."""
    pooled = engine.raw_connection()
    own: Any = pooled.driver_connection
    pooled.detach()
    return own


class _OnSqlite:
    def __init__(self, connection: sqlite3.Connection, text: str, times: int) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._text = text
        self._times = times

    def rows(self, value: str) -> Sequence[Values]:
        # Fetched to the end: only then does it let go of its snapshot.
        return self._cursor.execute(self._text, (value,) * self._times).fetchall()

    def close(self) -> None:
        self._connection.close()


def _open_sqlite(engine: Engine, text: str, times: int) -> _Session:
    return _OnSqlite(own_connection(engine), text, times)


class _OnPostgresql:
    """Speaks libpq by psycopg's own wrapper (`psycopg.pq`), as its cursors cost four times what
    such a statement does.
    """

    def __init__(self, connection: Any, text: str) -> None:
        self._connection = connection
        self._libpq = connection.pgconn
        self._text = text.encode()
        self._check(self._libpq.exec_(b"SET plan_cache_mode = force_generic_plan"), _COMMAND_OK)
        self._reads = 0
        self._prepare()

    def rows(self, value: str) -> Sequence[Values]:
        self._reads += 1
        if self._reads % _PLANNED_FOR == 0:
            self._check(self._libpq.exec_(b"DEALLOCATE " + _NAME), _COMMAND_OK)
            self._prepare()
        found = self._libpq.exec_prepared(_NAME, [value.encode()])
        self._check(found, _TUPLES_OK)
        columns = range(found.nfields)
        return [
            [found.get_value(row, column) for column in columns] for row in range(found.ntuples)
        ]

    def close(self) -> None:
        self._connection.close()

    def _prepare(self) -> None:
        self._check(self._libpq.prepare(_NAME, self._text), _COMMAND_OK)

    def _check(self, result: Any, wanted: int) -> None:
        if result.status != wanted:
            reason = result.error_message.decode(errors="replace").strip()
            raise SQLAlchemyError(reason)


def _open_postgresql(engine: Engine, text: str, _: int) -> _Session:
    connection = own_connection(engine)
    try:
        return _OnPostgresql(connection, text)
    except BaseException:
        connection.close()
        raise
