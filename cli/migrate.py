"""`itemledger migrate`: bring the database's schema up to this release."""

from cli.database_refusals import database_refusal
from cli.refusals import FAILED, Refusal, without_password
from ledger.migrate import UnknownSchema, migrate
from ledger.schema import DatabaseUnusable
from readmodel.views.listing import install
from runtime.errors import first_line


def migrate_database(url: str) -> str:
    """Migrate and return the revision reached; Refusal where the database is not to be had."""
    try:
        return migrate(url, install)
    except UnknownSchema as error:
        raise Refusal(
            f"the schema of {without_password(url)} is not one that this release knows "
            f"({first_line(error)}): use the release that made it, or a newer one",
            FAILED,
        ) from None
    except (DatabaseUnusable, ModuleNotFoundError) as error:
        raise database_refusal(url, error) from None
