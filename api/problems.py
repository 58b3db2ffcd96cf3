"""Every error of the command API as a problem document, the framework's own included."""

from collections.abc import Mapping, Sequence

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from api.meter import note_problem
from domain.outcomes import Outcome
from domain.refusals import REFUSALS, ScheduleNotPending
from runtime.problem_pages import OF_OUTCOMES
from runtime.problems import PROBLEM_JSON, Problem

_TITLES = {each.code: each.title for each in (*REFUSALS, *OF_OUTCOMES)}
_FRAMEWORK_CODES: Mapping[int, tuple[str, str]] = {
    400: ("bad-request", "The request can not be read"),
    404: ("not-found", "There is nothing here"),
    405: ("method-not-allowed", "This method does not work here"),
    415: ("unsupported-media-type", "The body is of a type that is not taken here"),
}
_READS = frozenset({"GET", "HEAD"})


class ProblemRaised(Exception):
    """Ends a request with a problem and, where needed, headers."""

    def __init__(self, problem: Problem, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.headers = dict(headers or {})


class ProblemAnswer(Response):
    """A problem on its way to the client; `service_url` is that of the service that explains it."""

    def __init__(
        self, problem: Problem, service_url: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(
            problem.body(service_url), problem.status, headers, media_type=PROBLEM_JSON
        )
        self._code = problem.code

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        note_problem(scope, self._code)
        await super().__call__(scope, receive, send)


def bad_header(header: str, detail: str, code: str = "malformed") -> ProblemRaised:
    errors = [{"header": header, "code": code, "detail": detail}]
    return ProblemRaised(
        Problem(400, "malformed-header", "A header can not be read", f"{header}: {detail}", errors)
    )


def bad_parameter(parameter: str, code: str, detail: str) -> ProblemRaised:
    errors = [{"parameter": parameter, "code": code, "detail": detail}]
    title = "A query parameter is not right"
    return ProblemRaised(Problem(400, "bad-parameter", title, f"{parameter}: {detail}", errors))


def not_json(detail: str) -> ProblemRaised:
    return ProblemRaised(Problem(400, "not-json", "The body is not JSON", detail))


def invalid_body(errors: Sequence[Mapping[str, str]]) -> Problem:
    detail = "; ".join(f"{each['pointer'] or 'the body'}: {each['detail']}" for each in errors[:3])
    return Problem(422, "invalid-body", "The body is not what is asked for here", detail, errors)


def too_large() -> Problem:
    return Problem(
        413,
        "body-too-large",
        "The body is too large",
        "a body has at most 1 MiB here, that of a batch 8 MiB",
    )


def not_accepted(why: str, *, lasting: bool = False) -> Problem:
    """Say why; `lasting` is what somebody has to mend first, so that to try again is no advice."""
    detail = why if lasting else f"{why}; try again"
    return Problem(503, "not-accepted", "Certainly not accepted", detail)


def retry_after(*, lasting: bool = False) -> dict[str, str]:
    """Make the header that says in how many seconds it pays to try again."""
    return {"Retry-After": "30" if lasting else "1"}


def outcome_unknown(command_id: str, why: str) -> Problem:
    return Problem(
        504,
        "outcome-unknown",
        "It is not known whether the command was accepted",
        f"{why}; the same Idempotency-Key may be sent again safely",
        extra={"command_id": command_id},
    )


def told_to_stop() -> Problem:
    """Say that the service ends before a request does."""
    return Problem(
        504,
        "outcome-unknown",
        "It is not known whether the command was accepted",
        "the service is being stopped and could not wait any longer; the same Idempotency-Key may "
        "be sent again safely, as soon as it is there again",
    )


def precondition_required() -> Problem:
    return Problem(
        428,
        "precondition-required",
        "A condition is required here",
        'send If-Match with the version you have read, such as "7", or If-None-Match: * to create',
    )


def no_such_schedule(item_id: str) -> Problem:
    code = ScheduleNotPending.code
    detail = f"item {item_id} has no such scheduled price that is pending"
    return Problem(404, code, ScheduleNotPending.title, detail)


def key_reused() -> Problem:
    return Problem(
        422,
        "idempotency-key-reused",
        "The Idempotency-Key was used for another payload",
        "the same caller sent this key with another payload to the same method and path",
    )


def refused(outcome: Outcome) -> Problem:
    """Say what a rejected command would have been answered synchronously."""
    code = outcome.code or ""
    return Problem(
        outcome.http_status,
        code,
        _TITLES.get(code, "The command was refused"),
        outcome.detail or "",
        extra={"current_version": outcome.version} if outcome.version else {},
    )


def internal_error() -> Problem:
    return Problem(
        500,
        "internal-error",
        "Something is broken here",
        "the error is in this service's log; nothing is known to have been accepted",
    )


def install(app: FastAPI, service_url: str, query_url: str) -> None:
    """Answer the exceptions that are expected with problems; `api.edge` sees to all others.
    `query_url` is told to who comes here to read.
    """

    def answer(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
        return ProblemAnswer(problem, service_url, headers)

    async def raised(_: Request, error: Exception) -> Response:
        if not isinstance(error, ProblemRaised):
            raise error
        return answer(error.problem, error.headers)

    async def of_the_framework(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        code, title = _FRAMEWORK_CODES.get(error.status_code, ("http-error", "The request failed"))
        headers = dict(error.headers or {})
        detail = str(error.detail)
        elsewhere = (
            f"; this is the command API, which takes changes: what is read, and the pages for "
            f"people, are at {query_url}"
            if request.method in _READS
            else ""
        )
        if error.status_code == 404:  # noqa: PLR2004
            detail = f"no such path: {request.url.path}{elsewhere or '; the paths are at /docs'}"
        if error.status_code == 405:  # noqa: PLR2004
            allowed = _allowed_methods(app, request)
            headers["Allow"] = ", ".join(allowed)
            detail = f"{request.method} does not work here; {' or '.join(allowed)} does{elsewhere}"
        return answer(Problem(error.status_code, code, title, detail), headers)

    async def gone(_: Request, __: Exception) -> Response:
        # Nobody reads this: the client went away while it was sending.
        return Response(status_code=400)

    app.add_exception_handler(ProblemRaised, raised)
    app.add_exception_handler(HTTPException, of_the_framework)
    app.add_exception_handler(ClientDisconnect, gone)


def _allowed_methods(app: FastAPI, request: Request) -> list[str]:
    return [
        method
        for method in ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in app.routes
        )
    ]
