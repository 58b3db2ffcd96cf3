"""Tokens as the tests of both services send them."""

import time

from runtime.auth.caller import Scope
from runtime.auth.guard import Guard, guard_of
from runtime.auth.issue import issue
from runtime.auth.revoked import Revoked
from runtime.auth.tokens import OwnKey
from runtime.settings import Settings

SECRET = "a secret of the tests, of 32 bytes"  # noqa: S105  of tests


def guard(settings: Settings, *revoked: str) -> Guard:
    """Make a guard that wants tokens of this secret."""
    return guard_of(settings.model_copy(update={"token_secret": SECRET}), Revoked.nothing(revoked))


def token(*scopes: Scope, subject: str = "rosa") -> str:
    own = OwnKey(SECRET, "itemledger")
    return issue(own, "itemledger", subject, scopes, int(time.time()), 600).token


def bearer(*scopes: Scope, subject: str = "rosa") -> dict[str, str]:
    """Make the header of a request."""
    return {"Authorization": f"Bearer {token(*scopes, subject=subject)}"}
