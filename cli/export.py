"""`itemledger export`: the catalogue as of one moment, and where the feed goes on after it."""

from collections.abc import Generator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import httpx

from cli.export_file import check_target, standard_output, written_whole
from cli.lines import tell
from cli.progress import progress
from cli.reach import Service, away, catalogue, refused
from cli.refusals import INTERRUPTED, UNREACHABLE, Refusal
from itemledger_client import (
    BrokenOff,
    Export,
    NotFound,
    NotUnderstood,
    Problem,
    Unreachable,
)
from runtime.errors import first_line

# Seconds without a byte after which the service is taken for gone; before the first one it counts.
_PATIENCE = 60.0
_PATH = "/exports/items"

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
        with _begun(service, wishes, transport) as export, _target(wishes) as file:
            _copy(service, export, wishes, file)
    except KeyboardInterrupt:
        left = "" if wishes.output is None else f" Nothing was written to {wishes.output}."
        tell(f"\nInterrupted.{left}", err=True)
        return INTERRUPTED
    where = "" if wishes.output is None else f" to {wishes.output}"
    told = f"{export.count:,} items{where}. What happens after them: {export.changes}"
    tell(told, err=True)
    return 0


def _target(wishes: Wishes) -> AbstractContextManager[BinaryIO]:
    return standard_output() if wishes.output is None else written_whole(wishes.output)


@contextmanager
def _begun(
    service: Service, wishes: Wishes, transport: httpx.BaseTransport | None
) -> Generator[Export[bytes]]:
    """Begin the export. Raises Refusal."""
    with catalogue(service, transport, _PATIENCE) as opened:
        elsewhere = f"not as itemledger's query API: {service.mend}"
        try:
            export = opened.download(wishes.form, include_deleted=wishes.include_deleted)
        except Unreachable as error:
            raise away(service, error) from None
        except NotFound:
            raise Refusal(
                f"{service.url} answers 404 to {_PATH}: {elsewhere}", UNREACHABLE
            ) from None
        except Problem as problem:
            raise refused(service, _PATH, problem) from None
        except NotUnderstood:
            raise Refusal(
                f"{service.url} answers 200 to {_PATH}: {elsewhere}", UNREACHABLE
            ) from None
        with closing(export):
            yield export


def _copy(service: Service, export: Export[bytes], wishes: Wishes, file: BinaryIO) -> None:
    items = Items(wishes.form)
    # On a terminal that the items themselves are written to there is no place for a bar.
    shown = wishes.output is not None or not file.isatty()
    bar = progress("items")
    task = bar.add_task("", total=export.count, visible=shown)
    with bar:
        try:
            for piece in export:
                file.write(piece)
                items.see(piece)
                bar.update(task, completed=items.count)
        except BrokenOff as error:
            why = first_line(error)
            raise _broke_off(service, wishes, items.count, export.count, why) from None
    if items.count != export.count:
        raise _broke_off(service, wishes, items.count, export.count, "the service's log says why")


def _broke_off(service: Service, wishes: Wishes, had: int, count: int, why: str) -> Refusal:
    left = "" if wishes.output is None else f"; nothing was written to {wishes.output}"
    return Refusal(
        f"{service.url} broke off after {had:,} of {count:,} items ({why}){left}: export again",
        UNREACHABLE,
    )
