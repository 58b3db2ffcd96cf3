"""What every request that commands has: an id, a reason, conditions, and its way to the log."""

from collections.abc import Callable

from fastapi import Request, Response

from api.accept import Acceptor, Draft, Sender
from api.answers import Answers
from api.bodies import JSON, read_body, require_known_parameters
from api.guard import caller_of
from api.headers import deadline_of, idempotency_key, preferences
from api.ids import fingerprint, uuid7
from api.problems import ProblemRaised, bad_parameter, precondition_required
from api.schemas import REASON_LIMIT, Body, ReasonBody
from domain import rules
from domain.commands import Command, Existence, Expected
from domain.refusals import RuleBroken
from runtime.keyed_ids import keyed_id
from runtime.problems import Problem
from runtime.request_ids import HEADER, read_request_id, read_trace

Clock = Callable[[], int]


class Door:
    """Takes one command at a time. `clock` gives milliseconds, `currency` is that of items that
    name none; with `strict`, changing an item needs a condition.
    """

    def __init__(
        self,
        acceptor: Acceptor,
        answers: Answers,
        clock: Clock,
        currency: str,
        *,
        strict: bool = False,
    ) -> None:
        self.acceptor = acceptor
        self.answers = answers
        self.clock = clock
        self.currency = currency
        self._strict = strict

    async def accept(
        self,
        request: Request,
        command: Command,
        reason: str | None,
        payload: object,
        command_id: str,
    ) -> Response:
        asked = preferences(request)
        keyed = "idempotency-key" in request.headers
        draft = Draft(
            command_id,
            command,
            fingerprint(payload) if keyed else "",
            reason,
            deadline_of(request),
        )
        answer = await self.acceptor.accept(draft, sender_of(request), asked.wait)
        return self.answers.single(answer, asked)

    def require_condition(self, expected: Expected) -> Expected:
        """Refuse a change without a condition, where one is asked for (RFC 6585, 428)."""
        if self._strict and expected is Existence.ANY:
            raise ProblemRaised(precondition_required())
        return expected


def sender_of(request: Request) -> Sender:
    """Tell who asks, and as part of what."""
    headers = request.headers
    return Sender(
        caller_of(request).subject,
        read_trace(headers.get("traceparent")),
        read_request_id(headers.get(HEADER)),
    )


def command_id_of(request: Request, now: int) -> str:
    """Derive the command's id from the Idempotency-Key, or make one."""
    key = idempotency_key(request)
    if key is None:
        return uuid7(now)
    path = request.url.path.rstrip("/")
    return keyed_id(caller_of(request).subject, request.method, path, key)


def check_id(item_id: str) -> None:
    """Refuse a path whose id no item can have."""
    try:
        rules.item_id(item_id)
    except RuleBroken as broken:
        errors = [{"parameter": "item_id", "code": broken.rule, "detail": str(broken)}]
        raise ProblemRaised(
            Problem(422, "invalid-item-id", "No item can have this id", str(broken), errors)
        ) from None


def reason_of(request: Request) -> str | None:
    """Read `?reason=` of a request that has no body to say it in."""
    require_known_parameters(request, "reason")
    reason = request.query_params.get("reason")
    if reason is not None and (len(reason) > REASON_LIMIT or "\0" in reason):
        detail = f"has at most {REASON_LIMIT} characters and no NUL"
        raise bad_parameter("reason", "invalid-reason", detail)
    return reason


async def reason_in_any(request: Request) -> str | None:
    """Read the reason of a request that needs no body, and may have one to say it in."""
    reason = reason_of(request)
    if await request.body():
        body = await read_body(request, ReasonBody, JSON)
        return body.reason or reason
    return reason


def payload_of(body: Body, expected: Expected | None = None) -> object:
    """Write what a body says, and on which condition, for the fingerprint of the payload."""
    said = body.model_dump(exclude_unset=True)
    return said if expected is None else [said, condition(expected)]


def condition(expected: Expected) -> object:
    """Write a condition as part of a payload's fingerprint."""
    return expected.value if isinstance(expected, Existence) else sorted(expected.versions)
