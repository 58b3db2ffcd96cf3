"""The WSGI layer in front of Flask: an item by its id from memory, or by one statement.

It answers only what it understands to the last header; everything else, and everything that is not
well, is Flask's, which has the same route.
"""

from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any

import structlog

from domain import rules
from domain.refusals import RuleBroken
from ledger.single import NotRead
from readmodel.guard import Doorkeeper
from readmodel.hot.answers import NOT_MODIFIED, OK, Forms, Headers, Rendered
from readmodel.hot.cache import ItemCache, covers
from readmodel.hot.row import ItemRow, ItemRows
from readmodel.meter import BEGUN
from readmodel.request_log import SENT
from readmodel.scopes import NEEDED
from readmodel.turns import Turns
from runtime.auth.denied import Denied
from runtime.measures import Requests
from runtime.positions import MalformedToken, Position
from runtime.preferences import applied, read_preferences
from runtime.request_ids import HEADER, read_request_id

_PREFIX = "/items/"
_START = len(_PREFIX)
_ROUTE = "/items/<item_id>"
# As it is counted.
TEMPLATE = "/items/{item_id}"
_METHODS = frozenset({"GET", "HEAD"})

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

log = structlog.get_logger("readmodel")


class HotItems:
    """Stands in front of `flask`, which counts and takes its turns by itself; what is answered here
    is counted among `requests`, and what is read takes one of `turns`.
    """

    def __init__(
        self,
        flask: Application,
        requests: Requests,
        turns: Turns,
        door: Doorkeeper,
        rows: ItemRows,
        cache: ItemCache,
    ) -> None:
        self._flask = flask
        self._requests = requests
        self._turns = turns
        self._door = door
        self._rows = rows
        self._cache = cache
        self._forms = Forms()
        self._needed = NEEDED[_ROUTE]

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        begun: float = environ.get(BEGUN) or perf_counter()
        path: str = environ["PATH_INFO"]
        if (
            not path.startswith(_PREFIX)
            or environ.get("QUERY_STRING")
            or environ["REQUEST_METHOD"] not in _METHODS
            or "HTTP_ACCEPT_DATETIME" in environ
        ):
            return self._flask(environ, start_response)
        item_id = path[_START:]
        token: Position | None = None
        try:
            if "HTTP_CONSISTENCY_TOKEN" in environ:
                token = Position.from_token(environ["HTTP_CONSISTENCY_TOKEN"])
            found = self._cache.find(item_id, token)
            if found is None:
                rules.item_id(item_id)
            self._door.let_in(environ, self._needed)
        except (MalformedToken, RuleBroken, Denied):
            # It says why.
            return self._flask(environ, start_response)
        if found is None:
            found = self._read(environ, item_id, token)
            if found is None:
                # It looks again, waits where that was asked for, and says what is to be said.
                return self._flask(environ, start_response)
        else:
            self._cache.count(hit=True)
        status, headers = OK, found.whole
        if "HTTP_IF_NONE_MATCH" in environ and found.is_had(environ["HTTP_IF_NONE_MATCH"]):
            status, headers = NOT_MODIFIED, found.bare
        if token is not None and "HTTP_PREFER" in environ:
            headers = _with_preferences(headers, environ["HTTP_PREFER"])
        if SENT in environ and (request_id := read_request_id(environ[SENT])):
            headers = [*headers, (HEADER, request_id)]
        start_response(status, headers)
        method = environ["REQUEST_METHOD"]
        self._requests.count(method, TEMPLATE, status[:3], perf_counter() - begun)
        return [found.body] if status is OK and method == "GET" else []

    def _read(self, environ: Environ, item_id: str, token: Position | None) -> Rendered | None:
        """Read an item as it stands; `None` where Flask is to answer."""
        self._cache.count(hit=False)
        row = self._row(environ, item_id)
        if row is None or not _has(row, token):
            return None
        rendered = Rendered(row.version, row.body, self._forms)
        self._cache.keep(item_id, row, rendered)
        return rendered

    def _row(self, environ: Environ, item_id: str) -> ItemRow | None:
        with self._turns.one(environ):
            try:
                return self._rows.read(item_id)
            except NotRead as error:
                log.debug("an item could not be read by the short way", error=str(error))
                return None


def _has(row: ItemRow, token: Position | None) -> bool:
    """Say whether what was read has the token's command, for certain."""
    if token is None:
        return True
    return row.is_in_step and covers(row.partition, row.point, row.lost_upto, token)


def _with_preferences(headers: Headers, prefer: str) -> Headers:
    """Add which preferences were applied: there is a command that could have been waited for."""
    said = applied(read_preferences([prefer]))
    return [*headers, ("Preference-Applied", said)] if said else headers
