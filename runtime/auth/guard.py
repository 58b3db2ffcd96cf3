"""The guard of a service, put together from its settings."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from runtime.auth.caller import ANONYMOUS, Caller
from runtime.auth.denied import KeysWanted, lacks, no_token, undecided
from runtime.auth.exposure import exposed_without_keys
from runtime.auth.revoked import Revoked
from runtime.auth.visitors import Visitors
from runtime.settings import PREFIX, Settings

if TYPE_CHECKING:
    from runtime.auth.tokens import Provider, Tokens

# What judges tokens is imported in the functions: it takes 10 MB of every process, and most
# services on one machine have no keys.
# ruff: noqa: PLC0415


class Unguarded(Exception):
    """The service can not be guarded as it is set up; `str()` says how to mend it."""


class Guard:
    """Without `tokens` everybody may do everything, if no foreign page sent them."""

    def __init__(self, tokens: "Tokens | None", visitors: Visitors) -> None:
        self._tokens = tokens
        self._visitors = visitors

    @property
    def wants_tokens(self) -> bool:
        return self._tokens is not None

    def why_not(self) -> str | None:
        """Say why no token can be judged for the time being, if that is so."""
        if self._tokens is None or self._tokens.can_judge:
            return None
        return "what has been revoked is not known yet: a worker tells it, within a second"

    def check_visitor(self, host: str | None, origin: str | None) -> None:
        """Raise Denied where others may have sent the request; a token would say who did."""
        if self._tokens is None:
            self._visitors.check(host, origin)

    def caller_at_once(self, authorization: Sequence[str]) -> Caller:
        """Tell who asks by the headers `Authorization`, without waiting for anybody.

        Raises Denied, or KeysWanted where `caller` has to be asked, which may take seconds.
        """
        if self._tokens is None:
            return ANONYMOUS
        if not authorization:
            raise no_token(
                "the request has no token: send Authorization: Bearer and one; commands of the "
                f"console send {PREFIX}TOKEN"
            )
        scheme, _, token = authorization[0].strip().partition(" ")
        if len(authorization) > 1 or scheme.lower() != "bearer" or not token.strip():
            raise no_token("the header Authorization is not one Bearer and a token")
        return self._tokens.caller(token.strip())

    def caller(self, authorization: Sequence[str]) -> Caller:
        """Tell the same, and fetch keys for it if need be. Raises Denied."""
        try:
            return self.caller_at_once(authorization)
        except KeysWanted:
            assert self._tokens is not None  # noqa: S101  it was their keys
            self._tokens.refresh()
        try:
            return self.caller_at_once(authorization)
        except KeysWanted:
            raise undecided("the identity provider's keys are being fetched", 1) from None


def require(caller: Caller, needed: Sequence[str], what: str = "this") -> None:
    """Raise Denied where the caller has none of these scopes; none are needed for an open door."""
    if needed and caller.scopes.isdisjoint(needed):
        raise lacks(needed, what)


def guard_of(settings: Settings, revoked: Revoked | None = None) -> Guard:
    """Make the guard. Raises Unguarded where others could come in without anybody asking who they
    are, or where tokens could not be judged.
    """
    exposed = exposed_without_keys(settings)
    if exposed is not None:
        raise Unguarded(exposed)
    visitors = Visitors(
        (
            settings.public_command_url,
            settings.public_query_url,
            settings.local_command_url,
            settings.local_query_url,
        )
    )
    if not settings.has_keys:
        return Guard(None, visitors)
    from runtime.auth.tokens import OwnKey, Tokens

    secret = settings.signing_secret
    own = None if secret is None else OwnKey(secret, settings.token_issuer)
    provider = _provider(settings)
    tokens = Tokens(own, provider, settings.token_audience, revoked or Revoked())
    return Guard(tokens, visitors)


def _provider(settings: Settings) -> "Provider | None":
    if settings.jwks_url is None:
        return None
    if settings.jwks_issuer is None:
        raise Unguarded(
            f"{PREFIX}JWKS_URL needs {PREFIX}JWKS_ISSUER, too: the `iss` of the provider's tokens"
        )
    from runtime.auth.jwks import ProviderKeys, fetch_from
    from runtime.auth.tokens import Provider

    algorithms = frozenset(settings.jwks_algorithms.split(","))
    keys = ProviderKeys(fetch_from(settings.jwks_url), algorithms, time.monotonic)
    return Provider(settings.jwks_issuer, keys, algorithms)
