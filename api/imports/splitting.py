"""From bytes of UTF-8 to numbered records: lines, or records of CSV, which may have several."""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass

RECORD_LIMIT = 1024 * 1024

_BOM = b"\xef\xbb\xbf"
_QUOTE = b'"'
_COMMA = ord(",")


@dataclass(frozen=True, slots=True)
class Record:
    """`row` is the line on which it begins, from 1; `text` is `None` where it is too long."""

    row: int
    text: bytes | None


class Lines:
    """Splits what arrives at its line feeds, and leaves them out; keeps one unfinished line at
    most. Blank lines are only counted, unless `wants_blank` says otherwise.
    """

    def __init__(self, wants_blank: Callable[[], bool] = bool) -> None:
        self._wants_blank = wants_blank
        self._row = 0
        self._rest = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> Generator[Record]:
        first, *others = data.split(b"\n")
        self._keep(first)
        for each in others:
            if (line := self._line()) is not None:
                yield line
            self._keep(each)

    def end(self) -> Generator[Record]:
        if (self._rest or self._skipping) and (line := self._line()) is not None:
            yield line

    def _keep(self, part: bytes) -> None:
        if self._skipping:
            return
        self._rest += part
        if len(self._rest) > RECORD_LIMIT:
            self._skipping = True
            self._rest = bytearray()

    def _line(self) -> Record | None:
        """Take the line that has ended; `None` where it is blank: a file may be of nothing else."""
        self._row += 1
        if self._skipping:
            self._skipping = False
            return Record(self._row, None)
        text = bytes(self._rest)
        self._rest.clear()
        if self._row == 1:
            text = text.removeprefix(_BOM)
        if not text.strip() and not self._wants_blank():
            return None
        return Record(self._row, text)


class CsvRecords:
    """Joins lines to records of CSV (RFC 4180): a quoted field may hold ends of lines.

    A record that gets too long is given up, and the next line is taken to begin another.
    """

    def __init__(self) -> None:
        self._row = 0
        self._parts: list[bytes] = []
        self._size = 0

    @property
    def is_open(self) -> bool:
        """Say whether a record goes on with the next line."""
        return bool(self._parts)

    def join(self, lines: Iterable[Record]) -> Generator[Record]:
        for line in lines:
            if line.text is None:
                yield Record(self._row if self._parts else line.row, None)
                self._parts = []
                continue
            goes_on = bool(self._parts)
            if not goes_on:
                if _QUOTE not in line.text:
                    yield line
                    continue
                self._row, self._size = line.row, 0
            self._parts.append(line.text)
            self._size += len(line.text) + 1
            if self._size > RECORD_LIMIT:
                self._parts = []
                yield Record(self._row, None)
            elif not _left_open(line.text, opened=goes_on):
                yield self._joined()

    def end(self) -> Generator[Record]:
        """Give out what was begun; its last field is not closed."""
        if self._parts:
            yield self._joined()

    def _joined(self) -> Record:
        text, self._parts = b"\n".join(self._parts), []
        return Record(self._row, text)


def _left_open(line: bytes, *, opened: bool) -> bool:
    """Say whether a quoted field goes on after the line; `opened` where one does before it.

    A quote opens a field only at its beginning; elsewhere it is a character like any other.
    """
    at = line.find(_QUOTE)
    while at >= 0:
        if not opened:
            opened = at == 0 or line[at - 1] == _COMMA
            at += 1
        elif line[at + 1 : at + 2] == _QUOTE:
            at += 2
        else:
            opened = False
            at += 1
        at = line.find(_QUOTE, at)
    return opened
