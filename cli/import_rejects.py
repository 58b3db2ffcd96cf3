"""The rejected rows of an import: a file of them as they stood, to be mended and sent, and one that
says what is wrong with each.
"""

import csv
import io
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from api.imports.splitting import Record
from cli.export_file import written_whole
from cli.import_client import Reject, Told
from cli.import_rows import Rows, records
from cli.import_source import CSV, NDJSON_SUFFIXES, Source, suffix_of
from cli.refusals import WRONG_USAGE, Refusal

_REASONS = ("row", "rejects_row", "id", "code", "reason")


@dataclass(frozen=True, slots=True)
class Targets:
    """Where the rejected rows go, and what is wrong with each of them."""

    rows: Path
    reasons: Path


def targets(source: Source, wanted: Path | None) -> Targets:
    """Say where they go: where that is wanted, or else here, called like the file.

    Raises Refusal where they can not be written there.
    """
    rows = wanted or Path(_name(source))
    first, part, count = rows.stem.rpartition(".rejects")
    called = f"{first}.reasons{count}" if part else f"{rows.stem}.reasons"
    reasons = rows.with_name(called + _suffix(source, rows))
    for each in (rows, reasons):
        check_writable(each)
        if each.exists() and each.samefile(source.path):
            raise _refusal(each, "it is the file that is imported")
    return Targets(rows, reasons)


def check_writable(path: Path) -> None:
    """Raise Refusal where rejected rows can not be written to a file of this name."""
    place = path if path.exists() else path.parent
    if path.is_dir():
        why = "it is a folder"
    elif not path.parent.is_dir():
        why = "there is no such folder"
    elif not os.access(place, os.W_OK):
        why = "this user may not write there"
    else:
        return
    raise _refusal(path, why)


def _refusal(path: Path, why: str) -> Refusal:
    return Refusal(
        f"cannot write rejected rows to {path}: {why}; name another file with --rejects",
        WRONG_USAGE,
    )


def _name(source: Source) -> str:
    """Call it like the file, with an end that says of which kind it is. What is rejected of the
    rejects, and of those again, is counted.
    """
    path = source.path
    unzipped = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    stem = unzipped.stem if suffix_of(path) in {".csv", *NDJSON_SUFFIXES} else unzipped.name
    first, part, rest = stem.rpartition(".rejects")
    count = rest.removeprefix("-")
    if not part or not (rest == "" or count.isdecimal()):
        return f"{stem}.rejects{_suffix(source, unzipped)}"
    return f"{first}.rejects-{int(count or 1) + 1}{_suffix(source, unzipped)}"


def _suffix(source: Source, path: Path) -> str:
    suffix = path.suffix.lower()
    if source.media_type == CSV:
        return path.suffix if suffix == ".csv" else ".csv"
    return path.suffix if suffix in NDJSON_SUFFIXES else ".ndjson"


def write_rejects(
    rejects: Iterable[Reject], source: Source, charset: str | None, to: Targets
) -> Path | None:
    """Write rejected rows, which come in the order of their numbers. One is kept at a time. Rows of
    an earlier import that stand there may be half mended: they are kept under the name that is
    returned.

    Raises Refusal where that can not be done.
    """
    is_csv = source.media_type == CSV
    found = records(source, charset)
    with written_whole(to.rows) as rows_file, written_whole(to.reasons) as reasons_file:
        rows = Rows(rows_file, charset, marked=source.marked)
        if is_csv:
            header = next(found, None)
            rows.write((header and header.text) or b"")
            reasons_file.write(_csv(_REASONS))
        row, last = None, (0, 0)
        for each in rejects:
            row = _find(each.row, row, found)
            at = None
            if each.row == last[0]:
                at = last[1]
            elif row is not None and row.row == each.row and row.text is not None:
                at = rows.write(row.text)
                last = each.row, at
            told = asdict(each) | {"rejects_row": at}
            line = {name: told[name] for name in _REASONS}
            as_json = orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
            reasons_file.write(_csv(line.values()) if is_csv else as_json)
        return _kept(to.rows)


def how_to_mend(
    path: Path, to: Targets, kept: Path | None, command: str, told: Told, *, dry: bool
) -> Iterator[str]:
    """Say what both files are for, and how the mended rows are sent."""
    yield f"Rejected rows: {to.rows}, as they stand in {path}, to be mended."
    yield f"What is wrong with each: {to.reasons}, by its line in either file."
    if told.counts["skipped"]:
        # What was skipped is in neither file.
        yield (
            f"Mend them in {path} and import that again: rows that were applied are unchanged then."
        )
    else:
        yield f"To {'try' if dry else 'send'} the mended ones: `{command}`"
    if kept is not None:
        yield f"The rows of an earlier import that stood there are in {kept}."


def _kept(earlier: Path) -> Path | None:
    if not earlier.is_file():
        return None
    try:
        return earlier.replace(earlier.with_name(f"{earlier.name}~"))
    except OSError as error:
        raise Refusal(f"cannot keep the earlier {earlier}: {error.strerror}") from None


def _find(number: int, row: Record | None, rest: Iterator[Record]) -> Record | None:
    """Go on to the row of a number, or to what comes after it where there is none."""
    while row is None or row.row < number:
        row = next(rest, None)
        if row is None:
            return None
    return row


def _csv(fields: Iterable[object]) -> bytes:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerow(fields)
    return written.getvalue().encode()
