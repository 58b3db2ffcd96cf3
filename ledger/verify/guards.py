"""The triggers that keep events from being changed: whether the database still has them."""

from sqlalchemy import Connection, text

from ledger.verify.difference import Difference

# As migrations 0002 and 0004 make them.
_SQLITE = ("events_are_not_changed", "events_are_not_deleted", "events_are_not_replaced")
_POSTGRESQL = ("events_are_not_changed", "events_are_not_truncated")

# An `R` of PostgreSQL only fires for what replication applies.
_ON_SQLITE = """
    SELECT name, 'on' FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'events'
    """
_ON_POSTGRESQL = """
    SELECT tgname, CASE WHEN tgenabled IN ('O', 'A') THEN 'on' ELSE 'disabled' END
    FROM pg_trigger WHERE tgrelid = to_regclass('events') AND NOT tgisinternal
    """


def missing(connection: Connection) -> list[Difference]:
    """Find the triggers that are not there, or do not fire."""
    on_sqlite = connection.dialect.name == "sqlite"
    rows = connection.execute(text(_ON_SQLITE if on_sqlite else _ON_POSTGRESQL))
    found = {str(row[0]): str(row[1]) for row in rows}
    return [
        Difference(None, f"trigger {name} of events", "on", found.get(name))
        for name in (_SQLITE if on_sqlite else _POSTGRESQL)
        if found.get(name) != "on"
    ]
