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
_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """A file that can be read, and how it was when that was found out."""

    path: Path
    media_type: str
    gzipped: bool
    size: int
    _stamp: tuple[int, int]

    def pieces(self, told: Callable[[int], None]) -> Generator[bytes]:
        """Read the file from its beginning; tell after each piece how far that is.

        Raises Refusal where it is not the file any more that was looked at.
        """
        far = 0
        with self.path.open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece
                far += len(piece)
                told(far)
        if _stamp(self.path) != self._stamp:
            raise Refusal(
                f"{self.path} was changed while it was imported: import it again; "
                "what was taken from it stays"
            )


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
    if charset is not None:
        beginning = beginning.decode(charset, "replace").encode("utf-8", "replace")
    return Source(path, _media_type(path, beginning), gzipped, stamp[0], stamp)


def _unpacked(packed: bytes, path: Path) -> bytes:
    try:
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(packed, _SNIFFED)
    except (zlib.error, gzip.BadGzipFile) as error:
        raise Refusal(f"{path} is not gzip: {first_line(error)}", WRONG_USAGE) from None


def _media_type(path: Path, beginning: bytes) -> str:
    """Tell NDJSON and CSV apart: by the name if it says, else by the first character."""
    suffixes = [each.lower() for each in path.suffixes]
    first = beginning.removeprefix(_BOM).lstrip()[:1]
    if first == b"[":
        raise Refusal(
            f"{path} is a JSON array: write one object a line (NDJSON), or CSV", WRONG_USAGE
        )
    if ".csv" in suffixes:
        return "text/csv"
    if first == b"{" or {".ndjson", ".jsonl"} & set(suffixes):
        return "application/x-ndjson"
    if first and b"," not in beginning.splitlines()[0]:
        raise Refusal(
            f"{path} is neither NDJSON nor CSV: its first line is no JSON object and has no comma",
            WRONG_USAGE,
        )
    return "text/csv" if first else "application/x-ndjson"


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
