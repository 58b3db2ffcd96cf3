"""`itemledger export`: the catalogue as of one moment, and where the feed goes on after it."""

import re
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, Literal

import httpx
import typer

from cli.export_file import check_target, standard_output, written_whole
from cli.progress import progress
from cli.reach import Service, problem_detail
from cli.refusals import INTERRUPTED, UNREACHABLE, WRONG_USAGE, Refusal
from runtime.errors import first_line

# Seconds without a byte after which the service is taken for gone; before the first one it counts.
_PATIENCE = 60.0
_COUNT = "Export-Items"
_CHANGES = re.compile(r'<([^>]*)>\s*;\s*rel="changes"')

Form = Literal["ndjson", "csv"]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for; without an output it is standard output."""

    form: Form = "ndjson"
    output: Path | None = None
    include_deleted: bool = False


class Items:
    """Counts the items that went by: the lines, or the records under the header."""

    def __init__(self, form: Form) -> None:
        self._is_csv = form == "csv"
        self._lines = -1 if self._is_csv else 0
        self._quoted = False

    def see(self, piece: bytes) -> None:
        if not self._is_csv:
            self._lines += piece.count(b"\n")
            return
        # A line end within quotes is a part of a field; between two quotes that stand for one there
        # is nothing to count.
        for number, part in enumerate(piece.split(b'"')):
            if number:
                self._quoted = not self._quoted
            if not self._quoted:
                self._lines += part.count(b"\n")

    @property
    def count(self) -> int:
        return max(0, self._lines)


def run_export(
    service: Service, wishes: Wishes, transport: httpx.BaseTransport | None = None
) -> int:
    """Export, and return the exit code. Raises Refusal where it can not be had whole."""
    service.check()
    if wishes.output is not None:
        check_target(wishes.output)
    try:
        with _answer(service, wishes, transport) as answer:
            count, changes = _head(service, answer)
            with _target(wishes) as file:
                _copy(service, answer, wishes, count, file)
    except KeyboardInterrupt:
        left = "" if wishes.output is None else f" Nothing was written to {wishes.output}."
        typer.echo(f"\nInterrupted.{left}", err=True)
        return INTERRUPTED
    where = "" if wishes.output is None else f" to {wishes.output}"
    typer.echo(f"{count:,} items{where}. What happens after them: {changes}", err=True)
    return 0


def _target(wishes: Wishes) -> AbstractContextManager[BinaryIO]:
    return standard_output() if wishes.output is None else written_whole(wishes.output)


@contextmanager
def _answer(
    service: Service, wishes: Wishes, transport: httpx.BaseTransport | None
) -> Generator[httpx.Response]:
    parameters = {"format": wishes.form}
    parameters |= {"include_deleted": "true"} if wishes.include_deleted else {}
    # Compressed on the way it could not be told from its length whether it is whole.
    headers = {"Accept-Encoding": "identity", **service.headers}
    client = httpx.Client(
        transport=transport, trust_env=service.proxied, timeout=_PATIENCE, headers=headers
    )
    with client:
        try:
            request = client.build_request("GET", f"{service.url}/exports/items", params=parameters)
            answer = client.send(request, stream=True)
        except httpx.TransportError as error:
            raise Refusal(
                f"cannot reach {service.url} ({first_line(error)}): {service.start}", UNREACHABLE
            ) from None
        try:
            yield answer
        finally:
            answer.close()


def _head(service: Service, answer: httpx.Response) -> tuple[int, str]:
    """Read how many items there will be, and where the feed goes on. Raises Refusal."""
    if answer.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise Refusal(
            f"{service.url} answers {answer.status_code} to /exports/items: {_detail(answer)}; "
            f"{service.mend_token}",
            WRONG_USAGE,
        )
    count, link = answer.headers.get(_COUNT, ""), _CHANGES.search(answer.headers.get("Link", ""))
    if answer.is_success and count.isdecimal() and link is not None:
        return int(count), link[1]
    if answer.is_success or answer.status_code == HTTPStatus.NOT_FOUND:
        why = f"not as itemledger's query API: {service.mend}"
    else:
        why = _detail(answer)
    raise Refusal(
        f"{service.url} answers {answer.status_code} to /exports/items: {why}", UNREACHABLE
    )


def _copy(
    service: Service, answer: httpx.Response, wishes: Wishes, count: int, file: BinaryIO
) -> None:
    items = Items(wishes.form)
    # On a terminal that the items themselves are written to there is no place for a bar.
    shown = wishes.output is not None or not file.isatty()
    bar = progress("items")
    task = bar.add_task("", total=count, visible=shown)
    with bar:
        try:
            for piece in answer.iter_bytes():
                file.write(piece)
                items.see(piece)
                bar.update(task, completed=items.count)
        except httpx.TransportError as error:
            raise _broke_off(service, wishes, items.count, count, first_line(error)) from None
    if items.count != count:
        raise _broke_off(service, wishes, items.count, count, "the service's log says why")


def _broke_off(service: Service, wishes: Wishes, had: int, count: int, why: str) -> Refusal:
    left = "" if wishes.output is None else f"; nothing was written to {wishes.output}"
    return Refusal(
        f"{service.url} broke off after {had:,} of {count:,} items ({why}){left}: export again",
        UNREACHABLE,
    )


def _detail(answer: httpx.Response) -> str:
    try:
        return problem_detail(answer.read()) or answer.reason_phrase
    except httpx.TransportError:
        return answer.reason_phrase
