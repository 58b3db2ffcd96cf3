"""Many commands in one request; each row stands for itself, or all for one another."""

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response

from api.accept import Answer, Draft
from api.batch_answers import answer_batch
from api.batch_keys import Remember, first_or_same
from api.batch_rows import BadRow, Making
from api.bodies import JSON, read_body, require_known_parameters
from api.guard import check_times
from api.headers import deadline_of, idempotency_key, preferences, take_no_condition
from api.ids import fingerprint
from api.problems import ProblemRaised, invalid_body
from api.requests import Door, command_id_of, sender_of
from api.schemas import BatchBody


def routes(door: Door, remember: Remember) -> APIRouter:
    """Make the route."""
    router = APIRouter()

    @router.post("/items/batch")
    async def batch(request: Request) -> Response:
        require_known_parameters(request)
        take_no_condition(request)
        asked = preferences(request)
        body = await read_body(request, BatchBody, JSON)
        check_times(request, body.commands)
        now = door.clock()
        batch_id = command_id_of(request, now)
        keyed = idempotency_key(request) is not None
        payload = fingerprint([body.commands, body.atomic, body.reason]) if keyed else ""
        making = Making(door, batch_id, deadline_of(request), now, body, keyed=keyed)
        rows = making.rows()
        drafts = [(number, each) for number, each in enumerate(rows) if isinstance(each, Draft)]
        if body.atomic:
            _require_good_rows(rows)
        if keyed and drafts:
            # Not before: a batch of which nothing can be accepted may be mended under its key.
            await first_or_same(remember, batch_id, payload)
        sender = sender_of(request)
        judged: Sequence[Answer] = ()
        if body.atomic:
            judged = await door.acceptor.accept_atomic(
                batch_id, payload, [each for _, each in drafts], sender, asked.wait
            )
        elif drafts:
            judged = await door.acceptor.accept_each(
                batch_id, drafts, sender, asked.wait, keyed=keyed
            )
        return answer_batch(door.answers, asked, rows, judged)

    return router


def _require_good_rows(rows: Sequence[Draft | BadRow]) -> None:
    """Refuse an atomic batch of which a row is no command, naming every one."""
    bad = [each.problem for each in rows if isinstance(each, BadRow)]
    if not bad:
        return
    errors = [error for each in bad for error in each.errors]
    raise ProblemRaised(invalid_body(errors) if errors else bad[0])
