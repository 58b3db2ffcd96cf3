"""Spans of the command API. Loaded only where traces are asked for (docs/tracing.md)."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.meter import route_of
from eventlog import keys
from eventlog.append import NotAppended, Submission, Unknown, Verdict
from eventlog.batcher import Batcher
from runtime.measures import NO_ROUTE
from runtime.request_ids import HEADER, read_request_id
from runtime.spans import Spans

_TRACEPARENT = b"traceparent"
_ASIDE = ("/health/", "/metrics")


class Traced:
    """ASGI middleware around all others, `api.hot` too: a span per request, which takes the place
    of what the client said in `traceparent`, so that whatever goes on from here is part of it.
    """

    def __init__(self, app: ASGIApp, spans: Spans) -> None:
        self._app = app
        self._spans = spans

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_ASIDE):
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        status = 500

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        facts = {
            "user_agent.original": asked.get("user-agent"),
            "itemledger.request_id": read_request_id(asked.get(HEADER)),
        }
        method, scheme, path = scope["method"], scope["scheme"], scope["path"]
        with self._spans.request(method, scheme, path, asked, facts) as request:
            others = [each for each in scope["headers"] if each[0] != _TRACEPARENT]
            mine = (_TRACEPARENT, request.traceparent.encode())
            # What layers leave in its state is read here.
            state = scope.setdefault("state", {})
            inner = {**scope, "headers": [*others, mine], "state": state}
            try:
                await self._app(inner, receive, send_on)
            finally:
                route = route_of(scope)
                request.answered(None if route == NO_ROUTE else route, status)


def batcher_traced(spans: Spans) -> type[Batcher]:
    """Make a batcher that traces each append of a request, until it is on disk."""

    class TracedBatcher(Batcher):
        async def append(self, partition: int, submissions: Sequence[Submission]) -> list[Verdict]:
            count = sum(each.width for each in submissions)
            one = submissions[0].id if count == 1 else None
            facts = {
                "messaging.system": "redis",
                "messaging.operation.name": "append",
                "messaging.operation.type": "send",
                "messaging.destination.name": keys.log(partition),
                "messaging.destination.partition.id": str(partition),
                "messaging.batch.message_count": count,
                "messaging.message.id": one,
            }
            with spans.step("append", "sends", facts) as step:
                verdicts = await super().append(partition, submissions)
                for each in verdicts:
                    if isinstance(each, NotAppended | Unknown):
                        step.failed(each.why)
                        break
                return verdicts

    return TracedBatcher
