"""Bring the schema of a database up to this release."""

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from ledger.engines import writing_engine
from runtime.errors import first_line

# Any fixed number: PostgreSQL's advisory lock that keeps two migrations apart.
_MIGRATION_LOCK = 4_871_203


class SchemaOutOfDate(Exception):
    """The database's schema is not the one of this release; `str()` says how to mend it."""


class UnknownSchema(Exception):
    """The database has a schema of another release than this one knows."""


class DatabaseUnusable(Exception):
    """The database is not to be had; `str()` is the driver's reason, in one line."""


def unusable(error: BaseException) -> DatabaseUnusable:
    """Make an error of SQLAlchemy's, or of the machine, one that says what the driver said."""
    return DatabaseUnusable(first_line(getattr(error, "orig", None) or error))


def migrate(url: str, also: Callable[[Connection], None]) -> str:
    """Apply what is missing, in one transaction, and return the revision reached; `also` is called
    in the same one, to bring what is no part of the ledger.

    Two callers at once are kept apart. Raises UnknownSchema, or DatabaseUnusable; a driver that is
    not installed raises ModuleNotFoundError.
    """
    try:
        return _migrate(url, also)
    except CommandError as error:
        raise UnknownSchema(str(error)) from error
    except (SQLAlchemyError, OSError) as error:
        raise unusable(error) from error


def _migrate(url: str, also: Callable[[Connection], None]) -> str:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = writing_engine(url)
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL lock_timeout = 0"))
                connection.execute(
                    text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK}
                )
            command.upgrade(_config(connection), "head")
            also(connection)
            return _current(connection) or ""
    finally:
        engine.dispose()


def check_schema(engine: Engine) -> None:
    """Raise SchemaOutOfDate where the schema is older or newer than this release."""
    newest = ScriptDirectory.from_config(_config(None)).get_current_head()
    with engine.connect() as connection:
        current = _current(connection)
    if current != newest:
        raise SchemaOutOfDate(
            f"the database has schema {current or 'none'} and this release wants {newest}: "
            "run `itemledger migrate`"
        )


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
