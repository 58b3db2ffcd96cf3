"""What became of a command that was accepted."""

from typing import Any, Never
from urllib.parse import quote

from itemledger_client.problems import NotUnderstood, NotYet, SetAside
from itemledger_client.results import Command, Written
from itemledger_client.sending import final, item_path
from itemledger_client.session import (
    Session,
    insist,
    succeeded,
    understood,
    whole_seconds,
)
from itemledger_client.steps import Pause, Steps

_BETWEEN_LOOKS = 0.1


def command(
    session: Session, command_id: str, *, token: str | None = None
) -> Steps[Never, Command]:
    """Look at a command. With the token of its write, one that is not applied yet is told from one
    that is unknown, which is NotFound.
    """
    path = f"/commands/{quote(command_id, safe='')}"
    request = session.to_query(path, {"token": token})
    return understood(succeeded((yield from insist(session, request))), Command.of)


def outcome(session: Session, written: Written, *, within: float = 30.0) -> Steps[Never, Written]:
    """Wait until a write is final, for so many seconds, and return what waiting for it at once
    would have. Raises the Problem it was refused with; CommandLost; SetAside where an operator has
    to decide about it; NotYet where the time is over.
    """
    if written.final or written.command_id is None:
        return written
    until = session.clock() + within
    while True:
        found = yield from command(session, written.command_id, token=written.token)
        if found.status != "accepted":
            return _final(found, written)
        left = until - session.clock()
        if left <= 0:
            raise NotYet(f"command {written.command_id} is not applied after {within:g} s")
        yield from _until_taken(session, written, left)


def _until_taken(session: Session, written: Written, left: float) -> Steps[Never, None]:
    """Wait at the query API until the ledger has come to the command, which any read of the ledger
    does that has its token; whatever that answers.
    """
    wait = max(1, whole_seconds(left))
    request = session.to_query(
        f"{item_path(written.item_id)}/history",
        {"limit": 1},
        headers={"Consistency-Token": written.token, "Prefer": f"wait={wait}"},
        timeout=session.timeout + wait,
    )
    answer = yield from insist(session, request)
    if "projection-lag" in answer.headers or not answer.is_success:
        # It may have been told at once, where too many wait already.
        yield Pause(min(left, _BETWEEN_LOOKS))


def _final(found: Command, written: Written) -> Written:
    if found.status in {"dead", "parked"}:
        raise SetAside(f"command {found.command_id} is {found.status}: an operator has to decide")
    problem = found.problem
    if problem is not None:
        problem.key = written.key
        raise problem
    try:
        body: Any = (found.outcome or {})["body"]
        return final(body, written.token, written.key, written.item_id, replayed=written.replayed)
    except (KeyError, ValueError, TypeError) as error:
        raise NotUnderstood(f"the outcome of {found.command_id} is of no known form") from error
