"""Lists that leave nothing out, answered by the loop itself on SQLite: as Flask would, in less than
half the time. What has a filter may take long, and is left to Flask's threads.
"""

import re
from collections.abc import Mapping
from http import HTTPStatus
from time import perf_counter
from typing import Any
from urllib.parse import parse_qsl

import orjson
from werkzeug.datastructures import MultiDict
from werkzeug.http import parse_etags

from ledger.moments import ShortReads
from ledger.single import NotRead
from readmodel import params
from readmodel.answers import REVALIDATE, Answer, answer
from readmodel.front.asked import (
    LISTS,
    Application,
    asks_for_list,
    environ_of,
    request_id_of,
)
from readmodel.front.bridge import Receive, Scope, Send
from readmodel.guard import Doorkeeper
from readmodel.item_routes import PLAIN, written
from readmodel.list_tags import STATE, ListTags
from readmodel.paging import Paging
from readmodel.reads import LIVE
from readmodel.scopes import NEEDED
from readmodel.views import items
from readmodel.views.chosen import Filter, Sort
from readmodel.views.statements import AFTER, LIMIT, Shape, key_values, statements
from runtime.auth.denied import Denied
from runtime.measures import Requests
from runtime.request_ids import HEADER
from runtime.response_headers import SECURITY_HEADERS

# A query string in which everything is as it is written.
_QUERY = re.compile(rb"[A-Za-z0-9._=&-]*")
# Steps of the engine: four times what the longest page takes, and two milliseconds.
MOST_STEPS = 40_000
_VIEWS = orjson.dumps([items.NAME]).decode()


class HotLists:
    """An ASGI application in front of one that answers everything. To be used from one loop."""

    def __init__(
        self,
        app: Application,
        reads: ShortReads,
        paging: Paging,
        tags: ListTags,
        door: Doorkeeper,
        requests: Requests,
    ) -> None:
        self._app = app
        self._reads = reads
        self._paging = paging
        self._tags = tags
        self._door = door
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = perf_counter()
        made = self._made(scope)
        if made is None:
            await self._app(scope, receive, send)
            return
        told = made.get_wsgi_headers({})
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in told]
        start = {"type": "http.response.start", "status": made.status_code, "headers": headers}
        await send(start)
        body = b"" if made.status_code == HTTPStatus.NOT_MODIFIED else made.get_data()
        await send({"type": "http.response.body", "body": body})
        self._requests.count("GET", LISTS, str(made.status_code), perf_counter() - begun)

    def _made(self, scope: Scope) -> Answer | None:
        """Make the answer; `None` where Flask is to answer, and to say what is to be said."""
        if not asks_for_list(scope) or _QUERY.fullmatch(scope["query_string"]) is None:
            return None
        query: str = scope["query_string"].decode()
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        if len(dict(headers)) != len(headers):
            return None
        environ = environ_of(headers)
        try:
            self._door.check({**environ, "PATH_INFO": LISTS, "QUERY_STRING": query})
            if self._door.wants_tokens and not self._door.may_stay_at_once(environ, NEEDED[LISTS]):
                return None
            args = MultiDict(parse_qsl(query, keep_blank_values=True))
            given = params.read(args, PLAIN)
            made = self._page(args, given, environ.get("HTTP_IF_NONE_MATCH"))
        except (Denied, params.BadParameters, NotRead):
            return None
        if made is None:
            return None
        for name, value in SECURITY_HEADERS.items():
            made.headers.setdefault(name, value)
        request_id = request_id_of(headers)
        if request_id is not None:
            made.headers[HEADER] = request_id
        return made

    def _page(
        self, args: MultiDict[str, str], given: Mapping[str, Any], condition: str | None
    ) -> Answer | None:
        sort: Sort = given.get("sort", Sort())
        limit: int = given.get("limit", params.DEFAULT_PAGE)
        binding = ("items", sort, Filter(), None)
        after = self._paging.place(given, *binding)
        with self._reads.snapshot() as rows:
            slot = dict(rows(LIVE, {})).get(items.NAME)
            if not slot:
                return None
            state = rows(STATE, {"views": _VIEWS})
            tag = self._tags.of(state, *binding, after, limit, False)
            headers = {"ETag": f'W/"{tag}"'}
            if condition is not None and parse_etags(condition).contains_weak(tag):
                return answer(b"", {**REVALIDATE, **headers}, 304)
            shape = Shape("sqlite", slot, None, sort, after is not None, frozenset(), False, 0, 0)
            place: Mapping[str, str | int] = (
                {} if after is None else key_values(AFTER, shape.key, after)
            )
            found = rows(statements(shape).along, {LIMIT: limit + 1, **place})
        full = found[:limit]
        last = list(full[-1][1:]) if len(found) > limit else None
        following = self._paging.following(last, *binding)
        more = self._paging.headers(LISTS, following, args)
        return answer(written((each[0] for each in full), following), {**more, **headers})
