"""Rejected rows as a person gets them: to be mended and sent, and what is wrong with each."""

import csv
import gzip
import json
from pathlib import Path

import pytest

from cli.import_client import Reject
from cli.import_rejects import Targets, targets, write_rejects
from cli.import_source import examine
from cli.refusals import WRONG_USAGE, Refusal

CSV_FILE = (
    b"id,name,price\r\n"
    b"a,Lamp,4995\r\n"
    b"\r\n"
    b'b,"Two\r\n\r\nlines, and a ""quote""",x\r\n'
    b"c, Lamp ,1\r\n"
    b"d,\xff,1\r\n"
    b"e,Lamp,y"
)


def reject(row: int, code: str = "invalid-body", why: str = "price: not x") -> Reject:
    return Reject(row, "a", code, why)


def written(
    folder: Path, name: str, content: bytes, *rejects: Reject, charset: str | None = None
) -> tuple[bytes, bytes]:
    """Write the rejects of a file, and return both of theirs."""
    file = folder / name
    file.write_bytes(content)
    source = examine(file, charset)
    to = targets(source, folder / "bad")
    write_rejects(rejects, source, charset, to)
    return to.rows.read_bytes(), to.reasons.read_bytes()


@pytest.mark.parametrize("gzipped", [False, True])
def test_rejected_rows_of_a_csv_are_as_they_stood_under_its_header(
    tmp_path: Path, gzipped: bool
) -> None:
    name, sent = ("p.csv.gz", gzip.compress(CSV_FILE)) if gzipped else ("p.csv", CSV_FILE)
    rows, reasons = written(tmp_path, name, sent, reject(4), reject(8), reject(9))
    assert rows == (
        b'id,name,price\r\nb,"Two\r\n\r\nlines, and a ""quote""",x\r\nd,\xff,1\r\ne,Lamp,y\n'
    )
    told = list(csv.DictReader(reasons.decode().splitlines()))
    assert [(each["row"], each["rejects_row"]) for each in told] == [
        ("4", "2"),
        ("8", "5"),
        ("9", "6"),
    ]
    assert told[0]["reason"] == "price: not x"


def test_the_mended_file_is_taken_as_the_first_one_was(tmp_path: Path) -> None:
    rows, _ = written(tmp_path, "p.csv", CSV_FILE, reject(4))
    mended = tmp_path / "p.rejects.csv"
    mended.write_bytes(rows)
    assert examine(mended).media_type == "text/csv"


def test_rejected_rows_of_ndjson_are_as_they_stood(tmp_path: Path) -> None:
    content = b'{"id": "a"}\n\n{"id":"b" , "price": 1.0}\nnonsense'
    rows, reasons = written(tmp_path, "p.ndjson", content, reject(3), reject(4))
    assert rows == b'{"id":"b" , "price": 1.0}\nnonsense\n'
    assert [json.loads(each) for each in reasons.splitlines()] == [
        {"row": 3, "rejects_row": 1, "id": "a", "code": "invalid-body", "reason": "price: not x"},
        {"row": 4, "rejects_row": 2, "id": "a", "code": "invalid-body", "reason": "price: not x"},
    ]


@pytest.mark.parametrize("charset", ["windows-1252", "utf-16", "utf-16-le", "utf-8-sig"])
def test_rejected_rows_are_of_the_character_set_of_the_file(tmp_path: Path, charset: str) -> None:
    header, other, bad = "id,name,price\n", "a,Lämpchen,1\n", "b,Lüster,x\n"
    content = (header + other + bad).encode(charset)
    rows, _ = written(tmp_path, "p.csv", content, reject(3), charset=charset)
    assert rows == (header + bad).encode(charset)


def test_the_mark_by_which_spreadsheets_know_utf_8_stays(tmp_path: Path) -> None:
    rows, _ = written(tmp_path, "p.csv", b"\xef\xbb\xbfid,name\na,A\n", reject(2))
    assert rows == b"\xef\xbb\xbfid,name\na,A\n"


def test_a_row_that_is_not_in_the_file_or_too_large_is_told_without_a_place(tmp_path: Path) -> None:
    content = b'{"id":"' + b"x" * 2**20 + b'"}\n\n{"id":"b"}\n'
    rows, reasons = written(
        tmp_path, "p.ndjson", content, reject(1, "row-too-large"), reject(2), reject(3), reject(9)
    )
    assert rows == b'{"id":"b"}\n'
    assert [json.loads(each)["rejects_row"] for each in reasons.splitlines()] == [
        None,
        None,
        1,
        None,
    ]


def test_a_row_that_is_rejected_twice_is_there_once(tmp_path: Path) -> None:
    rows, reasons = written(tmp_path, "p.ndjson", b"x\ny\n", reject(1), reject(1), reject(2))
    assert rows == b"x\ny\n"
    assert [json.loads(each)["rejects_row"] for each in reasons.splitlines()] == [1, 1, 2]


def test_rows_that_somebody_may_have_begun_to_mend_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "p.ndjson"
    file.write_bytes(b"x\n")
    to = Targets(tmp_path / "bad", tmp_path / "why")
    assert write_rejects([reject(1)], examine(file), None, to) is None
    to.rows.write_bytes(b"mended\n")
    kept = write_rejects([reject(1)], examine(file), None, to)
    assert kept == tmp_path / "bad~"
    assert kept.read_bytes() == b"mended\n"
    assert to.rows.read_bytes() == b"x\n"


def test_a_file_that_was_changed_is_not_taken_for_the_one_that_was_sent(tmp_path: Path) -> None:
    file = tmp_path / "p.ndjson"
    file.write_bytes(b"x\n")
    source = examine(file)
    file.write_bytes(b"another\n")
    with pytest.raises(Refusal, match="was changed"):
        write_rejects([reject(1)], source, None, Targets(tmp_path / "bad", tmp_path / "why"))
    assert not (tmp_path / "bad").exists()


@pytest.mark.parametrize(
    ("name", "rows", "reasons"),
    [
        ("prices.csv", "prices.rejects.csv", "prices.reasons.csv"),
        ("prices.CSV.gz", "prices.rejects.CSV", "prices.reasons.CSV"),
        ("prices.txt", "prices.txt.rejects.csv", "prices.txt.reasons.csv"),
        ("prices", "prices.rejects.csv", "prices.reasons.csv"),
        ("prices.rejects.csv", "prices.rejects-2.csv", "prices.reasons-2.csv"),
        ("prices.rejects-2.csv", "prices.rejects-3.csv", "prices.reasons-3.csv"),
    ],
)
def test_rejects_are_called_like_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, rows: str, reasons: str
) -> None:
    monkeypatch.chdir(tmp_path)
    content = b"id,name\na,A\n"
    Path(name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert targets(examine(Path(name)), None) == Targets(Path(rows), Path(reasons))


def test_ndjson_that_is_called_csv_gets_rejects_that_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("prices.csv").write_bytes(b'{"id":"a"}\n')
    found = targets(examine(Path("prices.csv")), None)
    assert found == Targets(Path("prices.rejects.ndjson"), Path("prices.reasons.ndjson"))


def test_the_file_itself_is_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    file.write_bytes(b"id\na\n")
    for wanted in (file, tmp_path / "x.rejects.csv"):
        (tmp_path / "x.reasons.csv").unlink(missing_ok=True)
        (tmp_path / "x.reasons.csv").hardlink_to(file)
        with pytest.raises(Refusal, match="it is the file that is imported") as refused:
            targets(examine(file), wanted)
        assert refused.value.code == WRONG_USAGE
