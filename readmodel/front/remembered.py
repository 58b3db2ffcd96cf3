"""Lists that were answered a moment ago, answered again: for as long as nothing was committed."""

import sys
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from ledger.single import NotRead
from readmodel.front.bridge import Message, Receive, Scope, Send
from readmodel.guard import Doorkeeper
from readmodel.scopes import NEEDED
from runtime.measures import Requests
from runtime.request_ids import HEADER, read_request_id
from runtime.response_headers import HEADERS_LIMIT

_PATH = "/items"
# Nothing in an answer comes of these, but that an id is repeated.
_REQUEST_ID = HEADER.lower().encode()
_UNREAD = frozenset({_REQUEST_ID, b"user-agent", b"traceparent", b"tracestate"})
# What asks to wait, or comes with a body, is for others.
_OTHERS = frozenset(
    {b"prefer", b"consistency-token", b"content-length", b"transfer-encoding", b"expect"}
)
_KEPT = (200, 304)
# Bytes of headers up to which nothing is refused for their length.
_HEAD = HEADERS_LIMIT // 2
# Of the name of a header, as its length is counted.
_PREFIX = len("HTTP_")
# Bytes that Python needs for an entry, beside its texts: tuples, and places in the table.
_AROUND = 600

Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]
# Tells what stays the same as long as nobody has committed anything. Raises NotRead.
Version = Callable[[], object]
_Key = tuple[bytes, Headers]


@dataclass(slots=True)
class _Answer:
    """`version` is what the store had before it was read: what was committed after that may or may
    not be in the answer.
    """

    version: object
    start: Message
    body: bytes = b""
    is_whole: bool = False

    def size(self) -> int:
        told = sum(sys.getsizeof(part) for each in self.start["headers"] for part in each)
        return sys.getsizeof(self.body) + told + _AROUND


class Remembered:
    """An ASGI application around one that reads. It keeps at most `limit` bytes of answers; with 0
    it keeps none. To be used from one loop, which `version` must not hold up.
    """

    def __init__(
        self,
        app: Application,
        version: Version,
        door: Doorkeeper,
        requests: Requests,
        limit: int,
        *,
        wants_tokens: bool,
    ) -> None:
        self._app = app
        self._version = version
        self._door = door
        self._requests = requests
        self._limit = limit
        self._wants_tokens = wants_tokens
        self._answers: OrderedDict[_Key, _Answer] = OrderedDict()
        self._size = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = _key(scope)
        if key is None:
            await self._app(scope, receive, send)
            return
        begun = perf_counter()
        try:
            version = self._version()
        except NotRead:
            await self._app(scope, receive, send)
            return
        answer = self._answers.get(key)
        if answer is None or answer.version != version or not self._may_read(key):
            await self._app(scope, receive, self._noting(key, version, send))
            return
        self._answers.move_to_end(key)
        status: int = answer.start["status"]
        await send({**answer.start, "headers": [*answer.start["headers"], *_named(scope)]})
        await send({"type": "http.response.body", "body": answer.body})
        self._requests.count("GET", _PATH, str(status), perf_counter() - begun)

    def _may_read(self, key: _Key) -> bool:
        """Say whether who was let in then still is: tokens end, and are revoked."""
        if not self._wants_tokens:
            return True
        told = {f"HTTP_{name.decode().upper()}": value.decode("latin-1") for name, value in key[1]}
        return self._door.may_stay_at_once(told, NEEDED[_PATH]) is True

    def _noting(self, key: _Key, version: object, send: Send) -> Send:
        """Send an answer, and keep it if it is one in one piece."""
        noted: _Answer | None = None

        async def note(message: Message) -> None:
            nonlocal noted
            await send(message)
            if message["type"] == "http.response.start":
                if message["status"] in _KEPT:
                    plain = [each for each in message["headers"] if each[0].lower() != _REQUEST_ID]
                    noted = _Answer(version, {**message, "headers": plain})
            elif noted is not None and not message.get("more_body", False):
                noted.body = message.get("body", b"")
                self._keep(key, noted)
            else:
                noted = None

        return note

    def _keep(self, key: _Key, answer: _Answer) -> None:
        before = self._answers.pop(key, None)
        if before is not None:
            self._size -= before.size()
        self._answers[key] = answer
        self._size += answer.size()
        while self._size > self._limit:
            _, oldest = self._answers.popitem(last=False)
            self._size -= oldest.size()


def _key(scope: Scope) -> _Key | None:
    """Tell what an answer depends on, beside the store; `None` where it is not kept."""
    if scope["raw_path"] != b"/items" or scope["method"] != "GET":
        return None
    if sum(len(name) + len(value) + _PREFIX for name, value in scope["headers"]) > _HEAD:
        return None
    read = tuple((name, value) for name, value in scope["headers"] if name not in _UNREAD)
    if any(name in _OTHERS for name, _ in read):
        return None
    return scope["query_string"], read


def _named(scope: Scope) -> Headers:
    """Repeat the id of a request."""
    sent = [value.decode("latin-1") for name, value in scope["headers"] if name == _REQUEST_ID]
    request_id = read_request_id(",".join(sent)) if sent else None
    return [] if request_id is None else [(_REQUEST_ID, request_id.encode())]
