"""Tokens that are not to be taken any more: here is the truth about them."""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from ledger.bulk import upsert_rows
from ledger.tables import facts, revocations
from runtime.auth.revoked import Revocations, following

# The name of the list as it is: a later one with every change, another one after a restored backup.
_VERSION = "revocations"
# Of a list that nobody has ever changed.
_FIRST = "none"


@dataclass(frozen=True, slots=True)
class Revocation:
    """A token's id, who revoked it and when, and when it would have expired (milliseconds)."""

    token_id: str
    expires_at: int
    revoked_at: int
    revoked_by: str


def version(connection: Connection) -> str:
    found = connection.scalar(select(facts.c.value).where(facts.c.name == _VERSION))
    return _FIRST if found is None else found


def news(connection: Connection, known: str | None) -> Revocations | None:
    """Read the list, unless it is the one that is known."""
    # The version first: the list is then as new as it says, or newer.
    named = version(connection)
    if named == known:
        return None
    return Revocations(named, frozenset(connection.scalars(select(revocations.c.token_id))))


def listed(connection: Connection) -> list[Revocation]:
    """List them, the newest first."""
    statement = select(revocations).order_by(
        revocations.c.revoked_at.desc(), revocations.c.token_id
    )
    return [
        Revocation(row.token_id, row.expires_at, row.revoked_at, row.revoked_by)
        for row in connection.execute(statement)
    ]


def revoke(connection: Connection, revocation: Revocation) -> None:
    """Add one to the list, or take note that it expires later."""
    upsert_rows(
        connection,
        revocations,
        [
            {
                "token_id": revocation.token_id,
                "expires_at": revocation.expires_at,
                "revoked_at": revocation.revoked_at,
                "revoked_by": revocation.revoked_by,
            }
        ],
    )
    _change(connection)


def forget(connection: Connection, before: int) -> int:
    """Forget those of tokens that have expired before this moment, and say how many."""
    statement = delete(revocations).where(revocations.c.expires_at < before)
    count = connection.execute(statement).rowcount
    if count:
        _change(connection)
    return count


def _change(connection: Connection) -> None:
    following_one = following(version(connection))
    upsert_rows(connection, facts, [{"name": _VERSION, "value": following_one}])
