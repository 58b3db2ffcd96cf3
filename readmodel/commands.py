"""What became of a command: final outcomes from the ledger, the others from the log."""

import re
from collections.abc import Mapping
from typing import Any

import orjson
from flask import Response, request
from sqlalchemy import Connection, Engine, Row, bindparam, select

from eventlog.inspect import LogInspector
from ledger import epochs, heads, quarantine
from ledger.quarantine import Quarantined
from ledger.tables import outcomes
from readmodel import params
from readmodel.answers import REVALIDATE, answer
from readmodel.problem_codes import COMMAND_LOST, COMMAND_NOT_FOUND, title_of
from readmodel.problems import RETRY_AFTER, Trouble, problem
from readmodel.tokens import is_lost
from readmodel.views import items, schedules
from runtime.positions import MalformedToken, Position
from runtime.problems import PROBLEM_JSON, Problem
from runtime.request_ids import named
from runtime.row_ids import whole_of
from runtime.times import rfc3339

# Ids are given out by the command API; nothing else has to be looked for.
_COMMAND_ID = re.compile(r"[A-Za-z0-9._~-]{1,64}")
_CREATED, _NO_CONTENT = 201, 204
_LOST = "the log lost this command after it was accepted, and it was never applied; send it again"

_OUTCOMES = select(outcomes).where(
    outcomes.c.command_id.in_([bindparam("command_id"), bindparam("rejected")])
)


class CommandRoutes:
    """Answers for commands; `inspector` is asked only about those without an outcome."""

    def __init__(
        self, reads: Engine, inspector: LogInspector, query_url: str, command_url: str
    ) -> None:
        self._reads = reads
        self._inspector = inspector
        self._query_url = query_url
        self._command_url = command_url

    def command(self, command_id: str) -> Response:
        given = params.read(request.args, {"token": _position})
        position: Position | None = given.get("token")
        if _COMMAND_ID.fullmatch(command_id) is None:
            raise _not_found(command_id)
        final = self._final(command_id, position)
        if final is not None:
            return final
        # First: where the database was set back, the log may remember what nobody has any more.
        if position is not None and self._is_recorded_lost(position):
            return self._lost(command_id, position)
        partition = None if position is None else position.partition
        if self._inspector.is_waiting(whole_of(command_id) or command_id, partition):
            return self._accepted(command_id, position)
        # Between the two looks it may have been applied and forgotten by the log.
        final = self._final(command_id, position)
        if final is not None:
            return final
        if position is not None and self._is_lost(position):
            return self._lost(command_id, position)
        raise _not_found(command_id)

    def _is_recorded_lost(self, position: Position) -> bool:
        with self._reads.connect() as connection:
            return is_lost(connection, position)

    def _is_lost(self, position: Position) -> bool:
        with self._reads.connect() as connection:
            taken = epochs.taken(connection, position.partition, position.epoch)
        # What was taken has had an outcome, and only that may be forgotten by now.
        return position.n > taken and self._inspector.has_lost(position)

    def _lost(self, command_id: str, position: Position) -> Response:
        lost = Problem(COMMAND_LOST.status, COMMAND_LOST.code, COMMAND_LOST.title, _LOST)
        outcome = _answered(
            COMMAND_LOST.status, {"Content-Type": PROBLEM_JSON}, lost.document(self._query_url)
        )
        link = f"{self._query_url}/commands/{command_id}?token={position.token}"
        return answer(
            orjson.dumps(
                {
                    "command_id": command_id,
                    "status": "lost",
                    "outcome": outcome,
                    "token": position.token,
                    "links": {"command": link},
                }
            )
        )

    def _set_aside(self, found: Quarantined, command_id: str) -> Response:
        token = found.position.token
        links = {"command": f"{self._query_url}/commands/{command_id}?token={token}"}
        if found.item_id is not None:
            links["item"] = self._item_url(found.item_id)
        return answer(
            orjson.dumps(
                {
                    "command_id": command_id,
                    "item_id": found.item_id,
                    "status": found.state,
                    "since": rfc3339(found.since),
                    "token": token,
                    "links": links,
                }
            ),
            {**REVALIDATE, **RETRY_AFTER},
        )

    def _accepted(self, command_id: str, position: Position | None) -> Response:
        members: dict[str, Any] = {"command_id": command_id, "status": "accepted"}
        query = ""
        if position is not None:
            members["token"] = position.token
            query = f"?token={position.token}"
        members["links"] = {"command": f"{self._query_url}/commands/{command_id}{query}"}
        return answer(orjson.dumps(members), {**REVALIDATE, **RETRY_AFTER})

    def _final(self, command_id: str, position: Position | None) -> Response | None:
        with self._reads.connect() as connection:
            row = _outcome_of(connection, command_id, position)
            if row is None:
                found = quarantine.find(connection, command_id)
                if found is None and (whole := whole_of(command_id)) is not None:
                    # Of an atomic batch all rows are set aside together, under its own id.
                    found = quarantine.find(connection, whole)
                return None if found is None else self._set_aside(found, command_id)
            token = Position(row.partition, row.epoch, row.n).token
            outcome = self._outcome(connection, row, token)
        return answer(
            orjson.dumps(
                {
                    "command_id": command_id,
                    "item_id": row.item_id,
                    "status": row.status,
                    "outcome": outcome,
                    "completed_at": rfc3339(row.completed_at),
                    **named(row.request_id, row.trace),
                    "token": token,
                    "links": {
                        "command": f"{self._query_url}/commands/{command_id}?token={token}",
                        "item": self._item_url(row.item_id),
                    },
                }
            )
        )

    def _outcome(
        self, connection: Connection, row: Row[*tuple[Any, ...]], token: str
    ) -> Mapping[str, object]:
        """Write what waiting for the command would have answered."""
        headers = {"Consistency-Token": token}
        if row.code is not None:
            refusal = Problem(
                status=row.http_status,
                code=row.code,
                title=title_of(row.code),
                detail=row.detail or "",
                extra={"current_version": row.version} if row.version else {},
            )
            headers["Content-Type"] = PROBLEM_JSON
            return _answered(row.http_status, headers, refusal.document(self._command_url))
        if row.http_status == _NO_CONTENT:
            return _answered(row.http_status, headers, None)
        headers["Content-Type"] = "application/json"
        headers["ETag"] = f'"{row.version}"'
        scheduled = None
        if row.http_status == _CREATED:
            scheduled = schedules.asked_at(connection, row.item_id, row.version)
            headers["Location"] = self._item_url(row.item_id)
        if scheduled is not None:
            headers["Location"] += f"/scheduled-prices/{scheduled.id}"
            body = scheduled.render()
        else:
            body = _body_at(connection, row.item_id, row.version)
        return _answered(row.http_status, headers, orjson.Fragment(body))

    def _item_url(self, item_id: str) -> str:
        return f"{self._query_url}/items/{item_id}"


def _outcome_of(
    connection: Connection, command_id: str, position: Position | None
) -> Row[*tuple[Any, ...]] | None:
    """Find an outcome. A key that was used again for another payload gives the same id at another
    position: that one was refused, and may be a row that the first payload did not have.
    """
    rejected = command_id if position is None else f"{command_id}@{position.token}"
    names = {"command_id": command_id, "rejected": rejected}
    found = {row.command_id: row for row in connection.execute(_OUTCOMES, names)}
    return found.get(rejected) or found.get(command_id)


def _answered(status: int, headers: Mapping[str, str], body: object) -> Mapping[str, object]:
    return {"status": status, "headers": headers, "body": body}


def _body_at(connection: Connection, item_id: str, version: int) -> str:
    """Render the item as it was at a version; as it is now it is rendered already."""
    current = items.find(connection, item_id)
    if current is not None and current.version == version:
        return current.body
    item = heads.at_version(connection, item_id, version)
    if item is None:
        raise LookupError(f"item {item_id} has an outcome at version {version} and no events")
    return items.render(item)


def _position(token: str) -> Position:
    try:
        return Position.from_token(token)
    except MalformedToken as error:
        raise params.BadValue("malformed-token", str(error)) from error


def _not_found(command_id: str) -> Trouble:
    return Trouble(problem(COMMAND_NOT_FOUND, f"no command {command_id} is known"))
