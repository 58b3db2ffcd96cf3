"""`itemledger migrate`: bring the database's schema up to this release."""

from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from cli.refusals import FAILED, Refusal, database_refusal, first_line, without_password
from ledger.migrate import migrate


def migrate_database(url: str) -> str:
    """Migrate and return the revision reached; Refusal where the database is not to be had."""
    try:
        return migrate(url)
    except CommandError as error:
        raise Refusal(
            f"the schema of {without_password(url)} is not one that this release knows "
            f"({first_line(error)}): use the release that made it, or a newer one",
            FAILED,
        ) from None
    except (SQLAlchemyError, ModuleNotFoundError, OSError) as error:
        raise database_refusal(url, error) from None
