"""The two services as an import needs them: one takes the file, the other tells what becomes of it.

Whatever breaks on the way is tried again under the same key: no row is taken twice.
"""

import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

import httpx
import orjson

from cli.import_source import Source
from cli.reach import Service
from cli.refusals import UNREACHABLE, WRONG_USAGE, Refusal
from itemledger_client.transport import Lines
from runtime.errors import first_line

_CONNECT = 10.0
_PEEK = 2.0
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_LOOK_EVERY = 0.2
_FINAL = frozenset({"done", "stopped", "cancelled", "failed"})
_LINE_LIMIT = 64 * 1024

# What the services say of a request, and how it is said at a console.
_PLAINLY = (
    ("charset in Content-Type", "charset with --charset, such as windows-1252"),
    ("map=", "--map"),
    (": map ", ": --map "),
)

Pause = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was not taken: its number, the id it names if that is known, and why."""

    row: int
    id: str | None
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Told:
    """What the query API tells of an import; `rows` is `None` until that is known."""

    import_id: str
    status: str
    rows: int | None
    counts: Mapping[str, int]

    @property
    def is_final(self) -> bool:
        return self.status in _FINAL

    @property
    def final_rows(self) -> int:
        return sum(self.counts.values())


class GoesOn(Refusal):
    """The import has not ended; sent again under its key it goes on."""


class _Again(Exception):
    """It has to be tried again, not before `after` seconds; `str()` says why."""

    def __init__(self, why: str, after: float = 0.0, *, moved: bool = False) -> None:
        super().__init__(why)
        self.after = after
        self.moved = moved


class Client:
    """Gives up once nothing has moved on for `patience` seconds."""

    def __init__(
        self,
        http: httpx.Client,
        command: Service,
        query: Service,
        patience: float,
        pause: Pause = time.sleep,
    ) -> None:
        self._http = http
        self._command = command
        self._query = query
        self._patience = patience
        self._pause = pause
        self._moved_at = time.monotonic()
        self._furthest = 0

    def send(
        self,
        source: Source,
        parameters: Mapping[str, str],
        headers: Mapping[str, str],
        told: Callable[[int, int], None],
        again: Callable[[str], None],
    ) -> str:
        """Send a file until all of it is taken, and return the import's id; `told` hears how far
        that is, in bytes and in rows, and `again` why it has to be sent once more.

        Raises GoesOn where the service cannot be reached for too long, and Refusal where it does
        not want it.
        """
        headers = dict(headers)
        if source.gzipped:
            headers["Content-Encoding"] = "gzip"

        def far(size: int, rows: int) -> None:
            if size > self._furthest:
                self._furthest = size
                self._moved()
            told(size, rows)

        def post() -> str:
            # How long a piece may take is up to the service: it lets an import wait that others
            # are in the way of, or that somebody has paused.
            timeout = httpx.Timeout(self._patience + _CONNECT, connect=_CONNECT)
            answer = self._http.post(
                f"{self._command.url}/imports",
                params=parameters,
                content=source.pieces(far),
                headers=headers | self._command.headers,
                timeout=timeout,
            )
            return self._accepted(answer)

        return self._insist(self._command, post, again)

    def peek(self, import_id: str) -> Told | None:
        """Look once at an import, which may not be known yet; what is in the way now is told by
        `follow`, if it stays there.
        """
        try:
            return self._read(import_id, _PEEK)
        except (_Again, Refusal, httpx.TransportError):
            return None

    def follow(self, import_id: str, told: Callable[[Told], None]) -> Told:
        """Look at an import until every row is final. Raises Refusal as `send` does."""
        before = (-1, "")
        while True:
            found = self._insist(self._query, lambda: self._read(import_id))
            told(found)
            if found.is_final:
                return found
            if (found.final_rows, found.status) != before or found.status == "paused":
                before = (found.final_rows, found.status)
                self._moved()
            elif time.monotonic() - self._moved_at >= self._patience:
                raise self._at_its_end(self._query, f"the import is {found.status}")
            self._pause(_LOOK_EVERY)

    @contextmanager
    def rejects(self, import_id: str) -> "Generator[Generator[Reject]]":
        """Read the rejected rows of an import. Raises Refusal where that can not be done."""
        url = f"{self._query.url}/imports/{import_id}/rows"
        try:
            with self._http.stream(
                "GET",
                url,
                params={"status": "rejected"},
                headers={"Accept": "application/x-ndjson"} | self._query.headers,
                timeout=self._patience + _CONNECT,
            ) as answer:
                if not answer.is_success:
                    raise GoesOn(
                        f"{url} answers {answer.status_code}: the rejected rows are not to be had",
                        UNREACHABLE,
                    )
                yield (_reject(orjson.loads(line)) for line in _lines(answer.iter_bytes()))
        except httpx.TransportError as error:
            raise GoesOn(
                f"{url} broke off ({first_line(error)}): not all rejected rows were written",
                UNREACHABLE,
            ) from None

    def _insist(
        self,
        service: Service,
        try_it: Callable[[], Any],
        told: Callable[[str], None] = lambda _: None,
    ) -> Any:
        pause = _FIRST_PAUSE
        while True:
            try:
                return try_it()
            except httpx.TransportError as error:
                again = _Again(f"{type(error).__name__} {first_line(error)}".strip())
                told(f"the connection broke ({first_line(error) or type(error).__name__})")
            except _Again as error:
                again = error
                told(str(error))
            if again.moved:
                self._moved()
            if time.monotonic() - self._moved_at >= self._patience:
                raise self._at_its_end(service, str(again))
            self._pause(max(pause, again.after))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _accepted(self, answer: httpx.Response) -> str:
        """Read the answer to an upload. Raises _Again, and Refusal where trying is of no use."""
        after = _seconds(answer.headers.get("Retry-After"))
        document = _document(answer)
        if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS or answer.is_server_error:
            raise _Again(
                f"the service answers {answer.status_code}: {_detail(answer, document)}", after
            )
        if document.get("code") == "import-running":
            why = "an earlier upload of it still comes in"
            raise _Again(why, after, moved=self._is_paused(document))
        if answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            raise Refusal(
                f"{self._command.url} takes no commands (405), as the query API does not: "
                f"{self._command.mend}",
                UNREACHABLE,
            )
        if answer.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            answers = f"{self._command.url} does not take the file"
            detail = _detail(answer, document)
            raise self._command.unwelcome(answers, answer.status_code, detail)
        if answer.is_client_error:
            raise Refusal(
                f"{self._command.url} does not take the file: "
                f"{answer.status_code} {_detail(answer, document)}",
                WRONG_USAGE,
            )
        import_id = document.get("import_id")
        if not answer.is_success or not isinstance(import_id, str):
            raise Refusal(
                f"{self._command.url} answers, but not as itemledger's command API: "
                f"{self._command.mend}",
                UNREACHABLE,
            )
        self._moved()
        return import_id

    def _is_paused(self, running: Mapping[str, Any]) -> bool:
        """Say whether the upload that is in the way is one that somebody paused."""
        found = self.peek(str(running.get("import_id")))
        return found is not None and found.status == "paused"

    def _read(self, import_id: str, timeout: float = _CONNECT) -> Told:
        answer = self._http.get(
            f"{self._query.url}/imports/{import_id}",
            headers=self._query.headers,
            timeout=timeout,
        )
        document = _document(answer)
        if answer.status_code == HTTPStatus.NOT_FOUND and document.get("code") != "not-found":
            raise _Again(_detail(answer, document))
        if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS or answer.is_server_error:
            raise _Again(f"it answers {answer.status_code}: {_detail(answer, document)}")
        counts = ("applied", "unchanged", "rejected", "skipped", "other")
        if not answer.is_success or not document.keys() >= {"status", "rows", *counts}:
            raise Refusal(
                f"{self._query.url} answers {answer.status_code}, and not as itemledger's query "
                f"API: {self._query.mend}",
                UNREACHABLE,
            )
        return Told(
            import_id,
            document["status"],
            document["rows"],
            {each: document[each] for each in counts},
        )

    def _moved(self) -> None:
        self._moved_at = time.monotonic()

    def _at_its_end(self, service: Service, why: str) -> Refusal:
        return GoesOn(
            f"{service.url} has not moved on for {self._patience:g} s ({why}): {service.start}",
            UNREACHABLE,
        )


def _reject(document: Mapping[str, Any]) -> Reject:
    problem: Mapping[str, Any] = document.get("problem") or {}
    code = problem.get("code") or document["status"]
    reason = _plainly(problem.get("detail") or code)
    return Reject(document["row"], document["item_id"], code, reason)


def _lines(pieces: Iterable[bytes]) -> Generator[bytes]:
    """Cut at line feeds alone: an id that was refused may have any other separator of lines."""
    lines = Lines()
    for piece in pieces:
        lines.take(piece)
        while (line := lines.next()) is not None:
            yield line


def _document(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        read = orjson.loads(answer.content)
    except ValueError:
        return {}
    return cast("Mapping[str, Any]", read) if isinstance(read, dict) else {}


def _detail(answer: httpx.Response, document: Mapping[str, Any]) -> str:
    if "code" in document:
        return f"{document['code']}, {_plainly(str(document.get('detail')))}"
    return answer.reason_phrase


def _plainly(detail: str) -> str:
    for theirs, ours in _PLAINLY:
        detail = detail.replace(theirs, ours)
    return detail


def _seconds(retry_after: str | None) -> float:
    """Read a Retry-After in seconds; as a date it is left to our own pauses."""
    return float(retry_after) if retry_after is not None and retry_after.isdecimal() else 0.0
