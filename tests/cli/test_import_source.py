"""What kind of file it is, and its bytes as they are sent."""

import gzip
import secrets
from pathlib import Path

import pytest

from cli.import_source import examine
from cli.refusals import WRONG_USAGE, Refusal


def written(folder: Path, name: str, content: bytes) -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


@pytest.mark.parametrize(
    ("name", "content", "media_type"),
    [
        ("rows", b'{"id":"a"}\n', "application/x-ndjson"),
        ("rows.ndjson", b"", "application/x-ndjson"),
        ("rows.txt", b'\xef\xbb\xbf\n {"id":"a"}', "application/x-ndjson"),
        ("rows.txt", b"id,name\na,A\n", "text/csv"),
        ("rows.csv", b"id\na\n", "text/csv"),
        ("rows.jsonl", b"nonsense", "application/x-ndjson"),
        ("prices.csv.reasons.ndjson", b'{"row":2}\n', "application/x-ndjson"),
        ("prices.csv.ndjson", b"nonsense", "application/x-ndjson"),
        ("rows.csv", b'{"id":"a"}\n', "application/x-ndjson"),
        ("rows.ndjson.csv", b"id\na\n", "text/csv"),
    ],
    ids=[
        "json",
        "empty",
        "a mark first",
        "commas",
        "csv by name",
        "ndjson by name",
        "made of a csv",
        "the last name says it",
        "objects that are called csv",
        "csv by its last name",
    ],
)
@pytest.mark.parametrize("gzipped", [False, True])
def test_the_kind_is_told_by_the_name_or_by_the_beginning(
    tmp_path: Path, name: str, content: bytes, media_type: str, gzipped: bool
) -> None:
    name, sent = (f"{name}.gz", gzip.compress(content)) if gzipped else (name, content)
    source = examine(written(tmp_path, name, sent))
    assert (source.media_type, source.gzipped, source.size) == (media_type, gzipped, len(sent))
    assert b"".join(source.pieces(lambda *_: None)) == sent


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'[{"id":"a"}]', "is a JSON array"),
        (b"nonsense\n", "neither NDJSON nor CSV"),
        (b"\x1f\x8bnonsense", "is not gzip"),
        (b"id;name\n", "has no comma, but semicolons: write it with commas"),
        (b"id\tname\n", "has no comma, but tabs: write it with commas"),
        (b"PK\x03\x04,", "is a spreadsheet, or another archive: save it as CSV"),
        (b"\xd0\xcf\x11\xe0,", "is a spreadsheet: save it as CSV"),
        ("id,name\n".encode("utf-16"), "is in UTF-16: name that with --charset utf-16"),
    ],
)
def test_what_is_no_file_of_rows_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    with pytest.raises(Refusal, match=told) as refused:
        examine(written(tmp_path, "rows", content))
    assert refused.value.code == WRONG_USAGE


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="cannot read") as refused:
        examine(tmp_path / "rows")
    assert refused.value.code == WRONG_USAGE


def test_it_is_told_how_far_the_file_is_sent(tmp_path: Path) -> None:
    file = written(tmp_path, "rows.csv", b"x" * 150_000)
    told: list[int] = []
    pieces = examine(file).pieces(lambda far, _: told.append(far))
    assert sum(map(len, pieces)) == 150_000
    assert told == [65_536, 131_072, 150_000]


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz", "two.csv.gz", "rows.ndjson", "x.csv"])
def test_it_is_told_how_many_rows_are_sent(tmp_path: Path, name: str) -> None:
    lines = [f'{{"id":"{secrets.token_hex(40)}"}}\n'.encode() for _ in range(5000)]
    content = {
        "rows.csv": b"".join([b"id,name\n", *lines]),
        "rows.csv.gz": gzip.compress(b"".join([b"id,name\n", *lines])),
        "two.csv.gz": gzip.compress(b"id,name\n" + lines[0]) + gzip.compress(b"".join(lines[1:])),
        "rows.ndjson": b"".join(lines),
        "x.csv": b"",
    }[name]
    told = list[int]()
    for _ in examine(written(tmp_path, name, content)).pieces(lambda _, rows: told.append(rows)):
        pass
    assert told == sorted(told)
    assert told[-1:] == ([5000] if content else [])


def test_a_file_that_changes_meanwhile_is_told(tmp_path: Path) -> None:
    file = written(tmp_path, "rows.csv", b"id\n")
    source = examine(file)
    file.write_bytes(b"id\na\n")
    with pytest.raises(Refusal, match="was changed while"):
        list(source.pieces(lambda *_: None))


def test_the_kind_is_told_by_the_beginning_in_its_own_charset(tmp_path: Path) -> None:
    for content, media_type in (('{"id":"a"}', "application/x-ndjson"), ("id,name", "text/csv")):
        source = examine(written(tmp_path, "rows", content.encode("utf-16")), "utf-16")
        assert source.media_type == media_type
