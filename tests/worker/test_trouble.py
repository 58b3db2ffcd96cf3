"""Whom an error that comes out of a view is about."""

import sqlite3

import pytest
from psycopg import errors
from sqlalchemy import exc

from worker.trouble import is_own


def said(kind: type[exc.DBAPIError], by: Exception) -> exc.DBAPIError:
    return kind("INSERT", {}, by)


@pytest.mark.parametrize(
    "error",
    [
        exc.NoResultFound(),
        exc.MultipleResultsFound(),
        exc.InvalidRequestError(),
        exc.CompileError(),
        OSError(),
        said(exc.DatabaseError, errors.RaiseException()),
        said(exc.InternalError, errors.InFailedSqlTransaction()),
        said(exc.NotSupportedError, errors.FeatureNotSupported()),
        said(exc.OperationalError, errors.ProgramLimitExceeded()),
        said(exc.ProgrammingError, errors.UndefinedTable()),
        said(exc.IntegrityError, sqlite3.IntegrityError()),
    ],
    ids=lambda error: type(getattr(error, "orig", None) or error).__name__,
)
def test_an_error_of_a_view_is_its_own(error: Exception) -> None:
    assert is_own(error)


@pytest.mark.parametrize(
    "error",
    [
        exc.TimeoutError(),
        exc.PendingRollbackError(),
        MemoryError(),
        said(exc.OperationalError, sqlite3.OperationalError("database is locked")),
        said(exc.OperationalError, errors.ConnectionException()),
        said(exc.OperationalError, errors.DiskFull()),
        said(exc.OperationalError, errors.AdminShutdown()),
        said(exc.OperationalError, errors.LockNotAvailable()),
        said(exc.InternalError, errors.ReadOnlySqlTransaction()),
        said(exc.OperationalError, errors.DeadlockDetected()),
    ],
    ids=lambda error: type(getattr(error, "orig", None) or error).__name__,
)
def test_an_outage_is_no_error_of_a_view(error: Exception) -> None:
    assert not is_own(error)
