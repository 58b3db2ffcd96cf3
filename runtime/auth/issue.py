"""Making a token of our own."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from joserfc import jwt
from joserfc.jwk import OctKey

from runtime.auth.caller import Scope
from runtime.auth.tokens import OWN_ALGORITHM, TYPE, OwnKey

# Whoever revokes a token by its id alone does not know when it expires: at the latest after this.
LONGEST_LIFE = 366 * 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Issued:
    """A token; `expires` is in seconds since 1970."""

    token: str
    id: str
    expires: int


def issue(
    own: OwnKey, audience: str, subject: str, scopes: Iterable[Scope], now: int, life: int
) -> Issued:
    """Sign a token of RFC 9068 that is valid for `life` seconds from `now` on."""
    token_id = str(uuid.uuid4())
    claims = {
        "iss": own.issuer,
        "aud": audience,
        "sub": subject,
        "client_id": subject,
        "scope": " ".join(scopes),
        "iat": now,
        "exp": now + life,
        "jti": token_id,
    }
    header = {"alg": OWN_ALGORITHM, "typ": TYPE}
    key = OctKey.import_key(own.secret)
    return Issued(jwt.encode(header, claims, key, [OWN_ALGORITHM]), token_id, now + life)


def is_own_id(token_id: str) -> bool:
    """Whether `issue` could have given a token this id; a provider's may be of any form."""
    try:
        return str(uuid.UUID(token_id)) == token_id
    except ValueError:
        return False
