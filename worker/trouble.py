"""What an error says about: the command that was worked at, or the stores."""

import sqlite3

from redis.exceptions import RedisError
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    DisconnectionError,
    IntegrityError,
    PendingRollbackError,
    ProgrammingError,
    ResourceClosedError,
    SQLAlchemyError,
    StatementError,
    TimeoutError,  # noqa: A004  of its pool
)

from runtime.errors import CUT

_LONGEST = 20_000
# What SQLAlchemy says of a connection; all else it says is of how it is used.
_OF_CONNECTIONS = (DisconnectionError, PendingRollbackError, ResourceClosedError, TimeoutError)
# PostgreSQL's classes of errors that are about the statement, and not about the server, its machine
# or others who are at it: what is not supported, exceptions that functions raise, views whose check
# option is broken, limits of the program. Those of data and of syntax have types of their own.
_OF_STATEMENTS = frozenset({"0A", "2F", "38", "39", "44", "54", "P0"})
# Something was refused in the transaction before, and passed over.
_PASSED_OVER = "25P02"


class ProjectionFailed(Exception):
    """A projection raised something that is no outage; the cause is chained."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def is_of_data(error: BaseException) -> bool:
    """Say whether the database, or its driver, refused the very data that was to be written.

    Everything else is about the stores, or a defect elsewhere: the same may work again later.
    """
    match error:
        case DataError() | IntegrityError():
            return True
        case ProgrammingError():
            # Of the driver, before the database has seen it: a value of a kind it does not take.
            return str(error.orig).startswith(("Error binding parameter", "cannot adapt"))
        case StatementError():
            # A value that is no parameter; what the database itself refuses is a DBAPIError.
            return not isinstance(error, DBAPIError)
        case ValueError() | TypeError() | OverflowError():
            return True
        case _:
            return False


def is_outage(error: BaseException) -> bool:
    """Say whether a store or the machine is away, full or locked."""
    if is_of_data(error):
        return False
    return isinstance(error, SQLAlchemyError | RedisError | OSError | MemoryError)


def is_own(error: BaseException) -> bool:
    """Say whether an error that comes out of a projection is its own, and none of the stores. The
    statements of projections are their own too: what the database does not understand, or does not
    let this role do, is no outage.

    Its own is whatever is not certainly another's: a view that is left behind for nothing is there
    again in a second, while one that was taken for an outage would hold up everybody.
    """
    match error:
        case DBAPIError():
            refused = isinstance(error, ProgrammingError) or _is_of_statement(error.orig)
            return refused or is_of_data(error)
        case SQLAlchemyError():
            return not isinstance(error, _OF_CONNECTIONS)
        case _:
            # SQLite says so where it gets no memory, too.
            return not isinstance(error, MemoryError | RedisError)


def _is_of_statement(said: BaseException | None) -> bool:
    """Say whether what a driver has raised is about the statement itself."""
    if isinstance(said, sqlite3.Error):
        # Such as a table or a column that is not there. Everything else has a code of its own.
        return getattr(said, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
    state: str = getattr(said, "sqlstate", None) or ""
    return state[:2] in _OF_STATEMENTS or state == _PASSED_OVER


def shortened(trace: str) -> str:
    """Cut a traceback in its middle, so that it can be kept."""
    if len(trace) <= _LONGEST:
        return trace
    half = _LONGEST // 2
    return f"{trace[:half]}\n{CUT}\n{trace[-half:]}"
