"""One item at a time: create, replace, patch, delete, restore."""

from collections.abc import Callable

from fastapi import APIRouter, Request, Response

from api import translate
from api.accept import Acceptor, Draft, Sender
from api.answers import Answers
from api.bodies import JSON, MERGE_PATCH, read_body, require_known_parameters
from api.headers import expected_by_put, idempotency_key, if_match, preferences, trace_of
from api.ids import fingerprint, uuid7, uuid8
from api.openapi import body_of, described
from api.problems import ProblemRaised, bad_parameter
from api.schemas import REASON_LIMIT, CreateBody, PatchBody, ReasonBody, ReplaceBody
from domain import rules
from domain.commands import Command, DeleteItem, Existence, Expected, RestoreItem
from domain.refusals import RuleBroken
from runtime.problems import Problem

ANONYMOUS = "anonymous"

Clock = Callable[[], int]


def routes(acceptor: Acceptor, answers: Answers, clock: Clock, currency: str) -> APIRouter:
    """Make the routes; `clock` gives milliseconds, `currency` is that of items that name none."""
    router = APIRouter()

    async def accept(
        request: Request, command: Command, reason: str | None, payload: object, command_id: str
    ) -> Response:
        asked = preferences(request)
        keyed = "idempotency-key" in request.headers
        draft = Draft(command_id, command, fingerprint(payload) if keyed else "", reason)
        sender = Sender(ANONYMOUS, trace_of(request))
        (answer,) = await acceptor.accept([draft], sender, asked.wait)
        return answers.single(answer, asked)

    @router.post("/items", **described("create"), openapi_extra=body_of(CreateBody))
    async def create(request: Request) -> Response:
        require_known_parameters(request)
        body = await read_body(request, CreateBody, JSON)
        now = clock()
        command_id = command_id_of(request, now)
        keyed = "idempotency-key" in request.headers
        item_id = uuid8(command_id, "item") if keyed else uuid7(now)
        payload = body.model_dump(exclude_unset=True)
        command = translate.create(body, item_id, now, currency)
        return await accept(request, command, body.reason, payload, command_id)

    @router.put("/items/{item_id}", **described("replace"), openapi_extra=body_of(ReplaceBody))
    async def replace(request: Request, item_id: str) -> Response:
        require_known_parameters(request)
        check_id(item_id)
        expected = expected_by_put(request)
        body = await read_body(request, ReplaceBody, JSON)
        now = clock()
        command = translate.replace(body, item_id, now, currency, expected)
        payload = [body.model_dump(exclude_unset=True), condition(expected)]
        return await accept(request, command, body.reason, payload, command_id_of(request, now))

    @router.patch(
        "/items/{item_id}",
        **described("patch"),
        openapi_extra=body_of(PatchBody, "application/merge-patch+json", "application/json"),
    )
    async def patch(request: Request, item_id: str) -> Response:
        require_known_parameters(request)
        check_id(item_id)
        expected = if_match(request)
        body = await read_body(request, PatchBody, MERGE_PATCH)
        now = clock()
        command = translate.patch(body, item_id, now, expected)
        payload = [body.model_dump(exclude_unset=True), condition(expected)]
        return await accept(request, command, body.reason, payload, command_id_of(request, now))

    @router.delete("/items/{item_id}", **described("delete"))
    async def delete(request: Request, item_id: str) -> Response:
        check_id(item_id)
        expected, reason = if_match(request), reason_of(request)
        now = clock()
        command = DeleteItem(item_id, now, expected)
        payload = [reason, condition(expected)]
        return await accept(request, command, reason, payload, command_id_of(request, now))

    @router.post("/items/{item_id}/restore", **described("restore"))
    async def restore(request: Request, item_id: str) -> Response:
        check_id(item_id)
        expected, reason = if_match(request), reason_of(request)
        if await request.body():
            body = await read_body(request, ReasonBody, JSON)
            reason = body.reason or reason
        now = clock()
        command = RestoreItem(item_id, now, expected)
        payload = [reason, condition(expected)]
        return await accept(request, command, reason, payload, command_id_of(request, now))

    return router


def command_id_of(request: Request, now: int) -> str:
    """Derive the command's id from the Idempotency-Key, or make one."""
    key = idempotency_key(request)
    if key is None:
        return uuid7(now)
    return uuid8("command", ANONYMOUS, request.method, request.url.path.rstrip("/"), key)


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


def condition(expected: Expected) -> object:
    """Write a condition as part of a payload's fingerprint."""
    return expected.value if isinstance(expected, Existence) else sorted(expected.versions)
