"""Good tokens are taken, and every bad one that we know of is refused."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from runtime.auth.caller import Caller
from runtime.auth.denied import Denied
from runtime.auth.issue import issue
from runtime.auth.jwks import ProviderKeys
from runtime.auth.revoked import Revoked
from runtime.auth.tokens import OwnKey, Provider, Tokens
from tests.runtime.auth.issuers import (
    ALGORITHMS,
    NOW,
    OWN,
    PROVIDER,
    IdentityProvider,
    Ticks,
    b64,
    by_hand,
    claims,
    ec_key,
    own,
    plain,
    rsa_key,
    signed,
    tokens,
)

RSA, EC, STRANGER = rsa_key("r1"), ec_key("e1"), rsa_key("r1")
BARE = RSAKey.import_key(RSA.as_pem(private=True))
UNDER_RSA = {"alg": "RS256", "typ": "at+jwt", "kid": "r1"}
FROM_PROVIDER = claims(iss=PROVIDER)
GOOD = own()
HEAD, BODY, SIGNATURE = GOOD.split(".")
HS = {"alg": "HS256", "typ": "at+jwt"}


def refused(token: str) -> Denied:
    """Have a token refused as one that is not valid, in words that hold nothing of it."""
    checked = tokens(IdentityProvider([RSA, EC]))
    checked.refresh()
    with pytest.raises(Denied) as denied:
        checked.caller(token)
    assert denied.value.problem.status == 401
    challenge = denied.value.headers["WWW-Authenticate"]
    assert re.fullmatch(
        r'Bearer realm="itemledger", error="invalid_token", error_description="[ !#-\[\]-~]+"',
        challenge,
    )
    for part in token.split("."):
        assert len(part) < 8 or part not in denied.value.problem.detail + challenge
    return denied.value


BAD: dict[str, str] = {
    # The algorithm.
    "alg none": plain({"alg": "none", "typ": "at+jwt"}, claims()),
    "alg NONE": plain({"alg": "NONE", "typ": "at+jwt"}, claims()),
    "alg none with a signature": plain({"alg": "none", "typ": "at+jwt"}, claims(), SIGNATURE),
    "alg missing": plain({"typ": "at+jwt"}, claims(), SIGNATURE),
    "alg no string": plain({"alg": 256, "typ": "at+jwt"}, claims(), SIGNATURE),
    "alg a list": plain({"alg": ["HS256"], "typ": "at+jwt"}, claims(), SIGNATURE),
    "alg empty": plain({"alg": "", "typ": "at+jwt"}, claims(), SIGNATURE),
    "alg hs256": plain({"alg": "hs256", "typ": "at+jwt"}, claims(), SIGNATURE),
    "HS384 with our secret": own(alg="HS384"),
    "HS512 with our secret": own(alg="HS512"),
    "HS with the public key in PEM": by_hand(
        {**HS, "kid": "r1"}, FROM_PROVIDER, RSA.as_pem(private=False)
    ),
    "HS with the public key in PEM, as ours": by_hand(HS, claims(), RSA.as_pem(private=False)),
    "HS with the public key in DER": by_hand(HS, claims(), RSA.as_der(private=False)),
    "HS with the public key's JWK": by_hand(
        HS, claims(), json.dumps(RSA.as_dict(private=False)).encode()
    ),
    "HS with the name of the key": by_hand(HS, claims(), b"r1"),
    "RS512, which is not allowed": signed({**UNDER_RSA, "alg": "RS512"}, FROM_PROVIDER, BARE),
    "PS256, which is not allowed": signed({**UNDER_RSA, "alg": "PS256"}, FROM_PROVIDER, BARE),
    "ES256 with the name of an RSA key": signed(
        {"alg": "ES256", "typ": "at+jwt", "kid": "r1"}, FROM_PROVIDER, EC
    ),
    "RS256 with the name of an EC key": signed({**UNDER_RSA, "kid": "e1"}, FROM_PROVIDER, RSA),
    # The signature.
    "no signature": f"{HEAD}.{BODY}.",
    "a signature of another token": f"{HEAD}.{b64(json.dumps(claims(sub='eve')))}.{SIGNATURE}",
    "another header": f"{b64(json.dumps(HS | {'x': 1}))}.{BODY}.{SIGNATURE}",
    "a cut signature": GOOD[:-4],
    "a longer signature": GOOD + "AAAA",
    "another secret": by_hand(HS, claims(), b"x" * 40),
    "an empty secret": by_hand(HS, claims(), b""),
    "a stranger's RSA key": signed(UNDER_RSA, FROM_PROVIDER, STRANGER),
    # The key.
    "no kid": signed({"alg": "RS256", "typ": "at+jwt"}, FROM_PROVIDER, RSA),
    "an unknown kid": signed({**UNDER_RSA, "kid": "nobody's"}, FROM_PROVIDER, RSA),
    "kid a path": signed({**UNDER_RSA, "kid": "../../dev/null"}, FROM_PROVIDER, RSA),
    "kid SQL": signed({**UNDER_RSA, "kid": "' OR 1=1 --"}, FROM_PROVIDER, RSA),
    "kid no string": plain({**UNDER_RSA, "kid": 1}, FROM_PROVIDER, SIGNATURE),
    "its own key (jwk)": signed(
        {**UNDER_RSA, "kid": "x", "jwk": STRANGER.as_dict(private=False)}, FROM_PROVIDER, STRANGER
    ),
    "its own keys' address (jku)": signed(
        {**UNDER_RSA, "kid": "x", "jku": "https://evil.example/keys"}, FROM_PROVIDER, STRANGER
    ),
    # Who, for whom, of what kind.
    "the provider's name under our secret": own(claims(iss=PROVIDER)),
    "our name under the provider's key": signed(UNDER_RSA, claims(), RSA),
    "another issuer": own(claims(iss="https://other.example")),
    "no issuer": own(claims(iss=None)),
    "an issuer in a list": own(claims(iss=["itemledger"])),
    "another audience": own(claims(aud="another service")),
    "no audience": own(claims(aud=None)),
    "an audience that is longer": own(claims(aud="itemledger2")),
    "an empty list of audiences": own(claims(aud=[])),
    "an audience in an object": own(claims(aud={"itemledger": 1})),
    "typ JWT": own(typ="JWT"),
    "typ of an id token": own(typ="id+jwt"),
    "typ missing": own(typ=None),
    "typ no string": plain({"alg": "HS256", "typ": 1}, claims(), SIGNATURE),
    # When.
    "expired": own(claims(exp=NOW - 1)),
    "expiring now": own(claims(exp=NOW)),
    "no expiry": own(claims(exp=None)),
    "an expiry in text": own(claims(exp=str(NOW + 60))),
    "an expiry that is true": own(claims(exp=True)),
    "an expiry that is no number": own(json.dumps(claims()).replace(str(NOW + 60), "NaN")),
    "an infinite expiry": own(json.dumps(claims()).replace(str(NOW + 60), "1e400")),
    "not yet": own(claims(nbf=NOW + 120)),
    "issued in the future": own(claims(iat=NOW + 120)),
    "never issued": own(claims(iat=None)),
    # As whom.
    "no subject": own(claims(sub=None)),
    "an empty subject": own(claims(sub="")),
    "a blank subject": own(claims(sub="  ")),
    "a number for a subject": own(claims(sub=7)),
    "a subject of 201 characters": own(claims(sub="r" * 201)),
    "a subject with NUL": own(claims(sub="ro\0sa")),
    "a subject of two lines": own(claims(sub="rosa\nadmin")),
    "a subject with half a character": own(claims(sub="rosa\ud800")),
    "no id": own(claims(jti=None)),
    "an id that is no string": own(claims(jti=1)),
    "a long id": own(claims(jti="j" * 256)),
    "a list of scopes": own(claims(scope=["ops"])),
    # The form.
    "empty": "",
    "a word": "token",
    "two parts": f"{HEAD}.{BODY}",
    "four parts": f"{GOOD}.{SIGNATURE}",
    "five parts": f"{HEAD}....",
    "three dots": "...",
    "a header that is a list": plain([], claims(), SIGNATURE),
    "a header that is no JSON": plain("no JSON", claims(), SIGNATURE),
    "a header of nothing but brackets": plain("[" * 700, claims(), SIGNATURE),
    "a payload that is a list": own("[]"),
    "a payload that is no JSON": own("no JSON"),
    "a payload of nothing but brackets": own("[" * 5000),
    "crit of something unknown": own(crit=["x"], x=1),
    "huge": GOOD + "A" * 8192,
    "a huge header": own(padding="x" * 4000),
    "not of the alphabet": f"{HEAD}.é{BODY}.{SIGNATURE}",
    "bytes that are no text": f"{HEAD}.\udc80.{SIGNATURE}",
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_is_refused(name: str) -> None:
    refused(BAD[name])


def test_a_huge_token_is_refused_before_anything_of_it_is_read() -> None:
    said = refused(own(claims(padding="x" * 9000))).problem.detail
    assert said == "the token is longer than 8192 characters"


def test_they_are_many() -> None:
    assert len(BAD) >= 40
    assert len(set(BAD.values())) == len(BAD)


GOOD_ONES = {
    "ours": GOOD,
    "a longer name of its type": own(typ="application/at+jwt"),
    "its type in capitals": own(typ="AT+JWT"),
    "for several": own(claims(aud=["other", "itemledger"])),
    "valid in a moment": own(claims(nbf=NOW + 20)),
    "a long subject": own(claims(sub="r" * 200, jti="j" * 255)),
    "RS256": signed(UNDER_RSA, FROM_PROVIDER, RSA),
    "ES256": signed({"alg": "ES256", "typ": "at+jwt", "kid": "e1"}, FROM_PROVIDER, EC),
    "a header with more in it": signed(
        {**UNDER_RSA, "x5t": "abc", "nonce": "n"}, FROM_PROVIDER, RSA
    ),
    "of a clock behind ours": signed(UNDER_RSA, {**FROM_PROVIDER, "exp": NOW - 20}, RSA),
}


@pytest.mark.parametrize("name", GOOD_ONES)
def test_a_good_token_is_taken(name: str) -> None:
    checked = tokens(IdentityProvider([RSA, EC]))
    checked.refresh()
    caller = checked.caller(GOOD_ONES[name])
    assert caller.subject.startswith("r")
    assert caller.scopes == {"items:read", "items:write"}


def test_what_is_issued_is_taken_for_as_long_as_was_said() -> None:
    now = Ticks(NOW)
    checked = tokens(now=now)
    made = issue(OWN, "itemledger", "Großmutter ☀", ["ops"], NOW, 60)
    assert checked.caller(made.token) == Caller("Großmutter ☀", frozenset({"ops"}))
    now.now += 59
    assert checked.caller(made.token).scopes == {"ops"}
    now.now += 1
    with pytest.raises(Denied, match="has expired"):
        checked.caller(made.token)


def test_a_token_that_was_found_valid_is_not_taken_beyond_its_expiry() -> None:
    """Well before it would be looked at anew."""
    now = Ticks(NOW)
    checked, token = tokens(now=now), own(claims(exp=NOW + 10))
    assert checked.caller(token).subject == "rosa"
    now.now += 9
    assert checked.caller(token).subject == "rosa"
    now.now += 1
    with pytest.raises(Denied, match="has expired"):
        checked.caller(token)


@pytest.mark.parametrize("scope", ["", "admin", "items:read2", "ITEMS:READ", "items:read,ops"])
def test_a_scope_that_is_none_allows_nothing(scope: str) -> None:
    assert tokens().caller(own(claims(scope=scope))).scopes == frozenset()


def test_a_revoked_token_is_refused_also_when_it_was_found_valid_before() -> None:
    revoked = Revoked.nothing()
    checked = tokens(revoked=revoked)
    checked.caller(GOOD)
    revoked._known = Revoked.nothing(["token-1"])._known
    with pytest.raises(Denied, match="revoked"):
        checked.caller(GOOD)
    assert checked.caller(own(claims(jti="token-2"))).subject == "rosa"


def test_before_anything_is_known_of_revocations_no_token_is_taken() -> None:
    with pytest.raises(Denied) as denied:
        tokens(revoked=Revoked()).caller(GOOD)
    assert denied.value.problem.status == 503
    assert denied.value.headers["Retry-After"] == "1"


def test_without_a_secret_of_our_own_its_tokens_are_none() -> None:
    keys = ProviderKeys(IdentityProvider([RSA]).fetch, ALGORITHMS, Ticks())
    provider = Provider("itemledger", keys, ALGORITHMS)
    checked = Tokens(None, provider, "itemledger", Revoked.nothing(), Ticks(NOW))
    for token in (GOOD, by_hand(HS, claims(), b""), by_hand(HS, claims(), RSA.as_pem())):
        with pytest.raises(Denied, match="an algorithm that is not taken"):
            checked.caller(token)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.auth.tokens._MOST_REMEMBERED", 3)
    checked = tokens()
    for number in range(10):
        checked.caller(own(claims(jti=str(number))))
    assert len(checked._remembered) <= 3


def test_a_token_that_was_found_valid_is_not_verified_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checked = tokens()
    checked.caller(GOOD)
    verify: Callable[..., Any] = checked._verify
    verified: list[str] = []
    monkeypatch.setattr(checked, "_verify", lambda *args: verified.append("") or verify(*args))
    checked.caller(GOOD)
    assert verified == []


def test_another_deployments_token_is_refused() -> None:
    made = issue(
        OwnKey("another secret of thirty-two bytes", "itemledger"), "itemledger", "r", [], NOW, 9
    )
    refused(made.token)


@pytest.mark.parametrize(
    ("not_before", "told"),
    [
        (NOW + 120, "the token is not valid yet"),
        (NOW + 120.5, "the token is not valid yet"),
        ("soon", "the token's nbf is missing or not right"),
        (True, "the token's nbf is missing or not right"),
    ],
)
def test_a_token_that_is_too_early_is_told_as_such(not_before: object, told: str) -> None:
    assert refused(own(claims(nbf=not_before))).problem.detail == told
