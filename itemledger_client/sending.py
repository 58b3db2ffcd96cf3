"""How a write is sent, and what its answer says: accepted for now, or what became of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Never
from urllib.parse import quote

from itemledger_client.problems import problem_of
from itemledger_client.results import Written
from itemledger_client.session import Session, insist, new_key, understood, whole_seconds
from itemledger_client.steps import Answer, Request, Steps
from itemledger_client.values import Item, ScheduledPrice, written


@dataclass(frozen=True, slots=True)
class Terms:
    """How a write is meant: how many seconds it waits, under which key, until when it is wanted,
    and for which state of the item.
    """

    wait: float | None = None
    key: str | None = None
    deadline: datetime | str | None = None
    if_version: int | None = None
    only_new: bool = False

    def headers(self, key: str) -> dict[str, str]:
        headers = {"Idempotency-Key": key}
        if self.wait is not None:
            headers["Prefer"] = f"wait={whole_seconds(self.wait)}"
        if self.deadline is not None:
            headers["Command-Deadline"] = written(self.deadline)
        if self.if_version is not None:
            headers["If-Match"] = f'"{self.if_version}"'
        if self.only_new:
            headers["If-None-Match"] = "*"
        return headers


def write(
    session: Session,
    method: str,
    path: str,
    body: Mapping[str, Any],
    terms: Terms,
    item_id: str | None = None,
) -> Steps[Never, Written]:
    """Send a command and read what is known of it then; remember its token for reads."""
    key = terms.key or new_key()
    answer = yield from insist(session, to_send(session, method, path, body, terms, key), key=key)
    token = answer.headers.get("consistency-token")
    if not answer.is_success:
        if token is not None:
            # It was judged, and refused: who reads next is to see by what.
            session.tokens.add(token, item_id)
        raise refusal(answer, key)
    result = _read(answer, key, item_id)
    session.tokens.add(result.token, result.item_id)
    return result


def to_send(
    session: Session, method: str, path: str, body: Mapping[str, Any], terms: Terms, key: str
) -> Request:
    headers = terms.headers(key)
    timeout = session.timeout + whole_seconds(terms.wait or 0)
    # A patch of nothing is a patch: `{}`, which changes nothing.
    if method == "DELETE" or not (body or method == "PATCH"):
        # A body of a DELETE is lost on the way where somebody in between does not expect one.
        return session.to_command(method, path, params=body, headers=headers, timeout=timeout)
    headers["Content-Type"] = "application/json"
    content = json.dumps(body).encode()
    return session.to_command(method, path, content=content, headers=headers, timeout=timeout)


def refusal(answer: Answer, key: str) -> Exception:
    """Make the Problem of a write that was refused."""
    problem = problem_of(answer)
    problem.key = key
    return problem


def is_replayed(answer: Answer) -> bool:
    return answer.headers.get("idempotent-replayed") == "true"


def item_path(item_id: str) -> str:
    return f"/items/{quote(item_id, safe='')}"


def final(
    body: Mapping[str, Any] | None, token: str, key: str, item_id: str, *, replayed: bool = False
) -> Written:
    """Read the body of a final answer: an item, a scheduled price, or nothing.

    Raises KeyError and ValueError where it is none of them.
    """
    if body is None:
        return Written(True, token, key, replayed, item_id)
    if "effective_from" in body:
        price = ScheduledPrice.of(body)
        return Written(
            *(True, token, key, replayed, price.item_id),
            scheduled_price=price,
            schedule_id=price.id,
        )
    item = Item.of(body)
    return Written(True, token, key, replayed, item.id, item=item)


def _read(answer: Answer, key: str, item_id: str | None) -> Written:
    """Read what became of a write. Raises NotUnderstood."""
    replayed = is_replayed(answer)
    token = answer.headers.get("consistency-token", "")
    match answer.status:
        case 202:
            return understood(answer, lambda told: _accepted(told, key, replayed=replayed))
        case 204:
            return final(None, token, key, item_id or "", replayed=replayed)
        case _:
            return understood(
                answer, lambda told: final(told, token, key, item_id or "", replayed=replayed)
            )


def _accepted(told: Mapping[str, Any], key: str, *, replayed: bool) -> Written:
    return Written(
        *(False, told["token"], key, replayed, told["item_id"]),
        command_id=told["command_id"],
        schedule_id=told.get("schedule_id"),
    )
