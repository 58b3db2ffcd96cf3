"""Lists that were answered a moment ago, answered again: for as long as nothing was committed."""

from collections.abc import Callable
from time import perf_counter

from ledger.single import NotRead
from readmodel.front.asked import (
    LISTS,
    REQUEST_ID,
    Application,
    asks_for_list,
    environ_of,
    request_id_of,
)
from readmodel.front.bridge import Message, Receive, Scope, Send
from readmodel.front.list_memory import Headers, Kept, Key, ListMemory
from readmodel.guard import Doorkeeper
from readmodel.scopes import NEEDED
from runtime.measures import Requests

# Nothing in an answer comes of these, but that an id is repeated.
_UNREAD = frozenset({REQUEST_ID, b"user-agent", b"traceparent", b"tracestate"})
_KEPT = (200, 304)
# Headers and their bytes up to which a request is looked at: nobody's are more, and nothing is
# refused for that length.
_MOST_HEADERS, _MOST_BYTES = 50, 8 * 1024

# Tells what stays the same as long as nobody has committed anything. Raises NotRead.
Version = Callable[[], object]


class Remembered:
    """An ASGI application around one that reads. To be used from one loop, which `version` must not
    hold up.
    """

    def __init__(
        self,
        app: Application,
        version: Version,
        door: Doorkeeper,
        requests: Requests,
        memory: ListMemory,
    ) -> None:
        self._app = app
        self._version = version
        self._door = door
        self._requests = requests
        self._memory = memory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = perf_counter()
        key = _key(scope)
        version = None if key is None else self._now()
        if key is None or version is None:
            await self._app(scope, receive, send)
            return
        kept = self._memory.find(key, version)
        if kept is None or not self._may_read(key):
            await self._app(scope, receive, self._noting(key, version, send))
            return
        headers = [*kept.headers, *_named(scope)]
        await send({"type": "http.response.start", "status": kept.status, "headers": headers})
        await send({"type": "http.response.body", "body": kept.body})
        self._requests.count("GET", LISTS, str(kept.status), perf_counter() - begun)

    def _now(self) -> object:
        try:
            return self._version()
        except NotRead:
            return None

    def _may_read(self, key: Key) -> bool:
        """Say whether who was let in then still is: tokens end, and are revoked."""
        if not self._door.wants_tokens:
            return True
        return self._door.may_stay_at_once(environ_of(key[1]), NEEDED[LISTS]) is True

    def _noting(self, key: Key, version: object, send: Send) -> Send:
        """Send an answer, and keep it if it is one in one piece."""
        begun: tuple[int, Headers] | None = None

        async def note(message: Message) -> None:
            nonlocal begun
            await send(message)
            if message["type"] == "http.response.start":
                status: int = message["status"]
                plain = [each for each in message["headers"] if each[0].lower() != REQUEST_ID]
                begun = (status, tuple(plain)) if status in _KEPT else None
            elif begun is not None and not message.get("more_body", False):
                self._memory.keep(key, Kept(version, *begun, message.get("body", b"")))
            else:
                begun = None

        return note


def _key(scope: Scope) -> Key | None:
    """Tell what an answer depends on, beside the store; `None` where it is not kept."""
    if not asks_for_list(scope):
        return None
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    size = sum([len(name) + len(value) for name, value in headers])
    if len(headers) > _MOST_HEADERS or size > _MOST_BYTES:
        return None
    return scope["query_string"], tuple([each for each in headers if each[0] not in _UNREAD])


def _named(scope: Scope) -> Headers:
    """Repeat the id of a request."""
    request_id = request_id_of(scope["headers"])
    return () if request_id is None else ((REQUEST_ID, request_id.encode()),)
