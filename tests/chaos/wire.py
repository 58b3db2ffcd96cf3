"""Requests go out, answers come back, and each is called what it is: known, refused or unknown."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from tests.chaos.history import Ending
from tests.chaos.wishes import Wish

_ACCEPTED = 202
_TOO_LONG = 12.0
_READ_TOO_LONG = 5.0

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """How a request ended, and what became of each of its commands.

    A row's `st` is `accepted`, `final` (with the HTTP status that waiting gives), `refused`
    (certainly never accepted), `reused` (the key is that of another payload) or `unknown`.
    """

    ending: Ending
    rows: list[Row]
    status: int | None
    error: str | None = None

    @property
    def uncertain(self) -> bool:
        return any(row["st"] == "unknown" for row in self.rows)


class Wire:
    """Both services, seen from outside."""

    def __init__(self, command_url: str, query_url: str) -> None:
        self._command_url = command_url
        self._query_url = query_url
        self._http = httpx.AsyncClient(
            trust_env=False,
            timeout=_TOO_LONG,
            limits=httpx.Limits(max_connections=200, max_keepalive_connections=60),
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def single(self, wish: Wish, key: str | None, wait: int) -> Reply:
        method, path, headers, body = wish.request()
        answer = await self._send(method, path, headers, body, key, wait)
        if isinstance(answer, str):
            return Reply("info", [{"st": "unknown"}], None, answer)
        return _single(answer)

    async def batch(self, wishes: Sequence[Wish], key: str | None, wait: int) -> Reply:
        body = {"commands": [wish.row() for wish in wishes]}
        answer = await self._send("POST", "/items/batch", {}, body, key, wait)
        if isinstance(answer, str):
            return Reply("info", [{"st": "unknown"}] * len(wishes), None, answer)
        return _batch(answer, len(wishes))

    async def _send(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: dict[str, Any] | None,
        key: str | None,
        wait: int,
    ) -> httpx.Response | str:
        if key is not None:
            headers["Idempotency-Key"] = key
        if wait:
            headers["Prefer"] = f"wait={wait}"
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        try:
            return await self._http.request(
                method, self._command_url + path, headers=headers, json=body, timeout=_TOO_LONG
            )
        except httpx.HTTPError as error:
            return f"{type(error).__name__}: {error}"

    async def get(self, path: str) -> tuple[int, Any] | str:
        """Read from the query API: status and document, or what went wrong."""
        try:
            answer = await self._http.get(self._query_url + path, timeout=_READ_TOO_LONG)
            return answer.status_code, json.loads(answer.content) if answer.content else None
        except (httpx.HTTPError, ValueError) as error:
            return f"{type(error).__name__}: {error}"


def _single(answer: httpx.Response) -> Reply:
    status, headers = answer.status_code, answer.headers
    document = _document(answer)
    if document is None:
        return Reply("info", [{"st": "unknown"}], status, "no whole answer")
    token, replayed = headers.get("consistency-token"), "idempotent-replayed" in headers
    if status == _ACCEPTED:
        row = {
            "st": "accepted",
            "cmd": document["command_id"],
            "item": document["item_id"],
            "token": document["token"],
            "replayed": replayed,
        }
        return Reply("ok", [row], status)
    if answer.is_success or (token is not None and answer.is_client_error):
        tag = headers.get("etag", "")
        row = {
            "st": "final",
            "http": status,
            "token": token,
            "replayed": replayed,
            "ver": int(tag.strip('"')) if tag else document.get("current_version"),
            "code": document.get("code"),
            "item": document.get("id"),
            "digest": hashlib.sha256(answer.content).hexdigest()[:16],
        }
        return Reply("ok" if answer.is_success else "fail", [row], status)
    return _not_taken(answer, document, 1)


def _batch(answer: httpx.Response, count: int) -> Reply:
    document = _document(answer)
    if document is None:
        return Reply("info", [{"st": "unknown"}] * count, answer.status_code, "no whole answer")
    if not answer.is_success:
        return _not_taken(answer, document, count)
    replayed = "idempotent-replayed" in answer.headers
    rows = [{**_batch_row(each), "replayed": replayed} for each in document["results"]]
    return Reply("ok", rows, answer.status_code)


def _batch_row(result: dict[str, Any]) -> Row:
    problem = result.get("problem") or {}
    row: Row = {"cmd": result["command_id"], "item": result["item_id"]}
    match result["status"]:
        case "accepted":
            return row | {"st": "accepted"}
        case "unknown":
            return row | {"st": "unknown"}
        case "rejected" if problem["code"] == "idempotency-key-reused":
            return row | {"st": "reused"}
        case "rejected" if result["command_id"] is None or problem["code"] == "not-accepted":
            return row | {"st": "refused", "code": problem["code"], "http": problem["status"]}
        case "rejected":
            return row | {"st": "final", "code": problem["code"], "http": problem["status"]}
        case status:
            return row | {"st": "final", "outcome": status}


def _not_taken(answer: httpx.Response, document: dict[str, Any], count: int) -> Reply:
    status, code = answer.status_code, document.get("code")
    if code == "idempotency-key-reused":
        return Reply("fail", [{"st": "reused", "code": code}] * count, status)
    if answer.is_client_error or (
        status == httpx.codes.SERVICE_UNAVAILABLE and code == "not-accepted"
    ):
        return Reply("fail", [{"st": "refused", "code": code, "http": status}] * count, status)
    row: Row = {"st": "unknown"}
    if count == 1:
        row["cmd"] = document.get("command_id")
    return Reply("info", [row] * count, status, str(code))


def _document(answer: httpx.Response) -> dict[str, Any] | None:
    if not answer.content:
        return {}
    try:
        document = json.loads(answer.content)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
