"""What an error says about: the command that was worked at, or the stores."""

import sqlite3

from redis.exceptions import RedisError
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
    StatementError,
)

from runtime.errors import CUT

_LONGEST = 20_000


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
    """
    if isinstance(error, ProgrammingError):
        return True
    if isinstance(error, OperationalError) and isinstance(error.orig, sqlite3.Error):
        # Such as a table or a column that is not there. Everything else has a code of its own.
        return getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
    return not is_outage(error)


def shortened(trace: str) -> str:
    """Cut a traceback in its middle, so that it can be kept."""
    if len(trace) <= _LONGEST:
        return trace
    half = _LONGEST // 2
    return f"{trace[:half]}\n{CUT}\n{trace[-half:]}"
