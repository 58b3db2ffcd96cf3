"""Reads that are never behind this client's own writes."""

from dataclasses import dataclass, replace
from typing import Never

from itemledger_client.problems import CommandLost, problem_of
from itemledger_client.session import Session, insist, succeeded, whole_seconds
from itemledger_client.steps import Answer, Request, Steps


@dataclass(frozen=True, slots=True)
class Reading:
    """A read. `what` names its kind, and `probe` is one of the same kind that is cheap: it sees
    whether a write is in. Where to wait means something else (`waits` is false), the service is
    not to wait for the write, but asked again.
    """

    request: Request
    what: str
    probe: Request
    item_id: str | None = None
    waits: bool = True


def fresh(session: Session, reading: Reading) -> Steps[Never, Answer]:
    """Read what has this client's own writes. Raises Problem, ProjectionBehind among them, and
    Unreachable.
    """
    needed: tuple[str, ...] = ()
    if session.own_writes != "ignore":
        needed = session.tokens.needed(reading.what, reading.item_id)
    if not needed:
        return succeeded((yield from insist(session, reading.request)))
    for token in needed[:-1]:
        yield from _with_token(session, reading, reading.probe, token)
    return (yield from _with_token(session, reading, reading.request, needed[-1]))


def _with_token(
    session: Session, reading: Reading, request: Request, token: str
) -> Steps[Never, Answer]:
    wait = whole_seconds(session.timeout) if reading.waits else 0
    preferred = [*([f"wait={wait}"] if wait else []), f"handling={session.own_writes}"]
    headers = {"Consistency-Token": token, "Prefer": ", ".join(preferred)}
    asked = replace(request, headers={**request.headers, **headers}, timeout=request.timeout + wait)
    answer = yield from insist(session, asked)
    if answer.is_success:
        if "projection-lag" not in answer.headers:
            session.tokens.covered(reading.what, token)
        return answer
    problem = problem_of(answer)
    if isinstance(problem, CommandLost):
        # Told once; the reads after this one are about what there is.
        session.tokens.forget(token)
    raise problem
