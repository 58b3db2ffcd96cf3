"""Issuers of tokens as a test needs them: ours, an identity provider, and forgers of both."""

import base64
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, Key, RSAKey
from joserfc.jws import JWSRegistry

from runtime.auth.jwks import ProviderKeys
from runtime.auth.revoked import Revoked
from runtime.auth.tokens import OwnKey, Provider, Tokens

SECRET = "not for anybody: 32 bytes at least"  # noqa: S105  of tests
NOW = 1_800_000_000
OWN = OwnKey(SECRET, "itemledger")
PROVIDER = "https://id.example"
ALGORITHMS = frozenset({"RS256", "ES256"})
_EVERYTHING = JWSRegistry(algorithms=list(JWSRegistry.algorithms), strict_check_header=False)


@dataclass(slots=True)
class Ticks:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class IdentityProvider:
    """Serves a JWK set, counts how often it was asked, and may go down."""

    keys: list[Key] = field(default_factory=list)
    asked: int = 0
    down: bool = False

    def fetch(self) -> bytes:
        self.asked += 1
        if self.down:
            raise OSError("nobody there")
        return json.dumps({"keys": [each.as_dict(private=False) for each in self.keys]}).encode()


def claims(**changed: Any) -> dict[str, Any]:
    """Claims of a good token, changed; a claim that is None is left out."""
    made = {
        "iss": "itemledger",
        "aud": "itemledger",
        "sub": "rosa",
        "client_id": "rosa",
        "scope": "items:read items:write",
        "iat": NOW - 5,
        "exp": NOW + 60,
        "jti": "token-1",
    } | changed
    return {name: value for name, value in made.items() if value is not None}


def signed(header: Mapping[str, Any], said: Mapping[str, Any], key: Key) -> str:
    """Sign as an identity provider, or who would like to be one."""
    return jws.serialize_compact(dict(header), json.dumps(said), key, registry=_EVERYTHING)


def own(said: Mapping[str, Any] | str | None = None, **header: Any) -> str:
    made = {"alg": "HS256", "typ": "at+jwt"} | header
    kept = {name: value for name, value in made.items() if value is not None}
    return by_hand(kept, claims() if said is None else said, SECRET.encode())


def plain(header: Any, said: Any, signature: str = "") -> str:
    """Write a token without signing it; what is text stands as it is."""
    parts = [each if isinstance(each, str) else json.dumps(each) for each in (header, said)]
    return ".".join([*map(b64, parts), signature])


def by_hand(header: Any, said: Any, secret: bytes) -> str:
    """Sign with HMAC and any secret, as a library would not."""
    name = header.get("alg", "")
    digest = {"HS384": "sha384", "HS512": "sha512"}.get(name, "sha256")
    unsigned = plain(header, said).rstrip(".")
    signature = hmac.digest(secret, unsigned.encode(), digest)
    return f"{unsigned}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def b64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def rsa_key(name: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig", "alg": "RS256"})


def ec_key(name: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": name})


def tokens(
    provider: IdentityProvider | None = None,
    ticks: Ticks | None = None,
    revoked: Revoked | None = None,
    now: Ticks | None = None,
) -> Tokens:
    at = provider and Provider(
        PROVIDER, ProviderKeys(provider.fetch, ALGORITHMS, ticks or Ticks()), ALGORITHMS
    )
    return Tokens(OWN, at, "itemledger", revoked or Revoked.nothing(), now or Ticks(NOW))
