"""Every error leaves as a problem document; no framework's own page ever does."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, request
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from structlog.typing import FilteringBoundLogger
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from eventlog.inspect import LogUnavailable
from readmodel.answers import FRESH_ONLY, REVALIDATE, Answer, answer
from readmodel.params import BadParameters
from readmodel.problem_codes import (
    BAD_PARAMETER,
    BAD_REQUEST,
    DATABASE_UNAVAILABLE,
    INTERNAL_ERROR,
    LOG_UNAVAILABLE,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    ProblemCode,
)
from readmodel.request_log import name_request
from runtime.auth.denied import Denied
from runtime.problem_pages import MALFORMED_HEADER
from runtime.problems import PROBLEM_JSON, Problem

RETRY_AFTER = {"Retry-After": "1"}
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Trouble(Exception):
    """Ends a request with a problem and these headers."""

    def __init__(self, problem: Problem, headers: Mapping[str, str] = REVALIDATE) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.headers = headers


def problem(code: ProblemCode, detail: str, **members: Any) -> Problem:
    return Problem(code.status, code.code, code.title, detail, **members)


def nothing_here(path: str) -> Trouble:
    return Trouble(problem(NOT_FOUND, f"there is no {path} here; the paths are at /openapi.json"))


def bad_header(header: str, code: str, detail: str) -> Trouble:
    """Make the refusal of a header; `detail` says what it takes."""
    errors = [{"header": header, "code": code, "detail": detail}]
    said = "a header is not right; errors says which and why"
    return Trouble(problem(MALFORMED_HEADER, said, errors=errors), FRESH_ONLY)


def register_problems(
    app: Flask,
    service_url: str,
    command_url: str,
    explain: Callable[[Trouble], Answer | None],
    log: FilteringBoundLogger,
) -> None:
    """Answer every error of the application with a problem under this service's URL, or with the
    page that `explain` writes for people. `command_url` is told to who comes here to write.
    """

    def write(trouble: Trouble) -> Answer:
        page = explain(trouble)
        if page is not None:
            return page
        body = trouble.problem.body(service_url)
        written = answer(body, trouble.headers, trouble.problem.status)
        written.content_type = PROBLEM_JSON
        return written

    def answer_error(error: Exception) -> Answer:
        trouble = _trouble(error, command_url)
        match error:
            case LogUnavailable() | OperationalError() | InterfaceError() | PoolTimeout():
                log.warning(trouble.problem.code, path=request.path, error=str(error))
            case _ if trouble.problem.status == INTERNAL_ERROR.status:
                # Who asks about it needs something to name it by.
                request_id = name_request(request.environ)
                log.error(
                    "request failed", path=request.path, request_id=request_id, exc_info=error
                )
            case _:
                pass
        return write(trouble)

    app.register_error_handler(Exception, answer_error)


def _trouble(error: Exception, command_url: str) -> Trouble:
    headers: dict[str, str] = {}
    match error:
        case Trouble():
            return error
        case Denied():
            return Trouble(error.problem, error.headers)
        case BadParameters():
            detail = "one query parameter or more is not right; errors says which and why"
            said = problem(BAD_PARAMETER, detail, errors=error.errors)
        case LogUnavailable():
            headers = RETRY_AFTER
            said = problem(
                LOG_UNAVAILABLE,
                "the log of accepted commands does not answer; ask again in a second",
            )
        case OperationalError() | InterfaceError() | PoolTimeout():
            headers = RETRY_AFTER
            said = problem(
                DATABASE_UNAVAILABLE, "the database does not answer; ask again in a second"
            )
        case NotFound():
            return nothing_here(request.path)
        case MethodNotAllowed():
            allowed = ", ".join(sorted(error.valid_methods or ()))
            headers = {"Allow": allowed}
            elsewhere = (
                f"; this is the query API, which answers reads: changes go to {command_url}"
                if request.method in _WRITES
                else ""
            )
            detail = f"{request.method} is not for this path; it takes {allowed}{elsewhere}"
            said = problem(METHOD_NOT_ALLOWED, detail)
        case HTTPException() if error.code is not None and 400 <= error.code < 500:  # noqa: PLR2004
            said = Problem(error.code, BAD_REQUEST.code, BAD_REQUEST.title, BAD_REQUEST.meaning)
        case _:
            said = problem(
                INTERNAL_ERROR, "the request could not be answered; the service's log says why"
            )
    return Trouble(said, {**FRESH_ONLY, **headers})
