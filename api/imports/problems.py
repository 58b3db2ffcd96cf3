"""What can be wrong with an import as a whole."""

from typing import Any

from eventlog.import_state import State
from runtime.problem_pages import ProblemCode
from runtime.problems import Problem

IMPORT_NOT_FOUND = ProblemCode(
    "import-not-found",
    404,
    "No such import",
    "No import of this id was begun in the last 24 hours.",
    "The query API lists them at /imports. An older one can only be reverted.",
)
IMPORT_RUNNING = ProblemCode(
    "import-running",
    409,
    "The import is running",
    "Rows of this import are being received, or may still be.",
    "Wait until that has ended; pause or cancel it if it is not wanted. An upload whose connection "
    "broke lets go after five seconds.",
)
IMPORT_OVER = ProblemCode(
    "import-over",
    409,
    "The import is over",
    "All rows of the import were received, or it was stopped, cancelled or has failed.",
    "What it came to stands at the query API, /imports/{id}. What it changed can be reverted.",
)
INVALID_COLUMNS = ProblemCode(
    "invalid-columns",
    422,
    "The columns are not those of rows",
    "The first line of the CSV does not name the columns that a row, or the map, has. Nothing was "
    "imported.",
    "Name the columns as the members of a row, or map them: "
    "?map=id:StockCode,name:Description,price:UnitPrice*100.",
)
UNREADABLE_UPLOAD = ProblemCode(
    "unreadable-upload",
    422,
    "The upload can not be read to its end",
    "Its bytes are not of the Content-Encoding or charset that it is said to have. The rows before "
    "that place are accepted.",
    "Send the whole file again under the same Idempotency-Key; what was accepted stays as it is.",
)
UPLOAD_FAILED = ProblemCode(
    "upload-failed",
    503,
    "The upload was given up",
    "The log took nothing for so long that the upload was ended, or it lost rows that it had "
    "taken. The rows before that are accepted and stay so.",
    "Send the same file again under the same Idempotency-Key: it goes on where it ended.",
)

# Why a row of an import is none; they are never an answer of their own.
ROWS = (
    ProblemCode(
        "not-csv",
        422,
        "The row is not CSV",
        "A record of the file has other fields than its header, or a quote that is not closed.",
        "Quote fields that hold commas, quotes or line ends, and double the quotes (RFC 4180).",
    ),
    ProblemCode(
        "not-text",
        422,
        "The row is not text",
        "A row has bytes that are not of the file's character set.",
        "Send UTF-8, or name another charset in Content-Type.",
    ),
    ProblemCode(
        "not-an-object",
        422,
        "The row is no JSON object",
        "A line of the file is JSON, but no object.",
        "Write one object a line.",
    ),
    ProblemCode(
        "row-too-large",
        422,
        "The row is too large",
        "A row of an import has at most 1 MiB.",
        "Shorten it; a description has at most 10,000 characters.",
    ),
)

OWN = (
    IMPORT_NOT_FOUND,
    IMPORT_RUNNING,
    IMPORT_OVER,
    INVALID_COLUMNS,
    UNREADABLE_UPLOAD,
    UPLOAD_FAILED,
    *ROWS,
)


def problem(code: ProblemCode, detail: str, **members: Any) -> Problem:
    return Problem(code.status, code.code, code.title, detail, extra=members)


def over(import_id: str, state: State) -> Problem:
    ended = {"received": "all of its rows are received"}.get(state, f"it is {state}")
    return problem(IMPORT_OVER, f"import {import_id} is over: {ended}")
