"""HTTP answers to commands: accepted for now, or final as a synchronous API would have answered."""

from collections.abc import Mapping
from typing import Any, assert_never

import orjson
from fastapi import Response

from api.accept import Accepted, Answer, KeyReused, Refused, Uncertain
from api.problems import (
    ProblemAnswer,
    ProblemRaised,
    key_reused,
    not_accepted,
    outcome_unknown,
    refused,
    retry_after,
)
from domain.commands import SchedulePrice
from eventlog.notices import Notice
from runtime.preferences import Preferences
from runtime.problems import Problem

_CREATED = 201
_NO_CONTENT = 204


class Answers:
    """Knows the public URLs that answers point to."""

    def __init__(self, command_url: str, query_url: str) -> None:
        self._command_url = command_url
        self._query_url = query_url

    def single(self, answer: Answer, preferences: Preferences) -> Response:
        """Answer one command."""
        match answer:
            case Accepted(notice=None):
                return self._later(answer, preferences)
            case Accepted(notice=notice) if notice is not None:
                return self._final(answer, notice, preferences)
            case _:
                return self._problem(_trouble(answer), answer)

    def raised(self, raised: ProblemRaised) -> Response:
        """Answer with a problem that ends a request."""
        return ProblemAnswer(raised.problem, self._command_url, raised.headers)

    def row(self, number: int, answer: Answer) -> dict[str, Any]:
        """Answer one row of a batch."""
        document: dict[str, Any] = {"row": number, "status": "accepted"}
        match answer:
            case Accepted(notice=None):
                pass
            case Accepted(notice=notice) if notice is not None:
                document["status"] = notice.outcome.status
                if notice.outcome.code is not None:
                    document["problem"] = refused(notice.outcome).document(self._command_url)
            case _:
                document["status"] = "unknown" if isinstance(answer, Uncertain) else "rejected"
                document["problem"] = _trouble(answer).document(self._command_url)
        document["command_id"] = answer.draft.id
        document["item_id"] = answer.draft.command.item_id
        if isinstance(answer, Accepted):
            document["token"] = answer.position.token
        return document

    def bad_row(self, number: int, item_id: str | None, problem: Problem) -> dict[str, Any]:
        """Answer a row that never became a command."""
        return {
            "row": number,
            "status": "rejected",
            "command_id": None,
            "item_id": item_id,
            "problem": problem.document(self._command_url),
        }

    def plain(self, answer: Accepted) -> tuple[dict[str, str], bytes]:
        """Write headers and body for a command that is accepted, and no more was asked for."""
        draft, token = answer.draft, answer.position.token
        command_url = f"{self._query_url}/commands/{draft.id}?token={token}"
        item_url = self._item_url(answer)
        headers = {
            "Location": command_url,
            "Consistency-Token": token,
            "Retry-After": "1",
            "Vary": "Prefer",
            **_replayed(answer),
        }
        body: dict[str, Any] = {
            "command_id": draft.id,
            "item_id": draft.command.item_id,
            "status": "accepted",
            "token": token,
            "links": {"command": command_url, "item": item_url},
        }
        if isinstance(draft.command, SchedulePrice):
            body["schedule_id"] = draft.id
            body["links"]["scheduled_price"] = f"{item_url}/scheduled-prices/{draft.id}"
        return headers, orjson.dumps(body)

    def _later(self, answer: Accepted, preferences: Preferences) -> Response:
        headers, body = self.plain(answer)
        applied = ["respond-async"] if preferences.asked_async else []
        if preferences.minimal:
            applied.append("return=minimal")
        if applied:
            headers["Preference-Applied"] = ", ".join(applied)
        return json_or_nothing(None if preferences.minimal else body, 202, headers)

    def _final(self, answer: Accepted, notice: Notice, preferences: Preferences) -> Response:
        outcome = notice.outcome
        applied = [f"wait={preferences.wait}"]
        headers = {
            "Consistency-Token": answer.position.token,
            "Vary": "Prefer",
            **_replayed(answer),
        }
        if outcome.code is not None:
            headers["Preference-Applied"] = applied[0]
            return ProblemAnswer(refused(outcome), self._command_url, headers)
        if preferences.minimal:
            applied.append("return=minimal")
        headers["Preference-Applied"] = ", ".join(applied)
        if outcome.http_status == _NO_CONTENT:
            return Response(status_code=_NO_CONTENT, headers=headers)
        headers["ETag"] = f'"{outcome.version}"'
        if outcome.http_status == _CREATED:
            headers["Location"] = self._item_url(answer)
            if isinstance(answer.draft.command, SchedulePrice):
                headers["Location"] += f"/scheduled-prices/{answer.draft.id}"
        content = None if preferences.minimal else (notice.body or "").encode()
        return json_or_nothing(content, outcome.http_status, headers)

    def _problem(self, problem: Problem, answer: Answer) -> Response:
        headers: dict[str, str] = {}
        if isinstance(answer, Refused | Uncertain):
            headers = retry_after(lasting=isinstance(answer, Refused) and answer.lasting)
        return ProblemAnswer(problem, self._command_url, headers)

    def _item_url(self, answer: Accepted) -> str:
        return f"{self._query_url}/items/{answer.draft.command.item_id}"


def json_or_nothing(content: bytes | None, status: int, headers: Mapping[str, str]) -> Response:
    """Answer with a document, or with `return=minimal` with nothing, which has no type either."""
    media_type = None if content is None else "application/json"
    return Response(content, status, dict(headers), media_type=media_type)


def _trouble(answer: Answer) -> Problem:
    match answer:
        case KeyReused():
            return key_reused()
        case Refused(why=why, lasting=lasting):
            return not_accepted(why, lasting=lasting)
        case Uncertain(draft=draft, why=why):
            return outcome_unknown(draft.id, why)
        case Accepted():
            raise AssertionError("an accepted command is no trouble")
        case _:
            assert_never(answer)


def _replayed(answer: Accepted) -> dict[str, str]:
    return {"Idempotent-Replayed": "true"} if answer.replayed else {}
