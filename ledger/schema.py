"""Which schema a database has, and which one this release works with."""

from sqlalchemy import Column, Connection, Engine, MetaData, Table, Text, inspect, select

from runtime.errors import first_line

# The newest of `ledger/migrations`. Written down, as to find it there takes longer than all else
# that a process does when it starts.
REVISION = "0014"

_MIGRATE = "run `itemledger migrate`"
_VERSIONS = Table("alembic_version", MetaData(), Column("version_num", Text))


class SchemaOutOfDate(Exception):
    """The database's schema is not the one of this release; `str()` says how to mend it."""


class DatabaseUnusable(Exception):
    """The database is not to be had; `str()` is the driver's reason, in one line."""


def unusable(error: BaseException) -> DatabaseUnusable:
    """Make an error of SQLAlchemy's, or of the machine, one that says what the driver said."""
    return DatabaseUnusable(first_line(getattr(error, "orig", None) or error))


def check_schema(engine: Engine) -> None:
    """Raise SchemaOutOfDate where the schema is older or newer than this release."""
    with engine.connect() as connection:
        found = current_revision(connection)
    if found is None:
        raise SchemaOutOfDate(f"the database has no schema yet: {_MIGRATE}")
    if found != REVISION:
        # They are numbers of four digits.
        is_newer = found > REVISION
        mend = "use the release that made it, or a newer one" if is_newer else _MIGRATE
        raise SchemaOutOfDate(
            f"the database has schema {found} and this release wants {REVISION}: {mend}"
        )


def current_revision(connection: Connection) -> str | None:
    """Read which migration was the last one; `None` before the first."""
    if not inspect(connection).has_table(_VERSIONS.name):
        return None
    return connection.scalar(select(_VERSIONS.c.version_num))
