"""What is answered to a batch."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from fastapi import Response

from api.accept import Accepted, Answer, Draft, KeyReused, Refused, Uncertain
from api.answers import Answers, json_or_nothing
from api.batch_rows import BadRow
from api.problems import ProblemRaised, not_accepted, outcome_unknown, retry_after
from runtime.preferences import Preferences
from runtime.row_ids import row_id

# A row of a batch that is accepted and whose outcome nobody waits for, as it is written out.
_ACCEPTED = '{"row":%d,"status":"accepted","command_id":"%s","item_id":"%s","token":"%d.%d.%d"}'

# Its number, its item, and where it stands: partition, epoch and n.
PlainRow = tuple[int, str, int, int, int]


def answer_batch(
    answers: Answers,
    asked: Preferences,
    rows: Sequence[Draft | BadRow],
    judged: Sequence[Answer],
) -> Response:
    """Answer every row in its place. Raises ProblemRaised where not a single one of those that are
    commands is known to be accepted: then it is as for one command.
    """
    _require_something_accepted(judged)
    in_order = iter(judged)
    results = [
        answers.bad_row(number, each.item_id, each.problem)
        if isinstance(each, BadRow)
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


def accepted_rows(batch_id: str, rows: Iterable[PlainRow]) -> bytes:
    """Write the body for a batch whose rows are all accepted, and no more was asked for."""
    # Neither ids nor tokens have anything that JSON would have to escape.
    written = ",".join(
        _ACCEPTED % (number, row_id(batch_id, number), item_id, partition, epoch, n)
        for number, item_id, partition, epoch, n in rows
    )
    return b'{"results":[%s]}' % written.encode()


def _require_something_accepted(judged: Sequence[Answer]) -> None:
    if not judged or any(isinstance(each, Accepted | KeyReused) for each in judged):
        return
    uncertain = next((each for each in judged if isinstance(each, Uncertain)), None)
    if uncertain is not None:
        raise ProblemRaised(outcome_unknown(uncertain.draft.id, uncertain.why), retry_after())
    first = next(each for each in judged if isinstance(each, Refused))
    raise ProblemRaised(
        not_accepted(first.why, lasting=first.lasting), retry_after(lasting=first.lasting)
    )


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
