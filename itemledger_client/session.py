"""How requests are sent until there is an answer to go by."""

import random
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Never, TypeVar

from itemledger_client.problems import (
    CatalogueError,
    NotUnderstood,
    OutcomeUnknown,
    Unreachable,
    problem_of,
    seconds,
)
from itemledger_client.steps import Answer, Broken, Open, Pause, Request, Send, Steps, Upload
from itemledger_client.tokens import Tokens

T = TypeVar("T")

OwnWrites = Literal["strict", "lenient", "ignore"]

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
# The longest wait that the service grants, in seconds.
WAIT_LIMIT = 30
# Said of a moment, not of the request: by a service that does not accept now, or in between.
_PASSING = frozenset({429, 502, 503, 504})
_UNKNOWN = frozenset({502, 504})
# Said at the door, before anybody looks whether the command was accepted at an earlier try.
_AT_THE_DOOR = frozenset({401, 403, 421})


@dataclass(frozen=True, slots=True)
class Session:
    """What the operations of a client have in common. `timeout` is how many seconds one request may
    take, `patience` for how many it is repeated after it failed.

    `token` is asked before every request, so it may be renewed; `clock` gives seconds, `dice` a
    number from 0 to 1.
    """

    command_url: str
    query_url: str
    token: Callable[[], str | None] = lambda: None
    timeout: float = 10.0
    patience: float = 30.0
    own_writes: OwnWrites = "strict"
    tokens: Tokens = field(default_factory=Tokens)
    clock: Callable[[], float] = time.monotonic
    dice: Callable[[], float] = random.random

    def to_command(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        params: Mapping[str, object] | None = None,
        content: bytes | Upload | None = None,
        timeout: float | None = None,
    ) -> Request:
        """Make a request to the command API."""
        url, asked = f"{self.command_url}{path}", _texts(params or {})
        return Request(method, url, asked, headers, content, timeout or self.timeout)

    def to_query(
        self,
        path: str,
        params: Mapping[str, object],
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Request:
        """Make a request to the query API; parameters that are `None` are left out."""
        url, asked = f"{self.query_url}{path}", _texts(params)
        return Request("GET", url, asked, headers or {}, None, timeout or self.timeout)


def new_key() -> str:
    return str(uuid.uuid4())


def insist(
    session: Session,
    request: Request,
    *,
    key: str | None = None,
    is_passing: Callable[[Answer], bool] = lambda _: False,
    opens: bool = False,
) -> Steps[Never, Answer]:
    """Send a request until the answer is no more of a passing kind, and return it, an error too.

    Repeating is safe: a read changes nothing, and a write has the same `key` each time. With
    `is_passing` a success can be one that is to be repeated. Raises Unreachable, OutcomeUnknown, or
    the Problem that did not pass, when patience is over.
    """
    trying = _Trying(session, key, request.url)
    while True:
        signed = _signed(session, request)
        outcome: Answer | Broken = yield (Open(signed) if opens else Send(signed))
        passing = isinstance(outcome, Broken) or outcome.status in _PASSING
        if isinstance(outcome, Answer) and not passing and not is_passing(outcome):
            if trying.is_unsure and outcome.status in _AT_THE_DOOR:
                raise trying.error(outcome)
            if not (key is not None and trying.has_failed and _names(outcome, "import-running")):
                return outcome
        pause = trying.pause(outcome)
        if pause is None:
            if isinstance(outcome, Answer) and outcome.is_success:
                return outcome
            raise trying.error(outcome)
        yield Pause(pause)


class _Trying:
    """The tries of one request to `url`; `key` is that of a write."""

    def __init__(self, session: Session, key: str | None, url: str) -> None:
        self._session = session
        self._url = url
        self._key = key
        self._until: float | None = None
        self._times = 0
        self._furthest = 0
        # Whether any try of a write may have been accepted without our knowing.
        self.is_unsure = False

    @property
    def has_failed(self) -> bool:
        return self._times > 0

    def pause(self, outcome: Answer | Broken) -> float | None:
        """Say for how long to pause after a try that failed, `None` where patience is over."""
        now = self._session.clock()
        sent = outcome.sent if isinstance(outcome, Broken) else 0
        if self._until is None or sent > self._furthest:
            # An upload that got further has moved on.
            self._until = now + self._session.patience
            self._furthest = max(sent, self._furthest)
        match outcome:
            case Broken(reached=reached):
                self.is_unsure |= reached and self._key is not None
                after = 0.0
            case Answer(status=status, headers=headers):
                self.is_unsure |= status in _UNKNOWN and self._key is not None
                after = seconds(headers.get("retry-after")) or 0.0
        # Anywhere up to it: clients that failed together do not come again together.
        most = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(self._times, 16))
        pause = after + most * self._session.dice()
        self._times += 1
        return pause if now + pause <= self._until else None

    def error(self, outcome: Answer | Broken) -> CatalogueError:
        """Make what is raised of the last try."""
        error: CatalogueError
        match outcome:
            case Broken(why=why):
                error = Unreachable(self._url, why)
            case Answer():
                error = problem_of(outcome)
        if self.is_unsure and not isinstance(error, OutcomeUnknown):
            # A refusal of now says nothing of the try before, which was not answered.
            error = _unknown(str(error))
        error.key = self._key
        return error


def succeeded(answer: Answer) -> Answer:
    """Raises the Problem that an answer is, where it is one."""
    if answer.is_success:
        return answer
    raise problem_of(answer)


def understood(answer: Answer, read: Callable[[Any], T]) -> T:
    """Read the document of an answer. Raises NotUnderstood where it is another one."""
    try:
        return read(answer.json())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotUnderstood(
            f"an answer of status {answer.status} is not as this service's: {error!r}"
        ) from error


def whole_seconds(wait: float) -> int:
    """Make of a time what `Prefer: wait` takes."""
    return max(0, min(WAIT_LIMIT, int(wait)))


def _signed(session: Session, request: Request) -> Request:
    token = session.token()
    if token is None:
        return request
    return replace(request, headers={**request.headers, "Authorization": f"Bearer {token}"})


def _names(answer: Answer, code: str) -> bool:
    return not answer.is_success and problem_of(answer).code == code


def _unknown(why: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        status=504,
        code="outcome-unknown",
        title="It is not known whether the write was accepted",
        detail=f"{why}; it can be sent again under the same key",
    )


def _texts(params: Mapping[str, object]) -> dict[str, str]:
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in params.items()
        if value is not None
    }
