"""What is asked, as far as it is read in front of the framework: all but the body."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import Scope

from api.headers import read_key
from api.limits import MAX_BATCH, MAX_BODY
from api.scopes import NEEDED
from domain import rules
from domain.refusals import RuleBroken
from runtime.auth.caller import Caller
from runtime.auth.denied import Denied, KeysWanted
from runtime.auth.guard import Guard
from runtime.request_ids import read_request_id, read_trace
from runtime.response_headers import HEADERS_LIMIT, URL_LIMIT

CREATE, ONE, BATCH = "/items", "/items/{item_id}", "/items/batch"
_PREFIX = "/items/"
_JSON = frozenset({b"application/json"})
_MERGE_PATCH = frozenset({b"application/json", b"application/merge-patch+json"})
# What a request may say without changing how it is answered, or what is read here. A header that is
# not known might mean something to the framework's side one day.
_MEANS_NOTHING = frozenset(
    {
        *(b"accept", b"accept-encoding", b"accept-language", b"cache-control", b"connection"),
        *(b"dnt", b"forwarded", b"pragma", b"priority", b"referer", b"tracestate", b"user-agent"),
        *(b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip"),
    }
)
_READ = frozenset(
    {
        *(b"host", b"content-type", b"content-length", b"authorization", b"idempotency-key"),
        *(b"traceparent", b"x-request-id"),
    }
)
# Names by which we were asked and that were found to be ours.
_MOST_HOSTS = 64
_CHANGES = {"PUT": _JSON, "PATCH": _MERGE_PATCH}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for commands that is read here; `item_id` is empty where the path has none."""

    method: str
    path: str
    template: str
    item_id: str
    caller: Caller
    key: str | None
    trace: str | None
    request_id: str | None


class Reader:
    """Reads plain requests; with `strict`, changing an item needs a condition, which none has."""

    def __init__(self, guard: Guard, *, strict: bool) -> None:
        self._guard = guard
        self._strict = strict
        self._hosts: set[bytes] = set()

    def read(self, scope: Scope) -> Asked | None:
        """Read all but the body; `None` for what is not plain, or not right."""
        route = self._route(scope["method"], scope["path"])
        said = None if route is None else _said(scope)
        if route is None or said is None:
            return None
        template, item_id, types = route
        length = said.get(b"content-length", b"")
        limit = MAX_BATCH if template == BATCH else MAX_BODY
        measured = length.isdigit() and int(length) <= limit
        if not measured or said.get(b"content-type") not in types:
            return None
        caller = self._caller(said)
        if caller is None or caller.scopes.isdisjoint(NEEDED[scope["method"], template]):
            return None
        sent = said.get(b"idempotency-key")
        key = None if sent is None else read_key(sent.decode("latin-1"))
        if sent is not None and (key is None or template == BATCH):
            return None
        trace = request_id = None
        if b"traceparent" in said:
            trace = read_trace(said[b"traceparent"].decode("latin-1"))
        if b"x-request-id" in said:
            request_id = read_request_id(said[b"x-request-id"].decode("latin-1"))
        method, path = scope["method"], scope["path"]
        return Asked(method, path, template, item_id, caller, key, trace, request_id)

    def _route(self, method: str, path: str) -> tuple[str, str, frozenset[bytes]] | None:
        if method == "POST":
            if path == BATCH and not self._strict:
                return BATCH, "", _JSON
            return (CREATE, "", _JSON) if path == CREATE else None
        item_id = path[len(_PREFIX) :]
        if method not in _CHANGES or self._strict or not path.startswith(_PREFIX):
            return None
        return (ONE, item_id, _CHANGES[method]) if _is_id(item_id) else None

    def _caller(self, said: Mapping[bytes, bytes]) -> Caller | None:
        """Tell who asks, where that is known at once and no page of somebody else may have."""
        host, authorization = said.get(b"host"), said.get(b"authorization")
        try:
            if host is None or host not in self._hosts:
                self._guard.check_visitor(None if host is None else host.decode("latin-1"), None)
                if host is not None and len(self._hosts) < _MOST_HOSTS:
                    self._hosts.add(host)
            tokens = () if authorization is None else (authorization.decode("latin-1"),)
            return self._guard.caller_at_once(tokens)
        except (Denied, KeysWanted):
            return None


def _is_id(value: str) -> bool:
    try:
        rules.item_id(value)
    except RuleBroken:
        return False
    return True


def _said(scope: Scope) -> dict[bytes, bytes] | None:
    """Collect the headers that are read; `None` where one is not known, or is there twice, or all
    of them are too long, or there are parameters.
    """
    if scope["query_string"] or len(scope.get("raw_path") or b"") > URL_LIMIT:
        return None
    said: dict[bytes, bytes] = {}
    size = 0
    for name, value in scope["headers"]:
        size += len(name) + len(value)
        if name in _READ:
            if name in said:
                return None
            said[name] = value
        elif name not in _MEANS_NOTHING:
            return None
    return said if size <= HEADERS_LIMIT else None
