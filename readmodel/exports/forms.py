"""The forms of an export: a JSON object a line, or records under a header."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

_COLUMNS = (
    "id",
    "name",
    "description",
    "price",
    "currency",
    "version",
    "created_at",
    "updated_at",
    "deleted_at",
)


@dataclass(frozen=True, slots=True)
class Ndjson:
    """The documents of items as they are answered one by one."""

    media_type: str = "application/x-ndjson"
    content_type: str = "application/x-ndjson"
    name: str = "ndjson"
    head: bytes = b""
    # Its length is told, so there is nothing to add.
    broken: bytes = b""

    def length(self, count: int, size: int) -> int | None:
        """Tell how many bytes it will have: a line end more per document."""
        return size + count

    def write(self, bodies: Sequence[str]) -> bytes:
        return ("\n".join(bodies) + "\n").encode()


@dataclass(frozen=True, slots=True)
class Csv:
    """Records of RFC 4180, the fields of which are the members of items; null is empty."""

    media_type: str = "text/csv"
    content_type: str = "text/csv; charset=utf-8; header=present"
    name: str = "csv"
    head: bytes = (",".join(_COLUMNS) + "\r\n").encode()
    # A quote that is never closed: no reader takes this for the end.
    broken: bytes = b'"the export broke off here'

    def length(self, count: int, size: int) -> int | None:  # noqa: ARG002  as of the other form
        """It is not known before it is written."""
        return None

    def write(self, bodies: Sequence[str]) -> bytes:
        written = io.StringIO()
        records = csv.writer(written, lineterminator="\r\n")
        documents = map(orjson.loads, bodies)
        records.writerows([each[column] for column in _COLUMNS] for each in documents)
        return written.getvalue().encode()


Form = Ndjson | Csv
NDJSON, CSV = Ndjson(), Csv()
