"""Tokens (RFC 9068, by the rules of RFC 8725): ours, and those of an identity provider."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from joserfc import jwt
from joserfc.errors import (
    BadSignatureError,
    ClaimError,
    ExpiredTokenError,
    JoseError,
    UnsupportedAlgorithmError,
)
from joserfc.jwk import Key, OctKey
from joserfc.jws import JWSRegistry
from joserfc.jwt import ClaimsOption, JWTClaimsRegistry

from runtime.auth.caller import SCOPES, Caller, is_subject
from runtime.auth.denied import Denied, KeysWanted, bad_token
from runtime.auth.jwks import ProviderKeys
from runtime.auth.revoked import Revoked

# What we sign with. A deployment's secret is never tried with any other algorithm, nor a
# provider's key with this one.
OWN_ALGORITHM = "HS256"
TYPE = "at+jwt"
TOKEN_LIMIT = 8192
TOKEN_ID_LIMIT = 255

# Seconds that clocks may differ; an expiry of our own is to the second.
_LEEWAY = 30
# A token that was found valid is not verified again for this long.
_REMEMBERED = 60
_MOST_REMEMBERED = 10_000

log = structlog.get_logger()


class _Registry(JWSRegistry):
    # Providers put more into a header than RFC 7515 names, such as a certificate's thumbprint.
    max_header_length = 2048
    max_payload_length = TOKEN_LIMIT


class _Claims(JWTClaimsRegistry):
    def validate_nbf(self, value: object) -> None:
        # The library tells this as it tells a claim that is no time at all.
        if isinstance(value, int | float) and value > self.now + self.leeway:
            raise bad_token("the token is not valid yet")
        super().validate_nbf(value)


@dataclass(frozen=True, slots=True)
class OwnKey:
    """The deployment's secret, and how its tokens name their issuer."""

    secret: str
    issuer: str


@dataclass(frozen=True, slots=True)
class Provider:
    """An identity provider: its name in tokens, its keys, and what they may sign with."""

    issuer: str
    keys: ProviderKeys
    algorithms: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Verified:
    caller: Caller
    token_id: str
    until: float


class Tokens:
    """Says whose a token is. At least one of `own` and `provider` is there; `clock` tells seconds
    since 1970.
    """

    def __init__(
        self,
        own: OwnKey | None,
        provider: Provider | None,
        audience: str,
        revoked: Revoked,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._own = own
        self._own_key = None if own is None else OctKey.import_key(own.secret)
        self._provider = provider
        self._audience = audience
        self._revoked = revoked
        self._clock = clock
        algorithms = set(provider.algorithms if provider else ())
        self._registry = _Registry(
            algorithms=algorithms | ({OWN_ALGORITHM} if own else set()), strict_check_header=False
        )
        self._remembered: dict[bytes, _Verified] = {}

    @property
    def can_judge(self) -> bool:
        return self._revoked.is_known

    def caller(self, token: str) -> Caller:
        """Find out whose token it is, without waiting for anybody.

        Raises Denied, or KeysWanted where `refresh` has to come first.
        """
        if len(token) > TOKEN_LIMIT:
            raise bad_token(f"the token is longer than {TOKEN_LIMIT} characters")
        now = self._clock()
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        known = self._remembered.get(digest)
        if known is None or known.until <= now:
            known = self._verify(token, now)
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[digest] = known
        if self._revoked.has(known.token_id):
            raise bad_token("the token is revoked")
        return known.caller

    def refresh(self) -> None:
        """Fetch the provider's keys. It may take seconds."""
        if self._provider is not None:
            self._provider.keys.refresh()

    def _verify(self, token: str, now: float) -> _Verified:
        try:
            found = jwt.decode(token, self._key_of, registry=self._registry)
            return self._judge(found.header, found.claims, now)
        except (Denied, KeysWanted):
            raise
        except JoseError as error:
            raise bad_token(_told(error)) from None
        except Exception as error:  # noqa: BLE001  whatever a forged token breaks, it is refused
            log.info("a token can not be read", error=type(error).__name__)
            raise bad_token("the token can not be read") from None

    def _key_of(self, token: Any) -> Key:
        """Choose the key by the algorithm: each algorithm belongs to one kind of key."""
        header = token.headers()
        if header["alg"] == OWN_ALGORITHM and self._own_key is not None:
            return self._own_key
        if self._provider is None or header["alg"] not in self._provider.algorithms:
            raise UnsupportedAlgorithmError
        key_id = header.get("kid")
        if not isinstance(key_id, str):
            raise bad_token("the token does not name its key (kid)")
        return self._provider.keys.find(key_id)

    def _judge(self, header: dict[str, Any], claims: dict[str, Any], now: float) -> _Verified:
        """Read a token whose signature is right."""
        kind: object = header.get("typ")
        if not isinstance(kind, str) or kind.lower().removeprefix("application/") != TYPE:
            raise bad_token(f"the token is of another type than {TYPE}")
        ours = header["alg"] == OWN_ALGORITHM
        issuer = self._own if ours else self._provider
        assert issuer is not None  # noqa: S101  there is no key of who is not there
        needed: ClaimsOption = {"essential": True}
        _Claims(
            now=int(now),
            leeway=_LEEWAY,
            iss={"essential": True, "value": issuer.issuer},
            aud={"essential": True, "value": self._audience},
            exp=needed,
            iat=needed,
            sub=needed,
            jti=needed,
        ).validate(claims)
        until = claims["exp"] + (0 if ours else _LEEWAY)
        if until <= now:
            raise ExpiredTokenError("exp")
        subject, token_id, scope = claims["sub"], claims["jti"], claims.get("scope", "")
        if not is_subject(subject):
            raise bad_token("the token's subject is too long, or no line of text")
        if len(token_id) > TOKEN_ID_LIMIT:
            raise bad_token("the token's id is too long")
        if not isinstance(scope, str):
            raise bad_token("the token's scope is no string")
        caller = Caller(subject, frozenset(SCOPES) & frozenset(scope.split(" ")))
        return _Verified(caller, token_id, min(until, now + _REMEMBERED))


def _told(error: JoseError) -> str:
    """Say what is wrong with a token in words that hold nothing of it."""
    match error:
        case BadSignatureError():
            return "the token's signature is not right"
        case ExpiredTokenError():
            return "the token has expired"
        case UnsupportedAlgorithmError():
            return "the token is signed with an algorithm that is not taken"
        case ClaimError():
            return f"the token's {error.claim} is missing or not right"
        case _:
            return "the token can not be read"
