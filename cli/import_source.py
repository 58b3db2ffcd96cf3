"""The file of an import: what kind it is, and its bytes as they are sent."""

import codecs
import gzip
import zlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

from cli.refusals import WRONG_USAGE, Refusal
from runtime.errors import first_line

_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_SNIFFED = 64 * 1024
PIECE = 64 * 1024
# What is unpacked at once of a piece.
_UNPACKED = 1024 * 1024
_GZIP_BITS = 16 + zlib.MAX_WBITS
CSV, NDJSON = "text/csv", "application/x-ndjson"
NDJSON_SUFFIXES = frozenset({".ndjson", ".jsonl"})
_UTF16 = "in UTF-16: name that with --charset utf-16"
# How files begin that are most often taken for one of rows.
_NO_UTF8 = {
    b"PK\x03\x04": "a spreadsheet, or another archive: save it as CSV in UTF-8",
    b"\xd0\xcf\x11\xe0": "a spreadsheet: save it as CSV in UTF-8",
    b"%PDF-": "a PDF: write its rows as CSV in UTF-8",
    b"\xff\xfe": _UTF16,
    b"\xfe\xff": _UTF16,
}
# What else than commas programs part fields by.
_OTHER_COMMAS = {b";": "semicolons", b"\t": "tabs"}


@dataclass(frozen=True, slots=True)
class Source:
    """A file that can be read, and how it was when that was found out."""

    path: Path
    media_type: str
    gzipped: bool
    size: int
    # Whether its text begins with the mark that tells spreadsheets that it is UTF-8.
    marked: bool
    _stamp: tuple[int, int]

    def pieces(self, told: Callable[[int, int], None]) -> Generator[bytes]:
        """Read the file from its beginning; tell after each piece how far that is, in bytes and in
        rows, of which lines without one and such of several are not told apart.

        Raises Refusal where it is not the file any more that was looked at.
        """
        far, rows = 0, -1 if self.media_type == CSV else 0
        lines = _Lines(gzipped=self.gzipped)
        with self.path.open("rb") as file:
            while piece := file.read(PIECE):
                yield piece
                far += len(piece)
                rows += lines.of(piece)
                told(far, max(rows, 0))
        self.check()

    def check(self) -> None:
        """Raise Refusal where it is not the file any more that was looked at."""
        try:
            is_same = _stamp(self.path) == self._stamp
        except OSError:
            is_same = False
        if not is_same:
            raise Refusal(
                f"{self.path} was changed while it was imported: import it again; "
                "what was taken from it stays"
            )


class _Lines:
    """Counts the lines of a file, piece by piece."""

    def __init__(self, *, gzipped: bool) -> None:
        self._gzip = zlib.decompressobj(_GZIP_BITS) if gzipped else None

    def of(self, piece: bytes) -> int:
        """Count those that end in a piece. What is no gzip has none: the service says so."""
        lines = 0
        while self._gzip is not None and piece:
            try:
                lines += self._gzip.decompress(piece, _UNPACKED).count(b"\n")
            except zlib.error:
                return lines
            piece = self._gzip.unconsumed_tail
            if self._gzip.eof:
                # Another one may follow, and is a part of the same file.
                piece = self._gzip.unused_data
                self._gzip = zlib.decompressobj(_GZIP_BITS)
        return lines + piece.count(b"\n")


def check_charset(name: str) -> None:
    """Raise Refusal where no character set has this name."""
    try:
        codecs.lookup(name)
        # Refused for codecs that are not of text, such as hex.
        "".encode(name)
    except (LookupError, ValueError):
        raise Refusal(
            f"no charset is called {name!r}: name one such as windows-1252 with --charset, "
            "or leave it out for UTF-8",
            WRONG_USAGE,
        ) from None


def examine(path: Path, charset: str | None = None) -> Source:
    """Find out what a file is, whose text is of a character set; without one, UTF-8. Raises Refusal
    where it can not be read, or is no file of rows.
    """
    try:
        stamp = _stamp(path)
        with path.open("rb") as file:
            gzipped = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
            file.seek(0)
            beginning = _unpacked(file.read(_SNIFFED), path) if gzipped else file.read(_SNIFFED)
    except OSError as error:
        why = error.strerror or first_line(error)
        if isinstance(error, FileNotFoundError):
            why = "there is no such file" + ("" if path.is_absolute() else f" in {Path.cwd()}")
        raise Refusal(f"cannot read {path}: {why}", WRONG_USAGE) from None
    if charset is None:
        _check_text(path, beginning)
    else:
        beginning = beginning.decode(charset, "replace").encode("utf-8", "replace")
    marked = beginning.startswith(_BOM)
    return Source(path, _media_type(path, beginning), gzipped, stamp[0], marked, stamp)


def suffix_of(path: Path) -> str:
    """Tell the end of a file's name that says what is in it: the last one, but for `.gz`."""
    unzipped = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    return unzipped.suffix.lower()


def _unpacked(packed: bytes, path: Path) -> bytes:
    try:
        return zlib.decompressobj(_GZIP_BITS).decompress(packed, _SNIFFED)
    except (zlib.error, gzip.BadGzipFile) as error:
        raise Refusal(f"{path} is not gzip: {first_line(error)}", WRONG_USAGE) from None


def _check_text(path: Path, beginning: bytes) -> None:
    """Refuse what is known by how it begins to be no text in UTF-8."""
    for sign, what in _NO_UTF8.items():
        if beginning.startswith(sign):
            raise Refusal(f"{path} is {what}", WRONG_USAGE)


def _media_type(path: Path, beginning: bytes) -> str:
    """Tell NDJSON and CSV apart: what begins with an object is NDJSON whatever it is called, as the
    pages have it; of anything else the end of its name says it, or that it has commas.
    """
    suffix = suffix_of(path)
    first = beginning.removeprefix(_BOM).lstrip()[:1]
    if first == b"[":
        raise Refusal(
            f"{path} is a JSON array: write one object a line (NDJSON), or CSV", WRONG_USAGE
        )
    if first == b"{" or suffix in NDJSON_SUFFIXES:
        return NDJSON
    if suffix == ".csv":
        return CSV
    line = beginning.splitlines()[0] if first else b""
    if first and b"," not in line:
        other = next((f", but {each}" for sign, each in _OTHER_COMMAS.items() if sign in line), "")
        raise Refusal(
            f"{path} is neither NDJSON nor CSV: its first line is no JSON object and has no comma"
            f"{other}{': write it with commas' if other else ''}",
            WRONG_USAGE,
        )
    return CSV if first else NDJSON


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
