"""Items by their ids, answered by the loop itself: all that are asked for in one turn of it by one
look at the store. Nothing is parsed that was parsed before, and Flask is not asked.

A request is looked at when all of it has come, and the store after that: what was committed before
it was sent is seen.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

import httptools
import structlog

from ledger.single import NotRead
from readmodel.front.hands import Hands
from readmodel.guard import Doorkeeper
from readmodel.hot.answers import Forms, Rendered
from readmodel.hot.cache import ItemCache, covers
from readmodel.hot.row import ItemMoments, ItemRow, ItemRows
from readmodel.scopes import NEEDED
from runtime.auth.denied import Denied
from runtime.measures import Requests
from runtime.positions import MalformedToken, Position
from runtime.request_ids import HEADER, read_request_id

_GET, _HEAD = b"GET /items/", b"HEAD /items/"
_NEXT, _END = b"\r\n", b"\r\n\r\n"
_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}")
_ROUTE, _TEMPLATE = "/items/<item_id>", "/items/{item_id}"
# A head that was seen before need not be read again: most clients send the same every time.
_HEADS, _HEAD_SIZE = 1024, 2048
_WHOLE, _BARE = b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 304 Not Modified\r\n"
# What has a meaning for an item that the loop does not know.
_OTHERS = frozenset({"accept-datetime", "expect", "content-length", "transfer-encoding", "upgrade"})
_REQUEST_ID = HEADER.lower()
# What asks to wait for one's own write.
_WAITS = {"consistency-token", "prefer"}
_COUNTED = tuple((method, status) for method in ("GET", "HEAD") for status in ("200", "304"))

log = structlog.get_logger("readmodel")


class Guest(Protocol):
    """The connection that a request came by."""

    def answer(self, data: bytes) -> None:
        """Send an answer, whole."""

    def pass_on(self, data: bytes) -> None:
        """Have a request answered as any other."""


@dataclass(frozen=True, slots=True)
class _Head:
    """What the headers of a request say. `environ` is what the door looks at each time, where
    tokens are wanted; `named` the header that repeats the id that the request came with.
    """

    condition: str | None = None
    token: Position | None = None
    environ: Mapping[str, Any] | None = None
    named: bytes = b""


@dataclass(frozen=True, slots=True)
class _Asked:
    guest: Guest
    data: bytes
    item_id: str
    method: str
    head: _Head


class Desk:
    """Answers from `cache` and from one of the stores. To be used from one loop. On SQLite, which
    is read by the loop, memory is used only where the cache has heard of all that was committed; on
    PostgreSQL it is as late as what workers tell.
    """

    def __init__(
        self,
        door: Doorkeeper,
        requests: Requests,
        cache: ItemCache,
        store: ItemMoments | ItemRows,
        hands: Hands,
    ) -> None:
        self._door = door
        self._requests = requests
        self._cache = cache
        self._store = store
        self._hands = hands
        self._forms = Forms()
        self._needed = NEEDED[_ROUTE]
        self._heads: dict[bytes, _Head | None] = {}
        self._asked: list[_Asked] = []
        self._begun = 0.0
        self._is_due = False
        # Those that wait for the hand that reads, on PostgreSQL.
        self._missing: list[_Asked] = []
        self._is_reading = False
        self._always: Sequence[tuple[bytes, bytes]] = ()
        self._whole, self._bare = _WHOLE, _BARE

    def take(self, guest: Guest, data: bytes, always: Sequence[tuple[bytes, bytes]]) -> bool:
        """Take in bytes that a client has sent where a request may begin; `False` where they are
        not a whole one for an item. `always` are the headers that the server sends with all
        answers.
        """
        if data[:11] == _GET:
            start, method = 11, "GET"
        elif data[:12] == _HEAD:
            start, method = 12, "HEAD"
        else:
            return False
        end = data.find(b" ", start, start + 65)
        name = data[start:end]
        if end < 0 or data[-4:] != _END or _ID.fullmatch(name) is None:
            return False
        text = data[end:]
        head = self._heads[text] if text in self._heads else self._read(text)
        if head is None or (head.environ is not None and not self._may_read(head.environ)):
            return False
        if always is not self._always:
            self._always = always
            lines = b"".join(b"%b: %b\r\n" % each for each in always)
            self._whole, self._bare = _WHOLE + lines, _BARE + lines
        self._asked.append(_Asked(guest, data, name.decode(), method, head))
        if not self._is_due:
            self._is_due = True
            self._begun = perf_counter()
            asyncio.get_running_loop().call_soon(self._look)
        return True

    def _may_read(self, environ: Mapping[str, Any]) -> bool:
        return self._door.may_stay_at_once(environ, self._needed) is True

    def _read(self, text: bytes) -> _Head | None:
        """Read the head of a request from behind its path on; `None` where it is not for us."""
        found = _Parsed.of(text)
        head = None if found is None else self._head(found)
        # Ids are never the same again.
        if len(text) <= _HEAD_SIZE and not (head and head.named):
            if len(self._heads) >= _HEADS:
                self._heads.clear()
            self._heads[text] = head
        return head

    def _head(self, headers: Mapping[str, str]) -> _Head | None:
        if not _OTHERS.isdisjoint(headers) or headers.keys() >= _WAITS:
            return None
        environ = {f"HTTP_{name.upper().replace('-', '_')}": headers[name] for name in headers}
        try:
            self._door.check({**environ, "PATH_INFO": "/items/"})
            sent = headers.get("consistency-token")
            token = None if sent is None else Position.from_token(sent)
        except (Denied, MalformedToken):
            return None  # Flask says why.
        asks = environ if self._door.wants_tokens else None
        sent_id = read_request_id(headers.get(_REQUEST_ID))
        named = b"" if sent_id is None else f"{_REQUEST_ID}: {sent_id}\r\n".encode()
        return _Head(headers.get("if-none-match"), token, asks, named)

    def _look(self) -> None:
        """Answer what was asked in this turn of the loop."""
        asked, self._asked = self._asked, []
        self._is_due = False
        begun, store = self._begun, self._store
        if isinstance(store, ItemRows):
            self._look_by_hand(store, asked, begun)
            return
        rows: Mapping[str, ItemRow] = {}
        known: list[Rendered | None] = [None] * len(asked)
        try:
            if self._cache.is_on and store.has_all(self._cache):
                known = self._remembered(asked)
            missing = _missing(asked, known)
            rows = store.read_several(missing) if missing else {}
        except Exception as error:  # noqa: BLE001  Flask reads another way, and says what is to be said
            _not_read(error)
        self._answer(asked, known, rows, begun)

    def _look_by_hand(self, store: ItemRows, asked: list[_Asked], begun: float) -> None:
        """Answer from memory, and have the rest read by a hand: one reads, and what is asked for
        meanwhile is read by the next one together.
        """
        known = self._remembered(asked) if self._cache.is_on else [None] * len(asked)
        pairs = list(zip(asked, known, strict=True))
        self._missing += [each for each, found in pairs if found is None]
        there = [each for each, found in pairs if found is not None]
        self._answer(there, [found for found in known if found is not None], {}, begun)
        self._begin_to_read(store, begun)

    def _begin_to_read(self, store: ItemRows, begun: float) -> None:
        if self._is_reading or not self._missing:
            return
        self._is_reading, now = True, perf_counter()
        asked, self._missing = self._missing, []
        nothing: list[Rendered | None] = [None] * len(asked)
        item_ids = _missing(asked, nothing)

        def was_read(reading: asyncio.Future[dict[str, ItemRow]]) -> None:
            self._is_reading = False
            rows: Mapping[str, ItemRow] = {}
            try:
                rows = reading.result()
            except Exception as error:  # noqa: BLE001  as above
                _not_read(error)
            try:
                self._answer(asked, nothing, rows, begun)
            finally:
                # Who has asked meanwhile waits for it.
                self._begin_to_read(store, now)

        reading = self._hands.do(lambda: store.read_several(item_ids))
        reading.add_done_callback(was_read)

    def _remembered(self, asked: Sequence[_Asked]) -> list[Rendered | None]:
        find = self._cache.find
        return [find(each.item_id, each.head.token) for each in asked]

    def _answer(
        self,
        asked: Sequence[_Asked],
        known: Sequence[Rendered | None],
        rows: Mapping[str, ItemRow],
        begun: float,
    ) -> None:
        """Send the answers, each from what was known or from its row; what has neither is passed
        on.
        """
        made: dict[str, Rendered] = {}
        counts = dict.fromkeys(_COUNTED, 0)
        hits = 0
        for each, found in zip(asked, known, strict=True):
            hits += found is not None
            try:
                self._answer_one(each, found or self._rendered(each, rows, made), counts)
            except Exception:
                # The others have asked as well.
                log.exception("an answer could not be given")
        self._count(counts, hits, len(asked) - hits, perf_counter() - begun)

    def _answer_one(
        self, asked: _Asked, rendered: Rendered | None, counts: dict[tuple[str, str], int]
    ) -> None:
        if rendered is None:
            asked.guest.pass_on(asked.data)
            return
        head, method = asked.head, asked.method
        if head.condition is not None and rendered.is_had(head.condition):
            counts[method, "304"] += 1
            answer = self._bare + rendered.wire_bare
        else:
            counts[method, "200"] += 1
            answer = self._whole + (rendered.wire if method == "GET" else rendered.wire_head)
        if head.named:
            lines, _, body = answer.partition(_END)
            answer = b"".join((lines, _NEXT, head.named, _NEXT, body))
        asked.guest.answer(answer)

    def _rendered(
        self, asked: _Asked, rows: Mapping[str, ItemRow], made: dict[str, Rendered]
    ) -> Rendered | None:
        row = rows.get(asked.item_id)
        if row is None or not _has(row, asked.head.token):
            return None
        rendered = made.get(asked.item_id)
        if rendered is None:
            rendered = made[asked.item_id] = Rendered(row.version, row.body, self._forms)
            self._cache.keep(asked.item_id, row, rendered)
        return rendered

    def _count(
        self, counts: Mapping[tuple[str, str], int], hits: int, misses: int, seconds: float
    ) -> None:
        # All of a turn took as long as the first of it.
        for (method, status), times in counts.items():
            if times:
                self._requests.count(method, _TEMPLATE, status, seconds, times)
        if hits:
            self._cache.count(hit=True, times=hits)
        if misses:
            self._cache.count(hit=False, times=misses)


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


def _missing(asked: Sequence[_Asked], known: Sequence[Rendered | None]) -> list[str]:
    """Name each item once that is not known."""
    pairs = zip(asked, known, strict=True)
    return list(dict.fromkeys(each.item_id for each, found in pairs if found is None))


def _has(row: ItemRow, token: Position | None) -> bool:
    """Say whether what was read has the token's command, for certain."""
    if token is None:
        return True
    return row.is_in_step and covers(row.partition, row.point, row.lost_upto, token)


def _not_read(error: Exception) -> None:
    if isinstance(error, NotRead):
        log.debug("items could not be read by the short way", error=str(error))
    else:
        # A defect must not leave those without an answer who asked in the same turn.
        log.error("a look at items failed", exc_info=error)
