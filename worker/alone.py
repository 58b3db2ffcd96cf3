"""One process at a time works at a view."""

from collections.abc import Generator
from contextlib import contextmanager, suppress

from sqlalchemy import Engine, text

# PostgreSQL's advisory locks are of two numbers: this one, and one made of the view's name.
_LOCK = 4_871_204


@contextmanager
def alone(engine: Engine, view: str) -> Generator[bool]:
    """Keep other processes from a view, and say whether that was to be had. On SQLite there is only
    one that writes.

    Whoever loses the connection loses the lock and does not notice: what is written beside it has
    to bear that.
    """
    if engine.dialect.name != "postgresql":
        yield True
        return
    autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
    with autocommit.connect() as connection:
        names = {"lock": _LOCK, "view": view}
        lock = text("SELECT pg_try_advisory_lock(:lock, hashtext(:view))")
        mine = bool(connection.scalar(lock, names))
        try:
            yield mine
        finally:
            if mine:
                # A connection that is gone has let go by itself.
                with suppress(Exception):
                    connection.execute(
                        text("SELECT pg_advisory_unlock(:lock, hashtext(:view))"), names
                    )
