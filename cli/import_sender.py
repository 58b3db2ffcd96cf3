"""Sending one batch until every row of it is final, whatever happens on the way."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx
import orjson

from cli.import_rows import Batch, Reject, Row
from cli.reach import Service
from cli.refusals import FAILED, UNREACHABLE, Refusal, first_line

WAIT = 30
_TIMEOUT = httpx.Timeout(10.0, read=WAIT + 15.0, write=WAIT + 15.0, pool=None)
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_ACCEPTED_BEFORE = frozenset({"accepted", "unknown", "parked"})
# Of a row whose command met a defect and was discarded: final, although its problem is a 500.
_GIVEN_UP = "dead"

Pause = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Done:
    """All rows of a batch are final."""

    applied: int
    unchanged: int
    rejects: tuple[Reject, ...]

    @property
    def rows(self) -> int:
        return self.applied + self.unchanged + len(self.rejects)


@dataclass(frozen=True, slots=True)
class Again:
    """The batch has to be sent again, not before `after` seconds."""

    why: str
    after: float


class Sender:
    """Sends batches of one file under one key to the command API.

    Gives up once nothing has become final for `patience` seconds.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        service: Service,
        key_of: Callable[[Batch], str],
        patience: float,
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._client = client
        self._service = service
        self._key_of = key_of
        self._patience = patience
        self._pause = pause
        self._moved_at = time.monotonic()

    async def send(self, batch: Batch) -> Done:
        """Send a batch, with the same bytes under the same key each time, until it is final.

        Raises Refusal where the service cannot be reached for too long, or does not want it.
        """
        body, key = batch.body(), self._key_of(batch)
        pause = _FIRST_PAUSE
        while True:
            match await self._try(batch, body, key):
                case Done() as done:
                    self._moved_at = time.monotonic()
                    return done
                case Again(why, after):
                    if time.monotonic() - self._moved_at >= self._patience:
                        raise Refusal(
                            f"{self._service.url} has not moved on for {self._patience:g} s "
                            f"({why}): {self._service.start}",
                            UNREACHABLE,
                        )
                    await self._pause(max(pause, after))
                    pause = min(2 * pause, _LONGEST_PAUSE)

    async def _try(self, batch: Batch, body: bytes, key: str) -> Done | Again:
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": key,
            "Prefer": f"wait={WAIT}",
        }
        try:
            answer = await self._client.post(
                f"{self._service.url}/items/batch", content=body, headers=headers, timeout=_TIMEOUT
            )
        except httpx.TransportError as error:
            return Again(f"{type(error).__name__} {first_line(error)}".strip(), 0)
        after = _seconds(answer.headers.get("Retry-After"))
        if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS or answer.is_server_error:
            return Again(f"it answers {answer.status_code}: {_detail(answer)}", after)
        if answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            raise Refusal(
                f"{self._service.url} takes no commands (405), as the query API does not: "
                f"{self._service.mend}",
                UNREACHABLE,
            )
        if answer.is_client_error:
            first, last = batch.rows[0].number, batch.rows[-1].number
            raise Refusal(
                f"{self._service.url} does not take rows {first} to {last}: "
                f"{answer.status_code} {_detail(answer)}",
                FAILED,
            )
        results = _results(answer)
        if results is None or len(results) != len(batch.rows):
            raise Refusal(
                f"{self._service.url} answers, but not as itemledger's command API: "
                f"{self._service.mend}",
                UNREACHABLE,
            )
        return _judge(batch.rows, results, after)


def _judge(rows: Sequence[Row], results: Sequence[Any], after: float) -> Done | Again:
    counts = {"applied": 0, "unchanged": 0}
    rejects: list[Reject] = []
    for row, result in zip(rows, results, strict=True):
        status: str = result["status"]
        problem: Mapping[str, Any] = result.get("problem") or {}
        if status in counts:
            counts[status] += 1
        elif status in _ACCEPTED_BEFORE or (status != _GIVEN_UP and _is_passing(problem)):
            why = problem.get("detail") or f"it is {status}, and not final"
            return Again(f"row {row.number}: {why}", after)
        else:
            code = problem.get("code") or status
            rejects.append(Reject(row.number, row.item_id, code, _reason(problem, status)))
    return Done(counts["applied"], counts["unchanged"], tuple(rejects))


def _is_passing(problem: Mapping[str, Any]) -> bool:
    status = problem.get("status", 0)
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _reason(problem: Mapping[str, Any], status: str) -> str:
    """Tell what is wrong with a row by its own members: in which batch it was is nobody's matter.

    A spot is `/commands/<place in the batch>/<member>`.
    """
    errors = problem.get("errors")
    if not errors:
        return str(problem.get("detail") or status)
    told = [(each.get("pointer", "").split("/", 3)[3:], each["detail"]) for each in errors]
    return "; ".join(f"{spot[0]}: {detail}" if spot else detail for spot, detail in told)


def _results(answer: httpx.Response) -> list[Any] | None:
    try:
        return orjson.loads(answer.content)["results"] if answer.is_success else None
    except (ValueError, KeyError, TypeError):
        return None


def _detail(answer: httpx.Response) -> str:
    try:
        problem = orjson.loads(answer.content)
        return f"{problem['code']}, {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return answer.reason_phrase


def _seconds(retry_after: str | None) -> float:
    """Read a Retry-After in seconds; as a date it is left to our own pauses."""
    return float(retry_after) if retry_after is not None and retry_after.isdecimal() else 0.0
