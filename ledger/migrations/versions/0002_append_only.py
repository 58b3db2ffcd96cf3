"""Events are only ever appended: the database itself refuses to change or delete them."""

from alembic import op

revision = "0002"
down_revision = "0001"

_WHY = "the ledger is append-only"

_SQLITE = (
    f"""
    CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, '{_WHY}'); END
    """,
    f"""
    CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, '{_WHY}'); END
    """,
)
_POSTGRESQL = (
    f"""
    CREATE FUNCTION the_ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION '{_WHY}'; END $$
    """,
    """
    CREATE TRIGGER events_are_not_changed BEFORE UPDATE OR DELETE ON events
    FOR EACH ROW EXECUTE FUNCTION the_ledger_is_append_only()
    """,
    """
    CREATE TRIGGER events_are_not_truncated BEFORE TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION the_ledger_is_append_only()
    """,
)


def upgrade() -> None:
    statements = _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL
    for statement in statements:
        op.execute(statement)
