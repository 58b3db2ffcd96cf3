"""The rows of a file as they stand in it, by the numbers that the service gives them."""

import codecs
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import BinaryIO

from api.imports.splitting import CsvRecords, Lines, Record
from api.imports.unpacking import Unpacker, Unreadable, charset
from cli.import_source import CSV, PIECE, Source
from cli.refusals import Refusal
from runtime.errors import first_line

_BOM = "\ufeff".encode()


def records(source: Source, named: str | None) -> Generator[Record]:
    """Cut a file, of the character set that is named, into what the service cuts it into; the first
    one of CSV is the header. One is kept at a time. Their text is UTF-8, without its line end.

    Raises Refusal where the file can not be read to its end, or was changed.
    """
    found = None if named is None else charset(named)
    unpacker = Unpacker(gzip=source.gzipped, charset=found)
    cut = _of_csv() if source.media_type == CSV else _of_lines()
    try:
        source.check()
        with source.path.open("rb") as file:
            while piece := file.read(PIECE):
                for block in unpacker.feed(piece):
                    yield from cut.feed(block)
        yield from cut.feed(unpacker.end())
    except (OSError, Unreadable) as error:
        raise Refusal(f"cannot read {source.path} again: {first_line(error)}") from None
    yield from cut.end()


@dataclass(frozen=True, slots=True)
class _Cut:
    feed: Callable[[bytes], Generator[Record]]
    end: Callable[[], Generator[Record]]


def _of_lines() -> _Cut:
    lines = Lines()
    return _Cut(lines.feed, lines.end)


def _of_csv() -> _Cut:
    joined = CsvRecords()
    # Within a quoted field a blank line is a part of it.
    lines = Lines(lambda: joined.is_open)

    def end() -> Generator[Record]:
        yield from joined.join(lines.end())
        yield from joined.end()

    return _Cut(lambda data: joined.join(lines.feed(data)), end)


class Rows:
    """A file of such rows, of the same character set; with a mark at its beginning where
    spreadsheets need one to know that it is UTF-8 (`marked`).
    """

    def __init__(self, file: BinaryIO, named: str | None, *, marked: bool) -> None:
        self._file = file
        found = None if named is None else charset(named)
        self._encoder = None if found is None else codecs.getincrementalencoder(found)()
        self._line = 1
        if marked:
            self._write(_BOM)

    def write(self, text: bytes) -> int:
        """Write one, and return the line on which it begins."""
        begins = self._line
        self._write(text + b"\n")
        self._line += text.count(b"\n") + 1
        return begins

    def _write(self, text: bytes) -> None:
        # Rows that are no UTF-8 are among those that are rejected, and stay as they are.
        encoder = self._encoder
        self._file.write(text if encoder is None else encoder.encode(text.decode()))
