"""Revocations as whoever is not the worker reads and writes them.

On SQLite this is a write beside the worker's: one short transaction that waits its turn, as a
migration does. It does not go through the worker, because a token must be revocable while no
worker runs, and it touches nothing that a worker writes.
"""

from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from ledger import revocations
from ledger.engines import reading_engine, writing_engine
from ledger.revocations import Revocation
from ledger.schema import check_schema, unusable
from runtime.auth.revoked import Revocations, Source

# Each waits as long as the engine does for a lock.
_TRIES = 3


class Register:
    """Reads through one engine, and opens another one to write."""

    def __init__(self, url: str, reads: Engine) -> None:
        self._url = url
        self._reads = reads

    def news(self, known: str | None) -> Revocations | None:
        """Read the list, unless it is the one that is known."""
        return source_of(self._reads)(known)

    def listed(self) -> list[Revocation]:
        with self._reads.connect() as connection:
            return revocations.listed(connection)

    def revoke(self, revocation: Revocation) -> None:
        engine = writing_engine(self._url)
        try:
            for left in reversed(range(_TRIES)):
                try:
                    with engine.begin() as connection:
                        revocations.revoke(connection, revocation)
                except OperationalError:
                    if not left:
                        raise
                else:
                    return
        finally:
            engine.dispose()


@contextmanager
def opened_register(url: str) -> Generator[Register]:
    """Open it. Raises DatabaseUnusable, SchemaOutOfDate, and ModuleNotFoundError for a driver that
    is missing.
    """
    engine = reading_engine(url, connections=1)
    try:
        check_schema(engine)
        yield Register(url, engine)
    except SQLAlchemyError as error:
        raise unusable(error) from error
    finally:
        engine.dispose()


def source_of(engine: Engine) -> Source:
    """Make the source that reads the truth; it raises what SQLAlchemy raises."""

    def source(known: str | None) -> Revocations | None:
        with engine.connect() as connection:
            return revocations.news(connection, known)

    return source
