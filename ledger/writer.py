"""SQLite has one writing process: a lock beside the file keeps a second one out."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url


class SecondWriter(Exception):
    """Another process writes to this SQLite file; `str()` says what to do."""


class NoFolder(Exception):
    """The folder of the SQLite file is not to be had; `str()` says what to do."""


@contextmanager
def sole_writer(url: str) -> Generator[None]:
    """Hold the lock while this process writes. PostgreSQL needs none.

    Raises SecondWriter, and NoFolder where the lock cannot be made.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        yield
        return
    path = Path(parsed.database + ".writer")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise NoFolder(
            f"cannot use the database {parsed.database}: {error.strerror}; run `itemledger migrate`"
            " if there is none yet, or mend ITEMLEDGER_DATA or ITEMLEDGER_DATABASE_URL"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SecondWriter(
                f"another process writes to {parsed.database}, a worker or `itemledger rebuild`: "
                "SQLite takes one; stop that one, or use PostgreSQL for more "
                "(ITEMLEDGER_DATABASE_URL)"
            ) from error
        yield
    finally:
        os.close(descriptor)
