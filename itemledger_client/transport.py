"""What both clients take from httpx, and how they see it."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import httpx

from itemledger_client.session import OwnWrites, Session
from itemledger_client.steps import Answer, Broken, Request
from itemledger_client.tokens import Tokens

COMMAND_URL, QUERY_URL = "http://127.0.0.1:8000", "http://127.0.0.1:8001"
# Hosts that no proxy of the environment stands before.
DIRECT = ("all://127.0.0.1", "all://localhost", "all://[::1]")
# Bytes of an upload that are read at once.
PIECE = 1 << 16

Token: TypeAlias = str | Callable[[], str | None] | None

_CONNECT = 10.0
# Nothing of the request went out.
_NOT_REACHED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
# Mistakes of who asks, which are the same at the next try.
OWN_MISTAKES = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.TooManyRedirects)


@dataclass(slots=True)
class Count:
    """How many bytes of an upload went out."""

    sent: int = 0


def session_of(
    command_url: str,
    query_url: str,
    token: Token,
    timeout: float,
    patience: float,
    own_writes: OwnWrites,
    tokens: Tokens,
) -> Session:
    """Raises ValueError where a URL is none of a service."""
    return Session(
        _checked(command_url),
        _checked(query_url),
        token if callable(token) else lambda: token,
        timeout,
        patience,
        own_writes,
        tokens,
    )


def built(
    http: httpx.Client | httpx.AsyncClient, request: Request, content: object
) -> httpx.Request:
    return http.build_request(
        request.method,
        request.url,
        params=dict(request.params),
        headers=dict(request.headers),
        content=content,  # pyright: ignore[reportArgumentType]  what goes with the kind of client
        timeout=httpx.Timeout(request.timeout, connect=min(request.timeout, _CONNECT)),
    )


def answer_of(response: httpx.Response, content: bytes) -> Answer:
    headers: Mapping[str, str] = {name.lower(): each for name, each in response.headers.items()}
    return Answer(response.status_code, headers, content)


def broken(error: httpx.RequestError, count: Count) -> Broken:
    said = " ".join(str(error).split())
    return Broken(said or type(error).__name__, not isinstance(error, _NOT_REACHED), count.sent)


class Lines:
    """Cuts a stream into lines at line feeds alone: within texts there may be other separators."""

    def __init__(self) -> None:
        self._begun = b""
        self._whole: deque[bytes] = deque()

    def take(self, piece: bytes) -> None:
        *whole, self._begun = (self._begun + piece).split(b"\n")
        self._whole.extend(line.removesuffix(b"\r") for line in whole)

    def next(self) -> bytes | None:
        """Take the next whole line, `None` where there is none yet."""
        return self._whole.popleft() if self._whole else None


def _checked(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ValueError(f"{url!r} is no URL of a service: {error}") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ValueError(f"{url!r} is no URL of a service: it begins with http:// or https://")
    return url.rstrip("/")
