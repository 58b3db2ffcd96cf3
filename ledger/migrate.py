"""Bring the schema of a database up to this release."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from ledger.engines import writing_engine
from ledger.schema import REVISION, current_revision, unusable

# Any fixed number: PostgreSQL's advisory lock that keeps two migrations apart.
_MIGRATION_LOCK = 4_871_203


class UnknownSchema(Exception):
    """The database has a schema of another release than this one knows."""


def migrate(url: str, also: Callable[[Connection], None]) -> str:
    """Apply what is missing, in one transaction, and return the revision reached; `also` is called
    in the same one, to bring what is no part of the ledger.

    Two callers at once are kept apart. Raises UnknownSchema, or DatabaseUnusable; a driver that is
    not installed raises ModuleNotFoundError.
    """
    try:
        return _migrate(url, also)
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
            if current_revision(connection) != REVISION:
                _upgrade(connection)
            also(connection)
            return current_revision(connection) or ""
    finally:
        engine.dispose()


def _upgrade(connection: Connection) -> None:
    # Imported here: at most starts there is nothing to do, and it takes longer than all that is.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise UnknownSchema(str(error)) from error
