"""An identity provider's keys: rotated, gone, and asked for by whoever makes names up."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from runtime.auth.denied import Denied, KeysWanted
from runtime.auth.jwks import COOLDOWN, MAX_AGE, ProviderKeys, fetch_from, read_keys
from tests.runtime.auth.issuers import (
    ALGORITHMS,
    PROVIDER,
    IdentityProvider,
    Ticks,
    claims,
    ec_key,
    rsa_key,
    signed,
    tokens,
)

KEYS = [ec_key(f"key-{number}") for number in range(4)]


def ask(keys: ProviderKeys, name: str) -> bool:
    """Ask as the guard does, and say whether the key was found."""
    try:
        try:
            keys.find(name)
        except KeysWanted:
            keys.refresh()
            keys.find(name)
    except Denied as denied:
        return denied.problem.status != 401
    return True


def test_a_rotated_key_is_found_with_one_more_fetch() -> None:
    provider, ticks = IdentityProvider([KEYS[0]]), Ticks()
    keys = ProviderKeys(provider.fetch, ALGORITHMS, ticks)
    for turn in range(100):
        provider.keys = [KEYS[turn % 4], KEYS[(turn + 1) % 4]]
        assert ask(keys, f"key-{(turn + 1) % 4}")
        assert provider.asked <= turn + 1
        ticks.now += COOLDOWN


def test_a_flood_of_unknown_keys_makes_one_fetch_in_thirty_seconds() -> None:
    provider, ticks = IdentityProvider([KEYS[0]]), Ticks()
    keys = ProviderKeys(provider.fetch, ALGORITHMS, ticks)
    assert ask(keys, "key-0")
    for number in range(10_000):
        ticks.now += 0.006
        assert not ask(keys, f"made up {number}")
    assert provider.asked <= 1 + 60 / COOLDOWN
    assert ask(keys, "key-0")


def test_a_key_that_was_taken_back_is_not_used_for_longer_than_a_quarter_of_an_hour() -> None:
    provider, ticks = IdentityProvider([KEYS[0], KEYS[1]]), Ticks()
    keys = ProviderKeys(provider.fetch, ALGORITHMS, ticks)
    assert ask(keys, "key-0")
    provider.keys = [KEYS[1]]
    ticks.now += MAX_AGE - 1
    assert not ask(keys, "key-0")
    assert ask(keys, "key-1")


def test_a_provider_that_is_away_is_no_matter_for_a_while_and_then_nobody_can_say() -> None:
    provider, ticks = IdentityProvider([KEYS[0]]), Ticks()
    keys = ProviderKeys(provider.fetch, ALGORITHMS, ticks)
    assert ask(keys, "key-0")
    provider.down = True
    ticks.now += MAX_AGE - 1
    assert ask(keys, "key-0")
    ticks.now += 1
    with pytest.raises(Denied) as denied:
        keys.find("key-0")
    assert denied.value.problem.status == 503
    asked = provider.asked
    provider.down = False
    ticks.now += 5
    assert ask(keys, "key-0")
    assert provider.asked == asked + 1


def test_who_asks_while_the_keys_are_fetched_waits_for_them() -> None:
    fetching, go_on = threading.Event(), threading.Event()
    provider = IdentityProvider([KEYS[0]])
    ticks = Ticks()

    def slow() -> bytes:
        if provider.asked:
            fetching.set()
            go_on.wait(30)
        return provider.fetch()

    keys = ProviderKeys(slow, ALGORITHMS, ticks)
    assert ask(keys, "key-0")
    provider.keys = [KEYS[0], KEYS[1]]
    ticks.now += COOLDOWN
    found: list[bool] = []
    askers = [threading.Thread(target=lambda: found.append(ask(keys, "key-1"))) for _ in range(3)]
    for each in askers:
        each.start()
    fetching.wait(30)
    # Meanwhile those with a known key are not held up.
    assert keys.find("key-0").kid == "key-0"
    go_on.set()
    for each in askers:
        each.join()
    assert found == [True, True, True]
    assert provider.asked == 2


def test_who_asked_while_the_keys_were_fetched_does_not_fetch_them_again() -> None:
    provider, ticks = IdentityProvider([KEYS[0]]), Ticks()

    def slow() -> bytes:
        """Meanwhile others ask for a key, and are sent to wait for this to come to its end."""
        ticks.now += 1
        with pytest.raises(KeysWanted):
            keys.find("made up")
        return provider.fetch()

    keys = ProviderKeys(slow, ALGORITHMS, ticks)
    keys.refresh()
    ticks.now += 1
    keys.refresh()
    assert provider.asked == 1
    ticks.now += COOLDOWN
    keys.refresh()
    assert provider.asked == 2


def test_a_token_under_a_key_of_a_rotation_is_taken() -> None:
    provider, ticks = IdentityProvider([KEYS[0]]), Ticks()
    checked = tokens(provider, ticks)
    token = signed({"alg": "ES256", "typ": "at+jwt", "kid": "key-1"}, claims(iss=PROVIDER), KEYS[1])
    checked.refresh()
    provider.keys = [KEYS[1]]
    ticks.now += COOLDOWN
    with pytest.raises(KeysWanted):
        checked.caller(token)
    checked.refresh()
    assert checked.caller(token).subject == "rosa"


PUBLIC = rsa_key("good").as_dict(private=False)


@pytest.mark.parametrize(
    "left_out",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "x"},
        {**PUBLIC, "kid": "x", "use": "enc"},
        {**PUBLIC, "kid": "x", "alg": "RS512"},
        {**PUBLIC, "kid": "x", "n": PUBLIC["n"][:170]},
        {**PUBLIC, "kid": "x", "n": "A" * 5000},
        {**PUBLIC, "kid": "x" * 201},
        {**PUBLIC, "kid": 7},
        {**PUBLIC, "kid": ""},
        {name: value for name, value in PUBLIC.items() if name != "kid"},
        {**rsa_key("x").as_dict(private=True), "kid": "x"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "x"},
        {"kty": "new", "kid": "x"},
        {"kid": "x"},
        [],
        "x",
        None,
    ],
)
def test_what_is_no_public_key_for_signatures_is_left_out(left_out: object) -> None:
    keys = read_keys(json.dumps({"keys": [left_out, PUBLIC]}).encode(), ALGORITHMS)
    assert list(keys) == ["good"]


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": []}', b"\xff"])
def test_what_is_no_set_of_keys_is_an_error(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  each says something else
        read_keys(content, ALGORITHMS)


def test_of_a_set_without_end_only_the_first_hundred_are_read() -> None:
    many = [{**KEYS[0].as_dict(private=False), "kid": str(number)} for number in range(500)]
    assert len(read_keys(json.dumps({"keys": many}).encode(), ALGORITHMS)) == 100


class _Elsewhere(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/keys")
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"x" * (300_000 if self.path == "/large" else 3))

    def log_message(self, *_: object) -> None:
        pass


def test_keys_are_fetched_from_where_they_are_said_to_be_and_from_nowhere_else() -> None:
    server = HTTPServer(("127.0.0.1", 0), _Elsewhere)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    at = f"http://127.0.0.1:{server.server_port}"
    try:
        assert fetch_from(f"{at}/keys")() == b"xxx"
        with pytest.raises(OSError, match="302"):
            fetch_from(f"{at}/moved")()
        with pytest.raises(ValueError, match="larger"):
            fetch_from(f"{at}/large")()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    with pytest.raises(OSError, match="refused"):
        fetch_from(f"{at}/keys")()
