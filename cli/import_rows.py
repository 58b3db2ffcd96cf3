"""The rows of an import file, as the batches in which they are sent.

The same file always gives the same batches: whoever sends one again sends the same bytes under the
same key. So nothing here depends on time or on how far an earlier import came.
"""

import gzip
import hashlib
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson
from pydantic_core import from_json

from cli.refusals import WRONG_USAGE, Refusal, first_line

LANES = 4
BATCH_ROWS = 1000
BATCH_BYTES = 8 * 1024 * 1024

_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_BUFFER = 1 << 20
_HEAD, _TAIL = b'{"commands":[', b"]}"
# A row whose body would not fit with nothing else in it.
_LONGEST_ROW = BATCH_BYTES - len(_HEAD) - len(_TAIL)
_DEEP = 100


@dataclass(frozen=True, slots=True)
class Row:
    """One command, as the bytes that stand in the file but for an `op` where there was none."""

    number: int
    item_id: str | None
    json: bytes


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was not taken: its number, the id it names if any, and why."""

    row: int
    id: str | None
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that travel together down one lane, in the order of the file."""

    lane: int
    rows: tuple[Row, ...]

    def body(self) -> bytes:
        return _HEAD + b",".join(row.json for row in self.rows) + _TAIL

    def key(self, run_key: str, digest: str) -> str:
        """Derive the Idempotency-Key: this batch of this file, under the key of the import."""
        parts = [run_key, digest, [row.number for row in self.rows]]
        return "import-" + hashlib.sha256(orjson.dumps(parts)).hexdigest()


@dataclass(frozen=True, slots=True)
class ImportFile:
    """A file that was read once from end to end: what it holds, and that it can be read."""

    path: Path
    digest: str
    rows: int
    _stamp: tuple[int, int]

    def batches(self) -> Generator[Batch | Reject]:
        """Read the file again, as batches and the rows that cannot be sent.

        Raises Refusal where it is not the file any more that was read before.
        """
        with _opened(self.path) as lines:
            yield from in_batches(read_rows(lines))
        if _stamp(self.path) != self._stamp:
            raise Refusal(
                f"{self.path} was changed while it was imported: import it again; "
                "what was taken from it stays"
            )


def examine(path: Path) -> ImportFile:
    """Read a file once, to count its rows and to name its content.

    Raises Refusal where it cannot be read to its end.
    """
    try:
        stamp = _stamp(path)
        with path.open("rb") as raw:
            digest = hashlib.file_digest(raw, "sha256").hexdigest()
        with _opened(path) as lines:
            rows = _count(path, lines)
    except OSError as error:
        why = error.strerror or first_line(error)
        raise Refusal(f"cannot read {path}: {why}", WRONG_USAGE) from None
    return ImportFile(path, digest, rows, stamp)


def _count(path: Path, lines: Iterator[tuple[int, bytes | None]]) -> int:
    """Count the rows, and refuse a file of another kind by its first one."""
    rows = 0
    for _, line in lines:
        if rows == 0 and line and not line.startswith(b"{"):
            kind = "looks like CSV, and only NDJSON is taken" if _is_csv(line) else "is not NDJSON"
            raise Refusal(f"{path} {kind}: its first line is no JSON object", WRONG_USAGE)
        rows += line is None or line != b""
    return rows


def _is_csv(line: bytes) -> bool:
    return not line.startswith(b"[") and any(each in line for each in (b",", b";", b"\t"))


def read_rows(lines: Iterator[tuple[int, bytes | None]]) -> Iterator[Row | Reject]:
    """Make rows of numbered lines; blank lines count, and are nothing else."""
    for number, line in lines:
        if line is None:
            yield Reject(number, None, "row-too-large", "a row has less than 8 MiB")
        elif line:
            yield _row(number, line)


def in_batches(rows: Iterator[Row | Reject], lanes: int = LANES) -> Generator[Batch | Reject]:
    """Fill each lane's batch until it is full. All rows of an item go down one lane."""
    waiting: list[list[Row]] = [[] for _ in range(lanes)]
    sizes = [0] * lanes
    for row in rows:
        if isinstance(row, Reject):
            yield row
            continue
        lane = _lane(row, lanes)
        size = len(row.json) + 1
        full = len(waiting[lane]) == BATCH_ROWS or sizes[lane] + size > _LONGEST_ROW
        if full and waiting[lane]:
            yield Batch(lane, tuple(waiting[lane]))
            waiting[lane], sizes[lane] = [], 0
        waiting[lane].append(row)
        sizes[lane] += size
    for lane, left in enumerate(waiting):
        if left:
            yield Batch(lane, tuple(left))


def _lane(row: Row, lanes: int) -> int:
    if row.item_id is None:
        return row.number % lanes
    # Not hash(): that is another one in every process.
    return zlib.crc32(row.item_id.encode()) % lanes


def _row(number: int, line: bytes) -> Row | Reject:
    try:
        # The parser of the service: what it cannot read would spoil the whole batch.
        parsed = from_json(line)
        if line.count(b"[") + line.count(b"{") > _DEEP:
            from_json(_HEAD + line + _TAIL)
    except ValueError as error:
        # The parser knows one line only; the number of the row says which.
        why = first_line(error).replace(" at line 1 column ", " at column ")
        return Reject(number, None, "not-json", f"the line is not JSON: {why}")
    if not isinstance(parsed, dict):
        return Reject(number, None, "not-an-object", "the line is not a JSON object")
    members = cast("dict[str, Any]", parsed)
    named = members.get("id")
    item_id = named if isinstance(named, str) else None
    if "op" not in members:
        line = b'{"op":"put"' + (b"," if members else b"") + line[1:]
    if len(line) > _LONGEST_ROW:
        return Reject(number, item_id, "row-too-large", "a row has less than 8 MiB")
    return Row(number, item_id, line)


@contextmanager
def _opened(path: Path) -> Generator[Iterator[tuple[int, bytes | None]]]:
    """Open a file for its numbered, stripped lines; a line that is too long to send is `None`.

    Raises Refusal where it is no whole gzip file though it begins like one.
    """
    with path.open("rb", buffering=_BUFFER) as raw:
        if raw.read(len(_GZIP_MAGIC)) != _GZIP_MAGIC:
            raw.seek(0)
            yield _lines(raw)
            return
        raw.seek(0)
        try:
            with gzip.open(raw, "rb") as unpacked:
                yield _lines(cast("BinaryIO", unpacked))
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            why = first_line(error)
            raise Refusal(f"{path} is not a whole gzip file: {why}", WRONG_USAGE) from None


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    number = 0
    while line := stream.readline(_LONGEST_ROW + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(_BOM)
        if len(line) > _LONGEST_ROW and not line.endswith(b"\n"):
            _skip_line(stream.readline)
            yield number, None
        else:
            yield number, line.strip()


def _skip_line(readline: Callable[[int], bytes]) -> None:
    while (part := readline(_BUFFER)) and not part.endswith(b"\n"):
        pass


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
