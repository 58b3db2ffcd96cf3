"""Refuse to serve where others could come in without saying who they are."""

from cli.refusals import WRONG_USAGE, Refusal
from runtime.auth.guard import Unguarded, guard_of
from runtime.settings import Settings


def require_guard(settings: Settings) -> None:
    """Raise Refusal where the services would be open to others, or could not judge a token."""
    try:
        guard_of(settings)
    except Unguarded as error:
        raise Refusal(str(error), WRONG_USAGE) from None
