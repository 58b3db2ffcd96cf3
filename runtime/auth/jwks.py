"""The keys of an identity provider: fetched, kept for a while, and fetched again when it rotates
them, but never more often than a flood of unknown keys could make us.
"""

import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPMessage
from typing import Any, TypeGuard, cast
from urllib.parse import urlsplit

import orjson
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key

from runtime.auth.denied import KeysWanted, bad_token, undecided
from runtime.auth.exposure import is_this_machine
from runtime.errors import first_line

# Seconds. Keys older than this are not used, and from half of it on they are fetched anew.
MAX_AGE = 15 * 60
REFRESH_AFTER = MAX_AGE / 2
# Between two fetches for the sake of a key that is not known, and while there are no keys at all.
COOLDOWN = 30
_COOLDOWN_WITHOUT_KEYS = 5

_TIMEOUT = 3.0
_LONGEST_FETCH = 6.0
_LARGEST_SET = 256 * 1024
_MOST_KEYS = 100
_KEY_ID_LIMIT = 200
# Of an RSA modulus in base64url: 2,048 to 16,384 bits.
_MODULUS = range(342, 2732)

log = structlog.get_logger()

Fetch = Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class _Held:
    keys: Mapping[str, Key]
    since: float


class ProviderKeys:
    """Keys by their id; `algorithms` are those that tokens may be signed with."""

    def __init__(
        self, fetch: Fetch, algorithms: frozenset[str], monotonic: Callable[[], float]
    ) -> None:
        self._fetch = fetch
        self._algorithms = algorithms
        self._monotonic = monotonic
        self._held: _Held | None = None
        self._attempted: float | None = None
        self._fetching = False
        self._one_at_a_time = threading.Lock()

    def find(self, key_id: str) -> Key:
        """Find a key. Raises KeysWanted where `refresh` may bring it, else Denied."""
        now = self._monotonic()
        fresh = self._fresh(now)
        found = None if fresh is None else fresh.keys.get(key_id)
        if self._is_due(now, fresh, found) or (found is None and self._fetching):
            raise KeysWanted
        if fresh is None:
            raise undecided(
                "the identity provider's keys are not to be had", _COOLDOWN_WITHOUT_KEYS
            )
        if found is None:
            raise bad_token("the token is signed with a key that is not known")
        return found

    def refresh(self) -> None:
        """Fetch the keys, or wait for who does it already. It may take seconds."""
        asked = self._monotonic()
        with self._one_at_a_time:
            if self._attempted is not None and self._attempted >= asked:
                return
            now = self._monotonic()
            if self._cooling(now, self._fresh(now)):
                return
            self._attempted, self._fetching = now, True
            try:
                keys = read_keys(self._fetch(), self._algorithms)
                self._held = _Held(keys, now)
            except (OSError, ValueError) as error:
                log.warning(
                    "the identity provider's keys are not to be had", error=first_line(error)
                )
            finally:
                self._fetching = False

    def _fresh(self, now: float) -> _Held | None:
        held = self._held
        return held if held is not None and now - held.since < MAX_AGE else None

    def _is_due(self, now: float, fresh: _Held | None, found: Key | None) -> bool:
        if self._cooling(now, fresh):
            return False
        return fresh is None or found is None or now - fresh.since >= REFRESH_AFTER

    def _cooling(self, now: float, fresh: _Held | None) -> bool:
        cooldown = _COOLDOWN_WITHOUT_KEYS if fresh is None else COOLDOWN
        return self._attempted is not None and now - self._attempted < cooldown


def read_keys(content: bytes, algorithms: frozenset[str]) -> Mapping[str, Key]:
    """Read a JWK set (RFC 7517, 5); what in it is not a public key for signatures is left out.

    Raises ValueError where it is none, or nothing in it can be used.
    """
    document: Any = orjson.loads(content)
    listed: Any = document.get("keys") if _is_object(document) else None
    keys: dict[str, Key] = {}
    for each in cast("list[Any]", listed)[:_MOST_KEYS] if isinstance(listed, list) else ():
        if _is_object(each) and _is_usable(each, algorithms):
            try:
                keys.setdefault(each["kid"], JWKRegistry.import_key(each))
            except (JoseError, ValueError, TypeError):
                continue
    if not keys:
        raise ValueError("the JWK set has no key that can be used")
    return keys


def _is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_usable(key: Mapping[str, Any], algorithms: frozenset[str]) -> bool:
    key_id, modulus = key.get("kid"), key.get("n")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= _KEY_ID_LIMIT:
        return False
    if key.get("use", "sig") != "sig" or "d" in key:
        return False
    if "alg" in key and key["alg"] not in algorithms:
        return False
    if key.get("kty") == "RSA":
        return isinstance(modulus, str) and len(modulus) in _MODULUS
    # Never "oct": who knows the set could sign with it.
    return key.get("kty") in {"EC", "OKP"}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: object, fp: object, code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """Follow nobody: the keys are where the operator said, or nowhere."""


def fetch_from(url: str) -> Fetch:
    """Make the function that fetches a JWK set; it raises OSError or ValueError."""
    handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
    if is_this_machine(urlsplit(url).hostname or ""):
        # No proxy of the environment stands between us and this machine.
        handlers.append(urllib.request.ProxyHandler({}))
    opener = urllib.request.build_opener(*handlers)
    request = urllib.request.Request(  # noqa: S310  https, as the settings have seen to
        url, headers={"Accept": "application/jwk-set+json, application/json"}
    )

    def fetch() -> bytes:
        deadline = time.monotonic() + _LONGEST_FETCH
        with opener.open(request, timeout=_TIMEOUT) as response:
            content = b""
            while part := response.read1(_LARGEST_SET):
                content += part
                if len(content) > _LARGEST_SET:
                    raise ValueError(f"the JWK set is larger than {_LARGEST_SET} bytes")
                if time.monotonic() > deadline:
                    raise TimeoutError("the JWK set came too slowly")
        return content

    return fetch
