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

import structlog

from ledger.single import NotRead
from readmodel.front.hands import Hands
from readmodel.hot.answers import Forms, Rendered
from readmodel.hot.cache import ItemCache, covers
from readmodel.hot.guest import END, Beginnings, Guest, Told, named
from readmodel.hot.heads import Head, Heads
from readmodel.hot.row import ItemMoments, ItemRow, ItemRows
from readmodel.scopes import NEEDED
from runtime.measures import Requests
from runtime.positions import Position

_GET, _HEAD = b"GET /items/", b"HEAD /items/"
_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}")
_ROUTE, _TEMPLATE = "/items/<item_id>", "/items/{item_id}"
_COUNTED = tuple((method, status) for method in ("GET", "HEAD") for status in ("200", "304"))

log = structlog.get_logger("readmodel")


@dataclass(frozen=True, slots=True)
class _Asked:
    guest: Guest
    data: bytes
    item_id: str
    method: str
    head: Head


class ItemDesk:
    """Answers from `cache` and from one of the stores. To be used from one loop. On SQLite, which
    is read by the loop, memory is used only where the cache has heard of all that was committed; on
    PostgreSQL it is as late as what workers tell.
    """

    def __init__(
        self,
        heads: Heads,
        requests: Requests,
        cache: ItemCache,
        store: ItemMoments | ItemRows,
        hands: Hands,
    ) -> None:
        self._heads = heads
        self._requests = requests
        self._cache = cache
        self._store = store
        self._hands = hands
        self._forms = Forms()
        self._needed = NEEDED[_ROUTE]
        self._asked: list[_Asked] = []
        self._begun = 0.0
        self._is_due = False
        # Those that wait for the hand that reads, on PostgreSQL.
        self._missing: list[_Asked] = []
        self._is_reading = False
        self._begin = Beginnings()

    def take(self, guest: Guest, data: bytes, always: Told) -> bool:
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
        if end < 0 or data[-4:] != END or _ID.fullmatch(name) is None:
            return False
        head = self._heads.read(data[end:])
        if head is None or (head.prefers and head.token is not None):
            return False
        if not self._heads.may_read(head, self._needed):
            return False
        self._begin.take(always)
        self._asked.append(_Asked(guest, data, name.decode(), method, head))
        if not self._is_due:
            self._is_due = True
            self._begun = perf_counter()
            asyncio.get_running_loop().call_soon(self._look)
        return True

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
            answer = self._begin.bare + rendered.wire_bare
        else:
            counts[method, "200"] += 1
            answer = self._begin.whole + (rendered.wire if method == "GET" else rendered.wire_head)
        asked.guest.answer(named(answer, head.named))

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
