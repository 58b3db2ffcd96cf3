"""Rows that are none, and lines that end otherwise: what is made of them, and what is said."""

import pytest

from api.imports.formats import Csv
from eventlog.codec import decode, encode
from eventlog.envelope import BadRow, Envelope, Rows
from tests.api.test_import_parsing import GIVEN, command, csv, ndjson, read, why


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_header_may_end_as_any_other_line(ends: str) -> None:
    (row,) = read(Csv(None), f"id,name,price{ends}a,A,1{ends}".encode())
    assert command(row).name == "A"


def test_lines_of_json_that_end_in_a_bare_cr_are_told_so() -> None:
    (row,) = ndjson('{"op": "delete", "id": "a"}\r{"op": "delete", "id": "b"}')
    assert why(row)[0] == "not-json"
    assert "lines end in LF or CRLF, not in CR alone" in why(row)[1]


def test_a_column_that_is_mapped_may_have_a_semicolon_in_its_name() -> None:
    (row,) = csv("a;b", "x", columns="id:a;b")
    assert why(row) == ("invalid-body", "name: is required; price: is required")


@pytest.mark.parametrize(
    ("row", "item_id"),
    [
        (ndjson('{"id": "lamp", "name": "", "price": 1}'), "lamp"),
        (ndjson('{"id": "lamp", "effective_at": "now"}'), "lamp"),
        (ndjson('{"i": "lamp", "p": "x"}', columns="price:p*100,id:i"), "lamp"),
        (csv("price,id,name", "x,lamp,A"), "lamp"),
        (csv("id,name,price", "lamp,A"), ""),
        (ndjson('{"id": "no id", "name": "A", "price": 1}'), ""),
        (ndjson('{"id": 7, "name": "A", "price": 1}'), ""),
        (ndjson('{"n": "A", "p": "x"}', columns="price:p*100,name:n"), ""),
        (ndjson("nonsense"), ""),
    ],
)
def test_a_row_that_is_none_keeps_the_id_that_it_names(
    row: list[Envelope | BadRow], item_id: str
) -> None:
    (bad,) = row
    assert isinstance(bad, BadRow)
    assert bad.item_id == item_id
    entry = Rows("entry", GIVEN.import_id, (bad,))
    assert decode(encode(entry)) == entry


def test_a_row_that_is_none_is_read_without_an_id_as_earlier_releases_wrote_it() -> None:
    row = b'{"id":"i.000000001","fp":"f","code":"not-json","detail":"so it is"}'
    entry = decode(b'{"id":"e","op":"rows","import":"i","dry":0,"stop":0,"rows":[' + row + b"]}")
    bad = BadRow("i.000000001", "f", "not-json", "so it is")
    assert entry == Rows("e", "i", (bad,))
    assert b'"item"' not in encode(entry)
