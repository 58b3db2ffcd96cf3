"""Files that somebody made to do harm, or that came out of a program that does."""

from typing import Any

import pytest

from api.imports.formats import COLUMNS_LIMIT, BadHeader
from api.imports.rows import NotARow, read_row
from api.imports.splitting import Record
from eventlog.codec import decode, encode
from eventlog.envelope import BadRow, Envelope, Rows
from tests.api.test_import_parsing import GIVEN, NOW, command, csv, ndjson, number, why

MAP = "id:i,name:n,price:p*100"


def fits_into_the_log(row: Envelope | BadRow) -> bool:
    entry = Rows("e", GIVEN.import_id, (row,))
    return decode(encode(entry)) == entry


@pytest.mark.parametrize(
    "line",
    [
        r'{"i": "a", "n": "A\ud800", "p": 1}',
        r'{"i": "a", "n": "A", "p": "\uDFFF"}',
        r'{"i": "a", "n": "A", "p": 1, "more": [{"\ud800": 1.5}]}',
        b'{"i": "a", "n": "A\xed\xa0\x80", "p": 1}',
    ],
)
def test_half_a_character_is_refused_with_its_row(line: str | bytes) -> None:
    before, row, after = ndjson('{"i": "b"}', line, '{"i": "c"}', columns=MAP)
    assert why(row)[0] in {"not-json", "not-text"}
    assert all(map(fits_into_the_log, (before, row, after)))


def test_a_character_may_be_escaped_by_its_two_halves() -> None:
    (row,) = ndjson(r'{"i": "a", "n": "\ud83d\uDE00", "p": 1}', columns=MAP)
    assert command(row).name == "\N{GRINNING FACE}"
    assert fits_into_the_log(row)


def test_what_is_wrong_fits_into_the_log_whatever_it_quotes() -> None:
    def parse(_: bytes) -> dict[str, Any]:
        raise NotARow("invalid-body", "price: not \ud800\0")

    row = read_row(Record(1, b"x"), parse, GIVEN, NOW)
    assert why(row)[1] == r"price: not \ud800\0"
    assert fits_into_the_log(row)


@pytest.mark.parametrize("blank", ["", "\r", " \t"])
def test_blank_lines_are_counted_and_only_those_in_quotes_are_kept(blank: str) -> None:
    many = [blank] * 3
    header, begun, ended = "id,name,price,description", 'a,A,1,"x', 'y"'
    rows = csv(*many, header, *many, begun, *many, ended, *many, "b,B,2,")
    assert [number(each) for each in rows] == [8, 16]
    assert command(rows[0]).description == "\n".join(["x", *many, "y"])


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["id", *map(str, range(COLUMNS_LIMIT))], "names 1,001 columns, at most 1,000"),
        (["x"] * 500_000, "names 500,000 columns"),
    ],
)
def test_a_header_of_too_many_columns_is_refused(names: list[str], told: str) -> None:
    with pytest.raises(BadHeader, match=told):
        csv(",".join(names), columns="id:id")


def test_a_header_may_have_many_columns() -> None:
    more = [f"c{n}" for n in range(COLUMNS_LIMIT - 3)]
    header, row = ",".join(["id", "name", "price", *more]), "a,A,1" + "," * len(more)
    (read,) = csv(header, row, columns="id:id,name:name,price:price")
    assert command(read).item_id == "a"
