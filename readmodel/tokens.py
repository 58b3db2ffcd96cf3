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


def refuse_lost(connection: Connection) -> None:
    """Raise Trouble where the request has a token that can not be read, or that of a command which
    the log lost: no read will ever show it.
    """
    token = request.headers.get(HEADER)
    if token is None:
        return
    try:
        position = Position.from_token(token)
    except MalformedToken as error:
        errors = [{"header": HEADER, "code": "malformed-token", "detail": str(error)}]
        detail = "a header is not right; errors says which and why"
        raise Trouble(problem(MALFORMED_HEADER, detail, errors=errors), FRESH_ONLY) from error
    if is_lost(connection, position):
        detail = "the log lost the command of this token, and it was never applied; send it again"
        raise Trouble(problem(COMMAND_LOST, detail), FRESH_ONLY)


def is_lost(connection: Connection, position: Position) -> bool:
    """Say whether the ledger knows that the command at this position will never come."""
    return gaps.swallowed(connection, position) or epochs.is_left(connection, position)
