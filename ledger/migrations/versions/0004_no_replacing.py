"""On SQLite no event takes the place of another: REPLACE deletes without any trigger on DELETE."""

from alembic import op

revision = "0004"
down_revision = "0003"

# An event is found again by its place, by its item's version, or, where somebody names one, by
# SQLite's own rowid.
_SQLITE = """
    CREATE TRIGGER events_are_not_replaced BEFORE INSERT ON events
    WHEN EXISTS (
        SELECT 1 FROM events WHERE "partition" = NEW."partition" AND "offset" = NEW."offset"
    ) OR EXISTS (
        SELECT 1 FROM events WHERE item_id = NEW.item_id AND version = NEW.version
    ) OR EXISTS (
        SELECT 1 FROM events WHERE rowid = NEW.rowid
    )
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
    """


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute(_SQLITE)
