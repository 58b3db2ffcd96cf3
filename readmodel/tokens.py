"""`Consistency-Token` of a request: what is known of the command it stands for."""

from flask import request
from sqlalchemy import Connection

from ledger import epochs, gaps
from readmodel.answers import FRESH_ONLY
from readmodel.problem_codes import COMMAND_LOST
from readmodel.problems import Trouble, problem
from runtime.positions import MalformedToken, Position
from runtime.problem_pages import MALFORMED_HEADER

HEADER = "Consistency-Token"


def read_token() -> Position | None:
    """Read the token of the request, if it has one. Raises Trouble where that is none."""
    sent = request.headers.get(HEADER)
    if sent is None:
        return None
    try:
        return Position.from_token(sent)
    except MalformedToken as error:
        raise malformed(str(error)) from error


def malformed(detail: str) -> Trouble:
    """Make the refusal of a token."""
    errors = [{"header": HEADER, "code": "malformed-token", "detail": detail}]
    why = "a header is not right; errors says which and why"
    return Trouble(problem(MALFORMED_HEADER, why, errors=errors), FRESH_ONLY)


def refuse_lost(connection: Connection, position: Position) -> None:
    """Raise Trouble where the log lost the command at this position: no read will ever show it."""
    if is_lost(connection, position):
        detail = "the log lost the command of this token, and it was never applied; send it again"
        raise Trouble(problem(COMMAND_LOST, detail), FRESH_ONLY)


def is_lost(connection: Connection, position: Position) -> bool:
    """Say whether the ledger knows that the command at this position will never come."""
    return gaps.swallowed(connection, position) or epochs.is_left(connection, position)
