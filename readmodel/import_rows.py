"""What became of an import's rows: as a stream of any length, or page by page."""

import csv
import io
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Engine
from werkzeug.datastructures import MIMEAccept

from ledger import import_results
from ledger.import_results import RowResult
from runtime.errors import headline

_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Asked:
    """Which results: of one status, or of all; those that follow a key, or from the first."""

    import_id: str
    status: str | None
    after: str | None


def read(reads: Engine, asked: Asked, most: int) -> list[RowResult]:
    with reads.connect() as connection:
        return import_results.page(connection, asked.import_id, asked.status, asked.after, most)


def everything(reads: Engine, asked: Asked) -> Generator[Sequence[RowResult]]:
    """Read all results, some at a time: no connection is held while they are sent."""
    while found := read(reads, asked, _AT_ONCE):
        yield found
        asked = Asked(asked.import_id, asked.status, found[-1].key)


class Ndjson:
    """A JSON object a line."""

    media_type = "application/x-ndjson"

    def written(self, parts: Iterable[Sequence[RowResult]]) -> Generator[bytes]:
        for part in parts:
            yield b"".join(
                orjson.dumps(members(each), option=orjson.OPT_APPEND_NEWLINE) for each in part
            )

    def page(self, part: Sequence[RowResult], _: str | None) -> bytes:
        return b"".join(self.written([part]))


class Csv:
    """Records under a header, as spreadsheets read them."""

    media_type = "text/csv"
    _header = ("row", "status", "item_id", "version", "http_status", "code", "detail")

    def written(self, parts: Iterable[Sequence[RowResult]]) -> Generator[bytes]:
        yield _records([self._header])
        for part in parts:
            yield _records(
                (
                    each.row,
                    each.status,
                    each.item_id,
                    each.version or None,
                    each.http_status,
                    each.code,
                    _detail(each),
                )
                for each in part
            )

    def page(self, part: Sequence[RowResult], _: str | None) -> bytes:
        return b"".join(self.written([part]))


class Json:
    """One document a page, with where the next one begins."""

    media_type = "application/json"

    def written(self, parts: Iterable[Sequence[RowResult]]) -> Generator[bytes]:
        for part in parts:
            yield self.page(part, None)

    def page(self, part: Sequence[RowResult], following: str | None) -> bytes:
        return orjson.dumps({"rows": [members(each) for each in part], "next": following})


NDJSON, CSV, JSON = Ndjson(), Csv(), Json()
_KINDS = {each.media_type: each for each in (NDJSON, CSV, JSON)}


def chosen(accepted: MIMEAccept) -> Ndjson | Csv | Json:
    """Choose what the client likes best; who does not say gets lines of JSON."""
    return _KINDS[accepted.best_match(_KINDS, NDJSON.media_type)]


def members(result: RowResult) -> dict[str, Any]:
    """Write a result as its JSON object."""
    document: dict[str, Any] = {
        "row": result.row,
        "status": result.status,
        "item_id": result.item_id,
    }
    if result.version:
        document["version"] = result.version
    if result.code is not None or result.detail is not None:
        document["problem"] = {
            "status": result.http_status or 500,
            "code": result.code or result.status,
            "detail": _detail(result),
        }
    return document


def _detail(result: RowResult) -> str | None:
    """Say why, in a line; of a defect there is a whole traceback."""
    return headline(result.detail) if result.detail else None


def _records(records: Iterable[Sequence[object]]) -> bytes:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerows(records)
    return written.getvalue().encode()
