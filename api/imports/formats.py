"""The two kinds of file: how each is cut into records, and what members a record has."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol, cast

import orjson

from api.imports.mapping import MEMBERS, BadValue, Columns, by_name, members_of
from api.imports.rows import NotARow
from api.imports.splitting import CsvRecords, Lines, Record
from api.json_words import TOO_DEEP, why_no_json

NDJSON = "application/x-ndjson"
CSV = "text/csv"

COLUMNS_LIMIT = 1000

_SHOWN = 60
_LINE_ENDS = "lines end in LF or CRLF, not in CR alone"
# What some programs part fields by, and how it is called.
_OTHER_COMMAS = {";": "semicolons", "\t": "tabs"}
# How the escape of half a character begins.
_HALVES = b"\\ud"


class BadHeader(Exception):
    """The columns of a file are not those of rows, or not those of the map."""


class Format(Protocol):
    """A kind of file. `feed` and `end` give out records that are rows; `parse` raises NotARow."""

    def feed(self, data: bytes) -> Generator[Record]: ...
    def end(self) -> Generator[Record]: ...
    def parse(self, text: bytes) -> dict[str, Any]: ...


class Ndjson:
    """A JSON object a line; blank lines are nothing."""

    def __init__(self, columns: Columns | None) -> None:
        self._columns = columns
        self._lines = Lines()

    def feed(self, data: bytes) -> Generator[Record]:
        return self._lines.feed(data)

    def end(self) -> Generator[Record]:
        return self._lines.end()

    def parse(self, text: bytes) -> dict[str, Any]:
        if self._columns is None:
            return _object(_json(text))
        return _members(self._columns, _exact(text).get)


class Csv:
    """Records of RFC 4180 under a header; its first record that is not blank is the header.

    `feed` and `end` raise BadHeader.
    """

    def __init__(self, columns: Columns | None) -> None:
        self._columns = columns
        self._records = CsvRecords()
        # Within a quoted field a blank line is a part of it.
        self._lines = Lines(lambda: self._records.is_open)
        self._header: Sequence[str] | None = None
        self._places: Mapping[str, int] = {}

    def feed(self, data: bytes) -> Generator[Record]:
        return self._rows(self._records.join(self._lines.feed(data)))

    def end(self) -> Generator[Record]:
        yield from self._rows(self._records.join(self._lines.end()))
        yield from self._rows(self._records.end())
        if self._header is None:
            raise BadHeader("the file is empty: its first line names the columns")

    def parse(self, text: bytes) -> dict[str, Any]:
        fields = _fields(text)
        if len(fields) != len(self._header or ()):
            count, wanted = len(fields), len(self._header or ())
            raise NotARow("not-csv", f"the row has {count} fields, the header {wanted}")
        return _members(self._columns or {}, lambda name: fields[self._places[name]])

    def _rows(self, records: Iterable[Record]) -> Generator[Record]:
        for each in records:
            if self._header is None:
                self._read_header(each)
            else:
                yield each

    def _read_header(self, record: Record) -> None:
        if record.text is None:
            raise BadHeader(f"the first line, which names the columns, is too long; {_LINE_ENDS}")
        if b"\r" in record.text.replace(b"\r\n", b"\n").removesuffix(b"\r"):
            raise BadHeader(f"the first line has a bare CR (\\r) in it; {_LINE_ENDS}")
        try:
            header = [each.strip() for each in _fields(record.text)]
        except NotARow as error:
            raise BadHeader(f"the header can not be read: {error}") from error
        if len(header) > COLUMNS_LIMIT:
            raise BadHeader(f"the header names {len(header):,} columns, at most {COLUMNS_LIMIT:,}")
        twice = next((each for each, count in Counter(header).items() if count > 1), None)
        if twice is not None:
            raise BadHeader(f"the header names the column {twice!r:.{_SHOWN}} twice")
        wanted = (
            list(MEMBERS)
            if self._columns is None
            else [each.column for each in self._columns.values()]
        )
        other = next((each for each in _OTHER_COMMAS if each in header[0]), None)
        if other is not None and len(header) == 1 and header[0] not in wanted:
            raise BadHeader(
                "fields are parted by commas, and the first line has none, but "
                f"{_OTHER_COMMAS[other]}: write the file with commas"
            )
        if self._columns is None:
            wrong = next((each for each in header if each not in wanted), None)
            if wrong is not None:
                raise BadHeader(
                    f"the column {wrong!r:.{_SHOWN}} is no member of a row, which are "
                    f"{', '.join(wanted)}; name the columns to take with map="
                )
        else:
            missing = next((each for each in wanted if each not in header), None)
            if missing is not None:
                raise BadHeader(
                    f"there is no column {missing!r:.{_SHOWN}}, which map= names; the header has "
                    f"{', '.join(header):.500}"
                )
        self._header = header
        self._places = {name: place for place, name in enumerate(header)}
        self._columns = self._columns or by_name(header)


def _members(columns: Columns, value_of: Callable[[str], Any]) -> dict[str, Any]:
    """Make a row of the values of a record. Raises NotARow, which names the row's item."""
    try:
        return members_of(columns, value_of)
    except BadValue as error:
        named = columns.get("id")
        item_id = None if named is None else value_of(named.column)
        raise NotARow("invalid-body", str(error), item_id) from error


def _fields(text: bytes) -> list[str]:
    """Cut a record into its fields. Raises NotARow."""
    try:
        written = text.removesuffix(b"\r").decode()
    except UnicodeDecodeError as error:
        raise NotARow("not-text", _not_text(error)) from error
    if '"' not in written:
        return written.split(",")
    try:
        return next(csv.reader([written], strict=True))
    except csv.Error as error:
        why = "a quote is never closed" if "end of data" in str(error) else str(error)
        raise NotARow("not-csv", f"the row is not CSV: {why}") from error


def _json(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _not_json(text) from error


def _exact(text: bytes) -> dict[str, Any]:
    """Read an object with its fractions as they are written; binary ones would not be exact."""
    try:
        read = _object(json.loads(text.decode(), parse_float=Decimal, parse_constant=_no_constant))
        if _HALVES in text.lower():
            # Half a character passes here, but into no log entry; UTF-8 has none.
            json.dumps(read, ensure_ascii=False, default=str).encode()
    except RecursionError as error:
        raise _not_json(text, TOO_DEEP) from error
    except ValueError as error:
        raise _not_json(text, str(error)) from error
    return {
        name: str(value) if isinstance(value, Decimal) else value for name, value in read.items()
    }


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _object(read: Any) -> dict[str, Any]:
    if isinstance(read, dict):
        return cast("dict[str, Any]", read)
    raise NotARow("not-an-object", "the line is not a JSON object")


def _not_json(text: bytes, otherwise: str = "") -> NotARow:
    """Say why a line is no JSON: `otherwise` where it is, and still is not taken."""
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return NotARow("not-text", _not_text(error))
    if b"\r" in text.strip():
        return NotARow("not-json", f"the line is not JSON, and has a bare CR (\\r): {_LINE_ENDS}")
    # A row is one line, and its number says which.
    why = (why_no_json(text) or otherwise).replace("line 1 column", "column")
    return NotARow("not-json", f"the line is not JSON: {why}")


def _not_text(error: UnicodeDecodeError) -> str:
    return f"byte {error.start + 1} of the row is not UTF-8; name another charset in Content-Type"
