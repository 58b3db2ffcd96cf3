"""The plainest commands, answered in front of the framework: one item created, replaced or patched,
with no more than a key. Whatever else is asked for, and whatever is not right about it, is handed
on; the answer here is the framework's, byte for byte: a test compares them.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter

from pydantic import ValidationError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import translate
from api.accept import Accepted, Acceptor, Answer, Draft, Sender
from api.answers import Answers
from api.counts import Counts
from api.headers import read_key
from api.ids import fingerprint, new_item_id, uuid7
from api.limits import MAX_BODY
from api.meter import note_route
from api.requests import Clock, keyed_id, payload_of
from api.schemas import CreateBody, PatchBody, ReplaceBody
from api.scopes import NEEDED
from domain import rules
from domain.commands import Command, Existence, Expected
from domain.refusals import RuleBroken
from runtime.auth.caller import Caller
from runtime.auth.denied import Denied, KeysWanted
from runtime.auth.guard import Guard
from runtime.preferences import Preferences
from runtime.request_ids import HEADER, read_request_id, read_trace
from runtime.response_headers import HEADERS_LIMIT, SECURITY_HEADERS, URL_LIMIT

_CREATE, _ONE = "/items", "/items/{item_id}"
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
_PLAIN = Preferences()
_CHANGES = {"PUT": _JSON, "PATCH": _MERGE_PATCH}
_AROUND = (
    (b"content-type", b"application/json"),
    *((name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()),
    (b"cache-control", b"no-store"),
)
_REQUEST_ID = HEADER.lower().encode()
# Under this name of its state a request carries the answer to it.
ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A command that is read here; `item_id` is empty where the path has none."""

    method: str
    path: str
    template: str
    item_id: str
    caller: Caller
    key: str | None
    trace: str | None
    request_id: str | None


class Hot:
    """ASGI middleware, the first to see a request. `told` is what makes any other answer than the
    usual one known: it is handed the answer in the state of the request, under `ANSWER`.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        told: ASGIApp,
        guard: Guard,
        acceptor: Acceptor,
        answers: Answers,
        counts: Counts,
        turns: asyncio.Semaphore,
        clock: Clock,
        currency: str,
        strict: bool,
    ) -> None:
        self._app = app
        self._told = told
        self._guard = guard
        self._acceptor = acceptor
        self._answers = answers
        self._counts = counts
        self._turns = turns
        self._clock = clock
        self._currency = currency
        self._strict = strict
        self._hosts: set[bytes] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = perf_counter()
        asked = self._read(scope)
        if asked is None:
            await self._app(scope, receive, send)
            return
        message = await receive()
        if message["type"] != "http.request" or message.get("more_body", False):
            await self._app(scope, _again(message, receive), send)
            return
        answer: Answer | Exception | None = None
        async with self._turns:
            try:
                draft = self._draft(asked, message["body"])
                if draft is not None:
                    sender = Sender(asked.caller.subject, asked.trace, asked.request_id)
                    answer = await self._acceptor.accept_one(draft, sender)
            except Exception as error:  # noqa: BLE001  it is raised again, where it is answered
                answer = error
        match answer:
            case None:
                await self._app(scope, _again(message, receive), send)
            case Accepted():
                headers, body = self._answers.plain(answer)
                start = {"type": "http.response.start", "status": 202}
                await send({**start, "headers": _raw(headers, body, asked.request_id)})
                await send({"type": "http.response.body", "body": body})
                note_route(scope, asked.template)
                seconds = perf_counter() - begun
                self._counts.requests.count(asked.method, asked.template, "202", seconds)
            case Exception():
                await self._tell(scope, receive, send, asked, answer)
            case _:
                told_so = self._answers.single(answer, _PLAIN)
                await self._tell(scope, receive, send, asked, told_so)

    async def _tell(
        self, scope: Scope, receive: Receive, send: Send, asked: _Asked, answer: ASGIApp | Exception
    ) -> None:
        scope.setdefault("state", {})[ANSWER] = answer
        note_route(scope, asked.template)
        await self._told(scope, receive, send)

    def _read(self, scope: Scope) -> _Asked | None:
        """Read all but the body; `None` for what is not plain, or not right."""
        route = self._route(scope["method"], scope["path"])
        said = None if route is None else _said(scope)
        if route is None or said is None:
            return None
        template, item_id, types = route
        length = said.get(b"content-length", b"")
        measured = length.isdigit() and int(length) <= MAX_BODY
        if not measured or said.get(b"content-type") not in types:
            return None
        caller = self._caller(said)
        if caller is None or caller.scopes.isdisjoint(NEEDED[scope["method"], template]):
            return None
        sent = said.get(b"idempotency-key")
        key = None if sent is None else read_key(sent.decode("latin-1"))
        if sent is not None and key is None:
            return None
        trace = request_id = None
        if b"traceparent" in said:
            trace = read_trace(said[b"traceparent"].decode("latin-1"))
        if b"x-request-id" in said:
            request_id = read_request_id(said[b"x-request-id"].decode("latin-1"))
        method, path = scope["method"], scope["path"]
        return _Asked(method, path, template, item_id, caller, key, trace, request_id)

    def _route(self, method: str, path: str) -> tuple[str, str, frozenset[bytes]] | None:
        if method == "POST":
            return (_CREATE, "", _JSON) if path == _CREATE else None
        item_id = path[len(_PREFIX) :]
        if method not in _CHANGES or self._strict or not path.startswith(_PREFIX):
            return None
        return (_ONE, item_id, _CHANGES[method]) if _is_id(item_id) else None

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

    def _draft(self, asked: _Asked, body: bytes) -> Draft | None:
        """Make a command of the body; `None` where it is not right."""
        now, key = self._clock(), asked.key
        if key is None:
            command_id = uuid7(now)
        else:
            command_id = keyed_id(asked.caller.subject, asked.method, asked.path, key)
        parsed: CreateBody | ReplaceBody | PatchBody
        command: Command
        # Nothing is judged by a condition where an item is new.
        expected: Expected | None = None
        try:
            if asked.method == "POST":
                parsed = CreateBody.model_validate_json(body)
                item_id = new_item_id(command_id, now, keyed=key is not None)
                command = translate.create(parsed, item_id, now, self._currency)
            elif asked.method == "PUT":
                parsed, expected = ReplaceBody.model_validate_json(body), Existence.ANY
                command = translate.replace(parsed, asked.item_id, now, self._currency, expected)
            else:
                parsed, expected = PatchBody.model_validate_json(body), Existence.ANY
                command = translate.patch(parsed, asked.item_id, now, expected)
        except ValidationError:
            return None
        printed = "" if key is None else fingerprint(payload_of(parsed, expected))
        return Draft(command_id, command, printed, parsed.reason)


async def told(scope: Scope, receive: Receive, send: Send) -> None:
    """Send the answer that stands in the state of the request, or raise what stands there."""
    answer: ASGIApp | Exception = scope["state"][ANSWER]
    if isinstance(answer, Exception):
        raise answer
    await answer(scope, receive, send)


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


def _raw(
    headers: Mapping[str, str], body: bytes, request_id: str | None
) -> list[tuple[bytes, bytes]]:
    """Write headers as the framework and the layers around it do, in their order."""
    headers = {**headers, "Vary": f"{headers['Vary']}, Origin"}
    return [
        *(
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in headers.items()
        ),
        (b"content-length", b"%d" % len(body)),
        *_AROUND,
        *(() if request_id is None else ((_REQUEST_ID, request_id.encode("latin-1")),)),
    ]


def _again(message: Message, receive: Receive) -> Receive:
    """Let a message be received that was received already."""
    left = [message]

    async def receive_again() -> Message:
        return left.pop() if left else await receive()

    return receive_again
