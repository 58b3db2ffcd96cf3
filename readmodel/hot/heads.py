"""What the head of a request says, behind its path: read once for all that send the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httptools

from readmodel.guard import Doorkeeper
from runtime.auth.denied import Denied
from runtime.heads import is_host
from runtime.positions import MalformedToken, Position
from runtime.request_ids import HEADER, read_request_id

# A head that was seen before need not be read again: most clients send the same every time.
_HEADS, _HEAD_SIZE = 1024, 2048
# What has a meaning that the loop does not know.
_OTHERS = frozenset({"accept-datetime", "expect", "content-length", "transfer-encoding", "upgrade"})
_REQUEST_ID = HEADER.lower()
# What a path may be at most that is asked for with a head that was read before.
LONGEST_PATH = 1024


@dataclass(frozen=True, slots=True)
class Head:
    """What the headers of a request say. `prefers` something of the answer, as to wait; `environ`
    is what the door looks at each time, where tokens are wanted; `named` the header that repeats
    the id that the request came with.
    """

    condition: str | None = None
    token: Position | None = None
    prefers: bool = False
    environ: Mapping[str, Any] | None = None
    named: bytes = b""


class Heads:
    """Reads heads. To be used from one loop."""

    def __init__(self, door: Doorkeeper) -> None:
        self._door = door
        self._known: dict[bytes, Head | None] = {}

    def read(self, text: bytes) -> Head | None:
        """Read the head of a request from behind its path on; `None` where somebody else is to
        answer, or to say why not.
        """
        if text in self._known:
            return self._known[text]
        found = _Parsed.of(text)
        head = None if found is None else self._head(found)
        # Ids are never the same again.
        if len(text) <= _HEAD_SIZE and not (head and head.named):
            if len(self._known) >= _HEADS:
                self._known.clear()
            self._known[text] = head
        return head

    def may_read(self, head: Head, needed: Sequence[str]) -> bool:
        """Say whether who asks may, for certain: tokens end, and are revoked."""
        environ = head.environ
        return environ is None or self._door.may_stay_at_once(environ, needed) is True

    def _head(self, headers: Mapping[str, str]) -> Head | None:
        if not _OTHERS.isdisjoint(headers):
            return None
        host = headers.get("host")
        if host is None or not is_host(host.encode("latin-1")):
            return None  # The server says why.
        environ = {f"HTTP_{name.upper().replace('-', '_')}": headers[name] for name in headers}
        try:
            self._door.check({**environ, "PATH_INFO": "/" * LONGEST_PATH})
            sent = headers.get("consistency-token")
            token = None if sent is None else Position.from_token(sent)
        except (Denied, MalformedToken):
            return None  # Flask says why.
        asks = environ if self._door.wants_tokens else None
        sent_id = read_request_id(headers.get(_REQUEST_ID))
        named = b"" if sent_id is None else f"{_REQUEST_ID}: {sent_id}\r\n".encode()
        return Head(headers.get("if-none-match"), token, "prefer" in headers, asks, named)


class _Parsed:
    """Takes apart what comes behind the path of a request, by the parser of the server."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.begun = 0
        self.whole = False
        self.twice = False
        self.is_kept = False
        self._parser = httptools.HttpRequestParser(self)

    @classmethod
    def of(cls, text: bytes) -> Mapping[str, str] | None:
        """Read headers, names in small letters; `None` where it is anything but one request without
        a body on a connection that is kept, or says something twice.
        """
        parsed = cls()
        try:
            parsed._parser.feed_data(b"GET /items/x" + text)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return None
        plain = parsed.whole and parsed.begun == 1 and not parsed.twice and parsed.is_kept
        return parsed.headers if plain else None

    def on_message_begin(self) -> None:
        self.begun += 1

    def on_header(self, name: bytes, value: bytes) -> None:
        if b"_" in name:
            return  # As for Flask: it would be taken for another there.
        known = name.decode("latin-1").lower()
        self.twice = self.twice or known in self.headers
        self.headers[known] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        parser = self._parser
        self.is_kept = parser.get_http_version() == "1.1" and parser.should_keep_alive()

    def on_message_complete(self) -> None:
        self.whole = True
