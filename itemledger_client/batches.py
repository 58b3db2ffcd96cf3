"""Many commands in one request."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Never

from itemledger_client.results import Batch, Row, RowResult
from itemledger_client.sending import Terms, is_replayed, refusal, to_send
from itemledger_client.session import Session, insist, new_key, understood
from itemledger_client.steps import Answer, Steps

_ACCEPTED = 202
# What a row says that was not accepted for the moment, or nobody knows whether.
_PASSING = frozenset({429, 503, 504})


def batch(
    session: Session,
    rows: Sequence[Row],
    *,
    atomic: bool = False,
    reason: str | None = None,
    wait: float | None = None,
    key: str | None = None,
    deadline: datetime | str | None = None,
) -> Steps[Never, Batch]:
    """Send up to 1,000 commands in one request, each for itself, or `atomic`: all or none.

    Rows that were not accepted for the moment are sent again, under the same key, as long as
    patience lasts, and then told as they stand. Raises Problem where the whole batch is refused.
    """
    key = key or new_key()
    body: dict[str, Any] = {"commands": list(rows), "atomic": atomic}
    body |= {} if reason is None else {"reason": reason}
    request = to_send(session, "POST", "/items/batch", body, Terms(wait, key, deadline), key)
    answer = yield from insist(session, request, key=key, is_passing=_has_passing_rows)
    if not answer.is_success:
        raise refusal(answer, key)
    results = understood(answer, _rows)
    for each in results:
        if each.token is not None:
            session.tokens.add(each.token, each.item_id)
    return Batch(results, answer.status != _ACCEPTED, key, is_replayed(answer))


def _rows(document: Any) -> tuple[RowResult, ...]:
    return tuple(RowResult.of(each) for each in document["results"])


def _has_passing_rows(answer: Answer) -> bool:
    """Say whether any row may fare better when the batch is sent again."""
    if not answer.is_success:
        return False
    problems = [each.problem for each in understood(answer, _rows)]
    return any(each is not None and each.status in _PASSING for each in problems)
