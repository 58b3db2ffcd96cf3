"""Lists that leave nothing out, answered by the loop itself on SQLite: with the bytes of Flask.
What has a filter may take long, and is left to Flask's threads.

What such a list says depends on its query string and on what is committed, and on nothing else: it
is answered again for as long as nothing was, whoever asks.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from time import perf_counter
from typing import Any
from urllib.parse import parse_qsl

import orjson
import structlog
from werkzeug.datastructures import MultiDict
from werkzeug.http import parse_etags

from ledger.moments import Rows, ShortReads, TakesLong, Version
from ledger.projections import Slot
from ledger.single import NotRead
from readmodel import params
from readmodel.answers import REVALIDATE, answer
from readmodel.front.asked import LISTS
from readmodel.front.list_memory import FOR_ALL, Kept, ListMemory
from readmodel.hot.answers import filled, headers_of, lines_of
from readmodel.hot.guest import END, Beginnings, Guest, Told, named
from readmodel.hot.heads import LONGEST_PATH, Heads
from readmodel.item_routes import PLAIN, written
from readmodel.list_tags import STATE, ListTags
from readmodel.paging import Paging
from readmodel.reads import LIVE
from readmodel.scopes import NEEDED
from readmodel.views import items
from readmodel.views.chosen import Filter, Sort
from readmodel.views.statements import AFTER, LIMIT, Shape, key_values, statements
from runtime.measures import Requests

_FIRST, _OTHER = b"GET /items ", b"GET /items?"
_PATH = len(b"GET /items")
# A query string in which everything is as it is written.
_QUERY = re.compile(rb"[A-Za-z0-9._=&-]*")
# Steps of the engine: four times what the longest page takes, and two milliseconds.
MOST_STEPS = 40_000
_VIEWS = orjson.dumps([items.NAME]).decode()
# Query strings that need not be read again.
_PLANS = 1024
_TAG, _LINK, _LENGTH = "ETag", "Link", "Content-Length"

log = structlog.get_logger("readmodel")


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a query string asks for: `binding` is what its cursors are bound to, and `more` the URL
    of the next page up to its cursor.
    """

    sort: Sort
    limit: int
    after: Any
    binding: tuple[object, ...]
    more: str


@dataclass(frozen=True, slots=True)
class _Stood:
    """How far the view was as of `version`, and where it is read from, if it was built."""

    version: Version
    slot: Slot | None
    state: Sequence[Any]


class ListDesk:
    """Answers from `memory` and from the store. To be used from one loop."""

    def __init__(
        self,
        heads: Heads,
        requests: Requests,
        memory: ListMemory,
        reads: ShortReads,
        paging: Paging,
        tags: ListTags,
    ) -> None:
        self._heads = heads
        self._requests = requests
        self._memory = memory
        self._reads = reads
        self._paging = paging
        self._tags = tags
        self._forms = _Forms()
        self._begin = Beginnings()
        self._needed = NEEDED[LISTS]
        self._plans: dict[bytes, _Plan | None] = {}
        # Of which version a list was that took too long.
        self._long: dict[bytes, Version | None] = {}
        self._stood: _Stood | None = None

    def take(self, guest: Guest, data: bytes, always: Told) -> bool:
        """Answer bytes that a client has sent where a request may begin; `False` where they are not
        a whole one for such a list. `always` are the headers that the server sends with all
        answers.
        """
        if data[:11] not in {_FIRST, _OTHER} or data[-4:] != END:
            return False
        begun = perf_counter()
        end = data.find(b" ", _PATH, LONGEST_PATH)
        head = None if end < 0 else self._heads.read(data[end:])
        if head is None or head.prefers or head.token is not None:
            return False
        if not self._heads.may_read(head, self._needed):
            return False
        page = self._page(data[_PATH + 1 : end])
        if page is None:
            return False
        self._begin.take(always)
        tag, wire = page
        if head.condition is not None and _is_had(tag, head.condition):
            status, told = "304", self._begin.bare + self._forms.bare(tag)
        else:
            status, told = "200", self._begin.whole + wire
        guest.answer(named(told, head.named))
        self._requests.count("GET", LISTS, status, perf_counter() - begun)
        return True

    def _page(self, query: bytes) -> tuple[str, bytes] | None:
        """Find the page as it stands, in memory or in the store: its tag, and all that is sent;
        `None` where Flask is to read it, or to say what is to be said.
        """
        plan = self._plans[query] if query in self._plans else self._planned(query)
        if plan is None:
            return None
        key = query, FOR_ALL
        version: Version | None = None
        try:
            version = self._reads.version()
            if self._long.get(query) == version:
                return None
            kept = self._memory.find(key, version)
            if kept is None:
                kept = self._read(plan)
                if kept is None:
                    return None
                self._memory.keep(key, kept)
        except TakesLong:
            self._long[query] = version
            return None
        except NotRead as error:
            log.debug("a list could not be read by the short way", error=str(error))
            return None
        ((_, tag),) = kept.headers
        return tag.decode(), kept.body

    def _planned(self, query: bytes) -> _Plan | None:
        """Read a query string; `None` where Flask is to say what is wrong with it."""
        plan = None
        if _QUERY.fullmatch(query) is not None:
            args = MultiDict(parse_qsl(query.decode(), keep_blank_values=True))
            with suppress(params.BadParameters):
                given = params.read(args, PLAIN)
                sort: Sort = given.get("sort", Sort())
                limit: int = given.get("limit", params.DEFAULT_PAGE)
                binding = ("items", sort, Filter(), None)
                after = self._paging.place(given, sort.kinds, *binding)
                more = self._paging.url(LISTS, "", args)
                plan = _Plan(sort, limit, after, binding, more)
        if len(self._plans) >= _PLANS:
            self._plans.clear()
            self._long.clear()
        self._plans[query] = plan
        return plan

    def _read(self, plan: _Plan) -> Kept | None:
        with self._reads.snapshot() as (version, rows):
            stood = self._stood
            if stood is None or stood.version != version:
                stood = self._stood = _look(version, rows)
            if stood.slot is None:
                return None
            goes_on = plan.after is not None
            shape = Shape("sqlite", stood.slot, None, plan.sort, goes_on, frozenset(), False, 0, 0)
            place: Mapping[str, str | int] = (
                key_values(AFTER, shape.key, plan.after) if goes_on else {}
            )
            found = rows(statements(shape).along, {LIMIT: plan.limit + 1, **place})
        tag = f'W/"{self._tags.of(stood.state, *plan.binding, plan.after, plan.limit, False)}"'
        full = found[: plan.limit]
        last = list(full[-1][1:]) if len(found) > plan.limit else None
        following = self._paging.following(last, *plan.binding)
        body = written((each[0] for each in full), following).encode()
        link = None if following is None else f'<{plan.more}{following}>; rel="next"'
        wire = self._forms.whole(tag, link, len(body)) + body
        return Kept(version, HTTPStatus.OK, ((b"etag", tag.encode()),), wire)


class _Forms:
    """The headers of answers as they are sent, those of Flask."""

    def __init__(self) -> None:
        told = {**REVALIDATE, _TAG: ""}
        self._whole = headers_of(answer(b" ", {**REVALIDATE, _LINK: "", _TAG: ""}))
        self._last = headers_of(answer(b" ", told))
        self._bare = headers_of(answer(b"", told, HTTPStatus.NOT_MODIFIED))

    def whole(self, tag: str, link: str | None, length: int) -> bytes:
        """Write those of 200."""
        own = {_TAG: tag, _LENGTH: str(length)}
        if link is None:
            return lines_of(filled(self._last, own))
        return lines_of(filled(self._whole, own | {_LINK: link}))

    def bare(self, tag: str) -> bytes:
        """Write those of 304."""
        return lines_of(filled(self._bare, {_TAG: tag}))


def _look(version: Version, rows: Rows) -> _Stood:
    slot = dict(rows(LIVE, {})).get(items.NAME)
    return _Stood(version, slot or None, rows(STATE, {"views": _VIEWS}))


def _is_had(tag: str, condition: str) -> bool:
    # As most clients send it, which need not be parsed.
    return condition == tag or parse_etags(condition).contains_weak(tag[3:-1])
