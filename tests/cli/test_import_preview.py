"""How the first rows are read, so that one sees euros that were taken for cents."""

from pathlib import Path

import pytest

from cli.import_preview import first_rows
from cli.import_source import examine


def shown(
    folder: Path, content: bytes, columns: str | None = None, charset: str | None = None
) -> list[str]:
    file = folder / "rows"
    file.write_bytes(content)
    return first_rows(examine(file, charset), charset, columns, "EUR")


def test_prices_are_shown_in_their_currency(tmp_path: Path) -> None:
    content = b"id,name,price,currency\neuro-1,Lamp,12,\nb,Two,1250,JPY\nc,,,\nd,D,1,\n"
    assert shown(tmp_path, content) == ["euro-1  Lamp  0.12 EUR", "b  Two  1250 JPY", "c"]


def test_a_map_is_honoured(tmp_path: Path) -> None:
    content = b"sku,cost,name\na,0.29,x\nb,12,y\n"
    wanted = ["a  0.29 EUR", "b  12.00 EUR"]
    assert shown(tmp_path, content, "id:sku,price:cost*100") == wanted
    as_json = b'{"sku":"c","cost":0.1000000000000000000001}\n{"sku":"a","cost":0.29}\n'
    as_json += b'{"sku":"b","cost":12}\n'
    assert shown(tmp_path, as_json, "id:sku,price:cost*100") == wanted


def test_what_is_no_put_is_said(tmp_path: Path) -> None:
    content = b'{"id":"a","op":"delete"}\n{"id":"b","op":"patch","price":1}\n'
    assert shown(tmp_path, content) == ["a  delete", "b  patch  0.01 EUR"]


def test_rows_that_will_be_rejected_are_passed_over(tmp_path: Path) -> None:
    content = b"id,name,price\na,A,x\nb\n,B,1\nd,D,-1\n\xff,E,1\nf,F,1\n"
    assert shown(tmp_path, content) == ["f  F  0.01 EUR"]
    content = b'{nonsense\n[1]\n{"id":"a","price":1.5}\n{"id":"b","price":true}\n{"id":"c"}\n'
    assert shown(tmp_path, content) == ["c"]


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        (b"id,name\na,A\n", "nonsense"),
        (b"id,name\na,A\n", "id:other"),
        (b"i\xff,name\na,A\n", None),
    ],
)
def test_a_file_that_will_be_refused_shows_nothing(
    tmp_path: Path, content: bytes, columns: str | None
) -> None:
    assert shown(tmp_path, content, columns) == []


def test_a_terminal_is_told_nothing_by_a_file(tmp_path: Path) -> None:
    assert shown(tmp_path, b"id,name\na,\x1b[2JA\n") == ["a  ?[2JA"]


def test_other_character_sets_are_read(tmp_path: Path) -> None:
    content = "id,name\na,Lämpchen\n".encode("utf-16")
    assert shown(tmp_path, content, charset="utf-16") == ["a  Lämpchen"]
