"""What the value of a setting may be; a wrong one is told without showing it."""

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

# HMAC-SHA-256 is as strong as 32 bytes at best.
SECRET_LENGTH = 32
# Of an identity provider, whose keys are public: none that signs with what everybody knows.
PROVIDER_ALGORITHMS = frozenset(
    {
        *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
        *("ES256", "ES384", "ES512", "Ed25519", "EdDSA"),
    }
)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_CURRENCY = re.compile("[A-Z]{3}")
# As the library `limits` reads it.
_RATE = re.compile(
    r"[1-9][0-9]{0,8} ?(?:/|per) ?(?:[1-9][0-9]{0,3} ?)?(?:second|minute|hour|day)s?"
)


def _check_place(url: str) -> None:
    """Refuse a URL whose password ends elsewhere than it looks: a driver would tell parts of it."""
    rest = url.partition("://")[2]
    place = re.split("[/?#]", rest, maxsplit=1)[0]
    path = rest.removeprefix(place).partition("?")[0]
    try:
        broken = urlsplit(f"//{place}").port == 0
    except ValueError:
        broken = True
    if "@" in path or place.count("@") > 1 or (broken and "@" in rest):
        raise ValueError("`@`, `/` and `:` in a password must be percent-encoded (%40, %2F, %3A)")
    if broken:
        raise ValueError("must have a host and a port that is a number")


def _web_url(url: str, such_as: str) -> str:
    _check_place(url)
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise ValueError(f"must be http:// or https:// and a host, such as {such_as}")
    return url


def _command_url(url: str) -> str:
    return _web_url(url, "http://127.0.0.1:8000")


def _query_url(url: str) -> str:
    return _web_url(url, "http://127.0.0.1:8001")


def _jwks_url(url: str) -> str:
    parsed = urlsplit(_web_url(url, "https://login.example/keys"))
    if parsed.username is not None or parsed.password is not None:
        raise ValueError("must not hold a user or a password: it is public what is there")
    if parsed.scheme != "https" and parsed.hostname not in _LOOPBACK:
        raise ValueError("must be https://: who changes it on the way could sign anything")
    return url


def _secret(secret: str) -> str:
    # Counted in characters, which are bytes at least.
    if len(secret) < SECRET_LENGTH:
        raise ValueError(f"must have at least {SECRET_LENGTH} characters (openssl rand -base64 32)")
    return secret


def _secret_file(file: Path) -> Path:
    try:
        secret = file.read_text("utf-8").strip()
    except (OSError, ValueError):
        raise ValueError("must be a file that can be read, with a secret in it") from None
    _secret(secret)
    return file.absolute()


def _domain(name: str) -> str:
    if not _DOMAIN.fullmatch(name):
        raise ValueError("must be a domain in small letters, such as shop.example")
    return name


def _currency(code: str) -> str:
    if not _CURRENCY.fullmatch(code):
        raise ValueError("must be three capital letters, such as EUR")
    return code


def _algorithms(names: str) -> str:
    asked = [each.strip() for each in names.split(",")]
    if not set(asked) <= PROVIDER_ALGORITHMS:
        raise ValueError(f"must be some of {', '.join(sorted(PROVIDER_ALGORITHMS))}, by commas")
    return ",".join(asked)


def _rate(limit: str) -> str:
    if not _RATE.fullmatch(limit):
        raise ValueError("must be a number per time, such as 100/second or 1000 per 5 minutes")
    return limit


def _redis_url(url: str) -> str:
    if not url.startswith(("redis://", "rediss://", "unix://")) or " " in url:
        raise ValueError("must be redis://…, rediss://… or unix:///…, without spaces")
    if not url.startswith("unix:"):
        _check_place(url)
    return url


def _database_url(url: str) -> str:
    scheme, _, rest = url.partition("://")
    if scheme in {"postgres", "postgresql"}:
        raise ValueError(f"must begin with postgresql+psycopg:// in place of {scheme}://")
    if scheme not in {"sqlite", "postgresql+psycopg"}:
        raise ValueError("must be sqlite:///FILE or postgresql+psycopg://…")
    if scheme == "postgresql+psycopg":
        _check_place(url)
    elif not re.match(r"/[^?]", rest) or ":memory:" in rest or "mode=memory" in rest:
        raise ValueError("must name a file (sqlite:///FILE): several processes share it")
    return url


Port = Annotated[int, Field(ge=1, le=65535)]
Currency = Annotated[str, AfterValidator(_currency)]
Domain = Annotated[str, AfterValidator(_domain)]
CommandUrl = Annotated[str, AfterValidator(_command_url)]
QueryUrl = Annotated[str, AfterValidator(_query_url)]
RedisUrl = Annotated[str, AfterValidator(_redis_url)]
DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
JwksUrl = Annotated[str, AfterValidator(_jwks_url)]
Secret = Annotated[str, AfterValidator(_secret)]
SecretFile = Annotated[Path, AfterValidator(_secret_file)]
Algorithms = Annotated[str, AfterValidator(_algorithms)]
Rate = Annotated[str, AfterValidator(_rate)]
