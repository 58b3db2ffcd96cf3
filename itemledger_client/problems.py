"""What can go wrong, as exceptions: problem documents (RFC 9457) by what a caller does about them,
and what has no document because nobody answered.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

from itemledger_client.steps import Answer

_MEMBERS = frozenset({"type", "title", "status", "detail", "code", "errors"})


class CatalogueError(Exception):
    """Whatever this client raises. `key` is the Idempotency-Key of a write: sent again under it, it
    is still the same write.
    """

    key: str | None = None


class Unreachable(CatalogueError):
    """Nobody answers at `url`, and `why`. A write that raises this was certainly not accepted: it
    never got there.
    """

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"{url}: {why}")
        self.url = url
        self.why = why


class NotUnderstood(CatalogueError):
    """Somebody answered who is not this service, or in a form that this release does not know."""


class NotYet(CatalogueError):
    """The time to wait is over, and what is waited for is not final."""


class SetAside(CatalogueError):
    """The command is `dead` or `parked`: it met a defect of the service; an operator decides."""


class BrokenOff(CatalogueError):
    """An export ended before its end: what was read is not the whole catalogue. Export again."""


@dataclass(frozen=True, slots=True)
class Error:
    """One thing that is wrong with a request: where (`pointer`, RFC 6901, into the body; else the
    name of a `header` or a query `parameter`), which rule it breaks, and a sentence.
    """

    code: str
    detail: str
    pointer: str | None = None
    header: str | None = None
    parameter: str | None = None


class Problem(CatalogueError):
    """A refusal, by its document. `code` is stable, and empty where somebody in between answered
    without one; `extensions` are members of the document that have no attribute here. `retry_after`
    is in seconds.
    """

    def __init__(
        self,
        *,
        status: int,
        code: str = "",
        title: str = "",
        detail: str = "",
        type: str = "about:blank",  # noqa: A002  as RFC 9457 calls it
        errors: tuple[Error, ...] = (),
        extensions: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{status} {code or title}: {detail}" if detail else f"{status} {title}")
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.type = type
        self.errors = errors
        self.extensions: Mapping[str, Any] = extensions or {}
        self.retry_after = retry_after

    @property
    def current_version(self) -> int | None:
        """The version that the item has, where that is known."""
        version = self.extensions.get("current_version")
        return version if isinstance(version, int) else None

    @property
    def command_id(self) -> str | None:
        command_id = self.extensions.get("command_id")
        return command_id if isinstance(command_id, str) else None


class Invalid(Problem):
    """The request is wrong, and so it stays; `errors` says where (400, 422)."""


class IdempotencyKeyReused(Invalid):
    """The key was used for another payload."""


class Unauthenticated(Problem):
    """There is no token, or none that is valid (401)."""


class Forbidden(Problem):
    """The token lacks a scope, which `detail` names (403)."""


class NotFound(Problem):
    """What is asked for is not there (404)."""


class Gone(Problem):
    """The item is deleted (410)."""


class Conflict(Problem):
    """What is asked for does not go with the state of things (409)."""


class PreconditionFailed(Conflict):
    """The item is not at the version that was named; `current_version` is the one it has (412)."""


class PreconditionRequired(Problem):
    """This deployment wants every change to name a version, with `if_version` (428)."""


class Expired(Problem):
    """The deadline of the command had passed before its turn came; nothing changed."""


class CommandLost(Problem):
    """The log lost the command after it was accepted; it was never applied, and never will be."""


class ImportRunning(Problem):
    """Another upload of this import comes in, or may still."""


class TooManyRequests(Problem):
    """This caller asks too often, and was not let in before the time was over (429)."""


class Unavailable(Problem):
    """The service could not answer before the time was over (503)."""


class Overloaded(Unavailable):
    """The write was certainly not accepted: too much waits, or the log is not safe enough."""


class ProjectionBehind(Unavailable):
    """What was read has not come to this client's own writes in time."""


class OutcomeUnknown(Problem):
    """It is not known whether the write was accepted: no answer came, or none that says so. Send it
    again under the same `key`. Made by this client where there was no answer at all.
    """


_BY_CODE: Mapping[str, type[Problem]] = {
    "idempotency-key-reused": IdempotencyKeyReused,
    "expired": Expired,
    "command-lost": CommandLost,
    "import-running": ImportRunning,
    "not-accepted": Overloaded,
    "projection-behind": ProjectionBehind,
    "outcome-unknown": OutcomeUnknown,
}
_BY_STATUS: Mapping[int, type[Problem]] = {
    400: Invalid,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    412: PreconditionFailed,
    422: Invalid,
    428: PreconditionRequired,
    429: TooManyRequests,
    503: Unavailable,
}


def problem_of(answer: Answer) -> Problem:
    """Read an answer that is an error; what has no problem document is one by its status."""
    try:
        document = json.loads(answer.content)
    except ValueError:
        document = None
    retry_after = seconds(answer.headers.get("retry-after"))
    return problem_from(document, answer.status, retry_after)


def problem_from(document: object, status: int, retry_after: float | None = None) -> Problem:
    """Read a problem document, of an answer with this status, or, at 0, one that stands alone."""
    members: Mapping[str, Any] = {}
    if isinstance(document, dict):
        members = cast("Mapping[str, Any]", document)
    if not status:
        said = members.get("status")
        status = said if isinstance(said, int) else 0
    code = _text(members, "code")
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status, Problem)
    return kind(
        status=status,
        code=code,
        title=_text(members, "title") or _phrase(status),
        detail=_text(members, "detail"),
        type=_text(members, "type") or "about:blank",
        errors=_errors(members.get("errors")),
        extensions={name: members[name] for name in members if name not in _MEMBERS},
        retry_after=retry_after,
    )


def seconds(retry_after: str | None) -> float | None:
    """Read a Retry-After in seconds; one that is a date is passed over."""
    return float(retry_after) if retry_after is not None and retry_after.isdecimal() else None


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) else ""


def _errors(told: object) -> tuple[Error, ...]:
    errors: list[Mapping[str, Any]] = []
    if isinstance(told, list):
        errors = [each for each in cast("list[Any]", told) if isinstance(each, dict)]
    return tuple(
        Error(
            _text(each, "code"),
            _text(each, "detail"),
            each.get("pointer"),
            each.get("header"),
            each.get("parameter"),
        )
        for each in errors
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown status"
