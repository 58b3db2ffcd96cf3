import gzip
import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from cli import import_rows
from cli.import_rows import Batch, Reject, examine
from cli.refusals import WRONG_USAGE, Refusal


def written(folder: Path, *lines: bytes) -> Path:
    file = folder / "rows.ndjson"
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    return file


def rows_of(file: Path) -> list[import_rows.Row]:
    return [
        row for batch in examine(file).batches() if isinstance(batch, Batch) for row in batch.rows
    ]


def rejects_of(file: Path) -> list[Reject]:
    return [each for each in examine(file).batches() if isinstance(each, Reject)]


def many(count: int, items: int) -> list[bytes]:
    return [
        json.dumps({"id": f"item-{n % items}", "name": "Lamp", "price": n}).encode()
        for n in range(count)
    ]


def test_rows_of_one_item_go_down_one_lane_in_the_order_of_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, *many(5000, 37))
    lanes: dict[str | None, set[int]] = defaultdict(set)
    numbers: dict[str | None, list[int]] = defaultdict(list)
    for batch in examine(file).batches():
        assert isinstance(batch, Batch)
        assert len(batch.rows) <= import_rows.BATCH_ROWS
        for row in batch.rows:
            lanes[row.item_id].add(batch.lane)
            numbers[row.item_id].append(row.number)
    assert all(len(each) == 1 for each in lanes.values())
    assert {lane for each in lanes.values() for lane in each} == set(range(import_rows.LANES))
    assert all(each == sorted(each) for each in numbers.values())
    assert sorted(n for each in numbers.values() for n in each) == list(range(1, 5001))


def test_the_same_file_under_the_same_key_gives_the_same_batches_and_keys(tmp_path: Path) -> None:
    file = written(tmp_path, *many(3000, 400), b"nonsense")

    def sent(key: str) -> list[tuple[str, bytes]]:
        known = examine(file)
        return [
            (batch.key(key, known.digest), batch.body())
            for batch in known.batches()
            if isinstance(batch, Batch)
        ]

    assert sent("one") == sent("one")
    keys = {key for key, _ in sent("one")}
    assert len(keys) == len(sent("one"))
    assert keys.isdisjoint(key for key, _ in sent("other"))


def test_another_content_has_other_keys(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b'{"id":"a"}\n')
    other.write_bytes(b'{"id":"b"}\n')
    batch = Batch(0, ())
    assert batch.key("k", examine(one).digest) != batch.key("k", examine(other).digest)


def test_a_row_is_sent_as_it_stands_but_for_the_operation_that_is_not_said(tmp_path: Path) -> None:
    lines = [
        b'{"id": "a", "price": 12.0,"name":"\\u00e9"}',
        b'{"op": "patch", "id": "a", "price": 1e2}',
        b"{}",
        b'{"id":"a","id":"b","price":NaN}',
        b'{"\\u006fp":"delete","id":"a"}',
    ]
    sent = [row.json for row in sorted(rows_of(written(tmp_path, *lines)), key=lambda r: r.number)]
    assert sent == [
        b'{"op":"put","id": "a", "price": 12.0,"name":"\\u00e9"}',
        lines[1],
        b'{"op":"put"}',
        b'{"op":"put","id":"a","id":"b","price":NaN}',
        lines[4],
    ]


def test_a_row_number_is_the_line_number_and_blank_lines_are_passed_over(tmp_path: Path) -> None:
    file = written(tmp_path, b"", b'{"id":"a"}', b"  \r", b'{"id":"a"}\r')
    assert [row.number for row in rows_of(file)] == [2, 4]
    assert examine(file).rows == 2


def test_the_last_line_needs_no_end_and_the_first_may_bear_a_byte_order_mark(
    tmp_path: Path,
) -> None:
    file = tmp_path / "rows"
    file.write_bytes(b'\xef\xbb\xbf{"id":"a"}\n{"id":"a"}')
    assert [row.number for row in rows_of(file)] == [1, 2]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"nonsense", "not-json"),
        (b'{"id":"a"', "not-json"),
        (b'{"id":"\xff"}', "not-json"),
        (b'{"id":"\\ud800"}', "not-json"),
        (b'{}],"commands":[{}', "not-json"),
        (b'["a"]', "not-an-object"),
        (b"null", "not-an-object"),
        (b"7", "not-an-object"),
    ],
)
def test_a_line_that_is_no_json_object_is_rejected_alone(
    tmp_path: Path, line: bytes, code: str
) -> None:
    file = written(tmp_path, b'{"id":"a"}', line, b'{"id":"b"}')
    assert [(each.row, each.code) for each in rejects_of(file)] == [(2, code)]
    assert sorted(row.number for row in rows_of(file)) == [1, 3]


def test_a_line_that_is_not_json_is_told_by_its_column_alone(tmp_path: Path) -> None:
    (reject,) = rejects_of(written(tmp_path, b'{"id":"a"}', b'{"id":}'))
    assert reject.reason == "the line is not JSON: expected value at column 7"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([b"id,name,price", b"a,Lamp,1"], "looks like CSV, and only NDJSON is taken"),
        ([b"", b"id;name;price"], "looks like CSV, and only NDJSON is taken"),
        ([b"[", b'{"id":"a"}', b"]"], "is not NDJSON"),
        ([b'[{"id":"a"},'], "is not NDJSON"),
        ([b"hello"], "is not NDJSON"),
    ],
)
def test_a_file_of_another_kind_is_refused_by_its_first_line(
    tmp_path: Path, lines: list[bytes], told: str
) -> None:
    with pytest.raises(Refusal) as refused:
        examine(written(tmp_path, *lines))
    assert str(refused.value).endswith(f"rows.ndjson {told}: its first line is no JSON object")
    assert refused.value.code == WRONG_USAGE


def test_a_body_stays_under_its_limit_and_a_row_that_can_not_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_rows, "BATCH_BYTES", 300)
    monkeypatch.setattr(import_rows, "_LONGEST_ROW", 300 - 15)
    lines = [*many(50, 1), b'{"id":"' + b"x" * 5000 + b'"}', *many(3, 1)]
    file = written(tmp_path, *lines)
    batches = [each for each in examine(file).batches() if isinstance(each, Batch)]
    assert all(len(batch.body()) <= 300 for batch in batches)
    assert all(len(batch.rows) > 1 for batch in batches[:-1])
    assert sum(len(batch.rows) for batch in batches) == 53
    assert [(each.row, each.code) for each in rejects_of(file)] == [(51, "row-too-large")]


@pytest.mark.parametrize("identity", [None, 7, ["a"]])
def test_rows_without_an_id_are_spread_by_their_number(tmp_path: Path, identity: Any) -> None:
    file = written(tmp_path, *[json.dumps({"op": "create", "id": identity}).encode()] * 8)
    batches = [each for each in examine(file).batches() if isinstance(each, Batch)]
    assert len(batches) == import_rows.LANES
    assert {row.item_id for row in rows_of(file)} == {None}


def test_a_gzip_file_is_known_by_its_content_not_by_its_name(tmp_path: Path) -> None:
    packed = tmp_path / "rows.txt"
    packed.write_bytes(gzip.compress(b'{"id":"a"}\n') + gzip.compress(b'{"id":"b"}\n'))
    assert len(rows_of(packed)) == 2
    plain = tmp_path / "plain.gz"
    plain.write_bytes(b'{"id":"a"}\n')
    assert len(rows_of(plain)) == 1


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    assert examine(written(tmp_path)).rows == 0


@pytest.mark.parametrize(
    ("kept", "added"), [(-9, b""), (20, b"x")], ids=["cut short", "other bytes"]
)
def test_a_damaged_gzip_file_is_refused_before_anything_is_sent(
    tmp_path: Path, kept: int, added: bytes
) -> None:
    file = tmp_path / "rows.gz"
    file.write_bytes(gzip.compress(b"\n".join(many(1000, 10)))[:kept] + added)
    with pytest.raises(Refusal, match="not a whole gzip file") as refused:
        examine(file)
    assert refused.value.code == WRONG_USAGE


def test_a_file_that_is_not_there_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"nowhere\.ndjson: No such file") as refused:
        examine(tmp_path / "nowhere.ndjson")
    assert refused.value.code == WRONG_USAGE


def test_a_file_that_changes_while_it_is_imported_is_told(tmp_path: Path) -> None:
    file = written(tmp_path, b'{"id":"a"}')
    known = examine(file)
    os.utime(file, (0, 0))
    with pytest.raises(Refusal, match="was changed while it was imported"):
        list(known.batches())
