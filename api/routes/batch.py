"""Many commands in one request; each row stands for itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from redis.exceptions import RedisError

from api import translate
from api.accept import (
    Accepted,
    Acceptor,
    Answer,
    Draft,
    KeyReused,
    Refused,
    Sender,
    Uncertain,
)
from api.answers import Answers
from api.batch_keys import Remember
from api.bodies import JSON, read_body, require_known_parameters, spots
from api.headers import Preferences, idempotency_key, preferences, trace_of
from api.ids import fingerprint, uuid7, uuid8
from api.openapi import body_of, described
from api.problems import (
    ProblemRaised,
    invalid_body,
    key_reused,
    not_accepted,
    outcome_unknown,
    retry_after,
)
from api.routes.items import ANONYMOUS, Clock, command_id_of
from api.schemas import ROW, BatchBody
from runtime.problems import Problem


@dataclass(frozen=True, slots=True)
class _BadRow:
    item_id: str | None
    problem: Problem


def routes(
    acceptor: Acceptor, answers: Answers, clock: Clock, currency: str, remember: Remember
) -> APIRouter:
    """Make the route; the parameters are those of `api.routes.items.routes`, and `remember`."""
    router = APIRouter()

    @router.post(
        "/items/batch",
        **described("batch"),
        openapi_extra=body_of(BatchBody),
    )
    async def batch(request: Request) -> Response:
        require_known_parameters(request)
        asked = preferences(request)
        body = await read_body(request, BatchBody, JSON)
        now = clock()
        batch_id = command_id_of(request, now)
        keyed = idempotency_key(request) is not None
        if keyed:
            await _first_or_same(remember, batch_id, fingerprint(body.commands))
        rows = [
            _row(raw, number, batch_id if keyed else None, now, currency)
            for number, raw in enumerate(body.commands)
        ]
        drafts = [each for each in rows if isinstance(each, Draft)]
        sender = Sender(ANONYMOUS, trace_of(request))
        judged = (
            await acceptor.accept(drafts, sender, asked.wait, with_items=False) if drafts else []
        )
        _require_something_accepted(judged)
        in_order = iter(judged)
        results = [
            answers.bad_row(number, each.item_id, each.problem)
            if isinstance(each, _BadRow)
            else answers.row(number, next(in_order))
            for number, each in enumerate(rows)
        ]
        final = not any(
            isinstance(each, Uncertain) or (isinstance(each, Accepted) and each.notice is None)
            for each in judged
        )
        told_anyway = any(isinstance(each, Refused | Uncertain) for each in judged)
        minimal = asked.minimal and not told_anyway
        replayed = any(isinstance(each, Accepted) and each.replayed for each in judged)
        return _response(
            results, asked, final=final and asked.wait > 0, minimal=minimal, replayed=replayed
        )

    return router


async def _first_or_same(remember: Remember, batch_id: str, payload: str) -> None:
    """Refuse a batch under the key of another one, before anything of it is accepted."""
    try:
        before = await remember(batch_id, payload)
    except (RedisError, OSError) as error:
        raise ProblemRaised(
            not_accepted(f"the log is not to be reached: {error}"), retry_after()
        ) from error
    if before is not None and before != payload:
        raise ProblemRaised(key_reused())


def _require_something_accepted(judged: Sequence[Answer]) -> None:
    """Answer as for one command where not a single row is known to be accepted."""
    if not judged or any(isinstance(each, Accepted | KeyReused) for each in judged):
        return
    uncertain = next((each for each in judged if isinstance(each, Uncertain)), None)
    if uncertain is not None:
        raise ProblemRaised(outcome_unknown(uncertain.draft.id, uncertain.why), retry_after())
    first = next(each for each in judged if isinstance(each, Refused))
    raise ProblemRaised(
        not_accepted(first.why, lasting=first.lasting), retry_after(lasting=first.lasting)
    )


def _row(raw: Any, number: int, batch_id: str | None, now: int, currency: str) -> Draft | _BadRow:
    """Make a row's command; under a key, `batch_id`, its ids are derived and come out the same."""
    try:
        parsed = ROW.validate_python(raw)
    except ValidationError as error:
        return _BadRow(_item_id(raw), invalid_body(spots(error, f"/commands/{number}")))
    if batch_id is None:
        command = translate.row(parsed, uuid7(now), now, currency)
        return Draft(uuid7(now), command, "", parsed.reason)
    command = translate.row(parsed, uuid8(batch_id, str(number), "item"), now, currency)
    return Draft(uuid8(batch_id, str(number)), command, fingerprint(raw), parsed.reason)


def _item_id(raw: Any) -> str | None:
    """Find the id a bad row names, to be told which one it was."""
    if not isinstance(raw, dict):
        return None
    named = cast("dict[str, Any]", raw).get("id")
    return named if isinstance(named, str) else None


def _response(
    results: list[dict[str, Any]],
    asked: Preferences,
    *,
    final: bool,
    minimal: bool,
    replayed: bool,
) -> Response:
    headers = {"Vary": "Prefer"}
    applied: list[str] = []
    if final:
        applied.append(f"wait={asked.wait}")
    elif asked.asked_async:
        applied.append("respond-async")
    if not final:
        headers["Retry-After"] = "1"
    if minimal:
        applied.append("return=minimal")
    if applied:
        headers["Preference-Applied"] = ", ".join(applied)
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    content = b"" if minimal else orjson.dumps({"results": results})
    return Response(content, 200 if final else 202, headers, media_type="application/json")
