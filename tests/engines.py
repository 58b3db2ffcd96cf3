"""An engine is put away whoever still has a connection of it."""

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry


def put_away(engine: Engine) -> None:
    """Close its connections for good, and those that threads have when they give them back: they
    go to a pool that is not there any more, and would show as a warning wherever garbage is
    collected next.
    """
    event.listen(engine.pool, "checkin", _close)
    engine.dispose()


def _close(connection: DBAPIConnection | None, _: ConnectionPoolEntry) -> None:
    if connection is not None:
        connection.close()
