"""Many commands in one request; each row stands for itself, or all for one another."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from api import translate
from api.accept import Accepted, Answer, Draft, KeyReused, Refused, Uncertain
from api.answers import Answers, json_or_nothing
from api.batch_keys import Remember, first_or_same
from api.bodies import JSON, read_body, require_known_parameters, spots
from api.guard import check_times
from api.headers import (
    Preferences,
    deadline_of,
    idempotency_key,
    preferences,
    take_no_condition,
)
from api.ids import fingerprint, uuid7, uuid8
from api.problems import (
    ProblemRaised,
    invalid_body,
    not_accepted,
    outcome_unknown,
    retry_after,
)
from api.requests import Door, command_id_of, sender_of
from api.schemas import ROW, BatchBody
from domain.commands import DeleteItem, PatchItem, ReplaceItem
from runtime.problems import Problem
from runtime.row_ids import row_id


@dataclass(frozen=True, slots=True)
class _BadRow:
    item_id: str | None
    problem: Problem


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
        making = _Making(door, batch_id, deadline_of(request), now, body, keyed=keyed)
        rows = [making.row(raw, number) for number, raw in enumerate(body.commands)]
        drafts = [each for each in rows if isinstance(each, Draft)]
        if body.atomic:
            _require_good_rows(rows)
        if keyed and drafts:
            # Not before: a batch of which nothing can be accepted may be mended under its key.
            await first_or_same(remember, batch_id, payload)
        sender = sender_of(request)
        if body.atomic:
            judged = await door.acceptor.accept_atomic(
                batch_id, payload, drafts, sender, asked.wait
            )
        elif drafts:
            judged = await door.acceptor.accept(drafts, sender, asked.wait, with_items=False)
        else:
            judged = []
        _require_something_accepted(judged)
        return _answer(door.answers, asked, rows, judged)

    return router


@dataclass(frozen=True, slots=True)
class _Making:
    """What the rows of one batch have in common; under a key their ids come out the same."""

    door: Door
    batch_id: str
    deadline: int | None
    now: int
    body: BatchBody
    keyed: bool

    def row(self, raw: Any, number: int) -> Draft | _BadRow:
        """Make a row's command."""
        try:
            parsed = ROW.validate_python(raw)
        except ValidationError as error:
            return _BadRow(_item_id(raw), invalid_body(spots(error, f"/commands/{number}")))
        lasting = self.keyed or self.body.atomic
        new_id = uuid8(self.batch_id, str(number), "item") if lasting else uuid7(self.now)
        command = translate.row(parsed, new_id, self.now, self.door.currency)
        try:
            if isinstance(command, ReplaceItem | PatchItem | DeleteItem):
                self.door.require_condition(command.expected)
        except ProblemRaised as raised:
            return _BadRow(command.item_id, raised.problem)
        if self.body.atomic:
            command_id = row_id(self.batch_id, number)
        else:
            command_id = uuid8(self.batch_id, str(number)) if self.keyed else uuid7(self.now)
        return Draft(
            command_id,
            command,
            fingerprint(raw) if self.keyed else "",
            self.body.reason if parsed.reason is None else parsed.reason,
            self.deadline,
        )


def _require_good_rows(rows: Sequence[Draft | _BadRow]) -> None:
    """Refuse an atomic batch of which a row is no command, naming every one."""
    bad = [each.problem for each in rows if isinstance(each, _BadRow)]
    if not bad:
        return
    errors = [error for each in bad for error in each.errors]
    raise ProblemRaised(invalid_body(errors) if errors else bad[0])


def _answer(
    answers: Answers,
    asked: Preferences,
    rows: Sequence[Draft | _BadRow],
    judged: Sequence[Answer],
) -> Response:
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
    final = final and asked.wait > 0
    # The body is all that tells which rows were refused, and under which ids the others wait.
    well = all(each["status"] in {"applied", "unchanged"} for each in results)
    replayed = any(isinstance(each, Accepted) and each.replayed for each in judged)
    return _response(
        results, asked, final=final, minimal=asked.minimal and final and well, replayed=replayed
    )


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
    content = None if minimal else orjson.dumps({"results": results})
    return json_or_nothing(content, 200 if final else 202, headers)
