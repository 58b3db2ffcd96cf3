"""From the bytes of a file to rows: nothing of a service, and never the whole file at once."""

from typing import Any

import pytest

from api.imports.formats import BadHeader, Csv, Format, Ndjson
from api.imports.mapping import BadMap, read_map
from api.imports.rows import Given, read_row
from api.imports.splitting import RECORD_LIMIT
from domain.commands import CreateItem, DeleteItem, PatchItem, ReplaceItem
from eventlog.codec import decode, encode
from eventlog.envelope import BadRow, Envelope, Rows

NOW = 1_800_000_000_000
GIVEN = Given("0193c6a5-9c1e-7b6f-8a1d-2f3e4d5c6b7a", "rosa", "spring prices", "EUR")
WHOLE = "price: must be a whole number of minor units (cents)"
SHOP = "id:StockCode,name:Description,price:UnitPrice*100,effective_at:InvoiceDate"


def read(
    format_: Format, data: bytes, given: Given = GIVEN, piece: int = 65_536
) -> list[Envelope | BadRow]:
    records = [
        record
        for start in range(0, len(data), piece)
        for record in format_.feed(data[start : start + piece])
    ]
    records += format_.end()
    return [read_row(each, format_.parse, given, NOW) for each in records]


def csv(*lines: str, columns: str | None = None) -> list[Envelope | BadRow]:
    data = "".join(f"{line}\n" for line in lines).encode()
    return read(Csv(None if columns is None else read_map(columns)), data)


def ndjson(*lines: str | bytes, columns: str | None = None) -> list[Envelope | BadRow]:
    data = b"".join((each if isinstance(each, bytes) else each.encode()) + b"\n" for each in lines)
    return read(Ndjson(None if columns is None else read_map(columns)), data)


def command(row: Envelope | BadRow) -> Any:
    assert isinstance(row, Envelope), row
    return row.command


def why(row: Envelope | BadRow) -> tuple[str, str]:
    assert isinstance(row, BadRow), row
    return row.code, row.detail


def number(row: Envelope | BadRow) -> int:
    return int(row.id.rpartition(".")[2])


def test_a_line_is_a_put_unless_it_says_otherwise() -> None:
    put, patch, create, delete = ndjson(
        '{"id": "lamp", "name": "Lamp", "price": 1}',
        '{"op": "patch", "id": "lamp", "price": 2, "reason": "sale"}',
        '{"op": "create", "name": "Lamp", "price": 1}',
        '{"op": "delete", "id": "lamp"}',
    )
    assert command(put) == ReplaceItem("lamp", NOW, "Lamp", None, 1, None, "EUR")
    assert isinstance(command(patch), PatchItem)
    assert isinstance(command(create), CreateItem)
    assert isinstance(command(delete), DeleteItem)
    assert isinstance(put, Envelope)
    assert isinstance(patch, Envelope)
    assert (put.actor, put.reason, patch.reason) == ("rosa", "spring prices", "sale")
    assert not put.with_item


def test_the_same_line_makes_the_same_entry_each_time() -> None:
    lines = ('{"op": "create", "name": "Lamp", "price": 1}', "nonsense")
    assert ndjson(*lines) == ndjson(*lines)


def test_a_row_is_named_by_the_line_on_which_it_begins_and_blank_lines_are_nothing() -> None:
    rows = ndjson("", '{"id": "a", "name": "A", "price": 1}', "  \r", '{"op": "delete", "id": "a"}')
    assert [number(each) for each in rows] == [2, 4]


@pytest.mark.parametrize("piece", [1, 7, 65_536])
def test_where_the_pieces_of_an_upload_end_makes_no_difference(piece: int) -> None:
    data = (
        '\ufeffid,name,description,price\r\nlamp,"Lamp, ""big""","two\r\n\r\nlines",1\r\n\r\n'
        "läuft,Läuft,,2\r\nlast,Last,,3"
    ).encode()
    rows = read(Csv(None), data, piece=piece)
    assert [number(each) for each in rows] == [2, 6, 7]
    assert command(rows[0]) == ReplaceItem(
        "lamp", NOW, 'Lamp, "big"', "two\r\n\r\nlines", 1, None, "EUR"
    )
    assert why(rows[1])[1].startswith("id: an id is 1 to 64 of")
    assert command(rows[2]).price == 3


def test_a_quote_that_opens_no_field_is_a_character_like_any_other() -> None:
    rows = csv("id,name,price", 'a,5" nail,1', 'b,6" nail,2')
    assert [command(each).name for each in rows] == ['5" nail', '6" nail']


def test_a_quote_that_is_never_closed_takes_the_rest_of_the_file_with_it() -> None:
    rows = csv("id,name,price", "a,A,1", 'b,"B,2', "c,C,3")
    assert number(rows[1]) == 3
    assert why(rows[1]) == ("not-csv", "the row is not CSV: a quote is never closed")
    assert len(rows) == 2


def test_empty_fields_are_not_there() -> None:
    (row,) = csv("op,id,name,description,price,currency,effective_at", "patch,a,,,5,,")
    assert command(row) == PatchItem("a", NOW, price=5)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("a,A,12.5,JPY", "JPY has no decimals: round 12.5"),
        ("a,A,12.0,JPY", "12.0 is probably meant as 12"),
        ("a,A,12.345,EUR", "12.345 has more decimals than the 2 that are minor units: round it"),
        (
            "a,A,1.25,KWD",
            (
                "1.25 is probably meant as 1250: "
                "map id:id,name:name,price:price*1000,currency:currency"
            ),
        ),
        (
            "a,A,99999999999999999999.99,EUR",
            (
                "99999999999999999999.99 is more than the most that a price can be, "
                "9,007,199,254,740,991 minor units"
            ),
        ),
    ],
)
def test_an_amount_is_judged_by_its_currency(line: str, told: str) -> None:
    (row,) = csv("id,name,price,currency", line)
    assert why(row) == ("invalid-body", f"{WHOLE}; {told}")


@pytest.mark.parametrize(
    ("price", "told"),
    [
        ("99999999999999999999", "is more than the most that a price can be"),
        ("12.5", "12.5 is probably meant as 1250"),
        ('12.5, "currency": "JPY"', "JPY has no decimals: round 12.5"),
    ],
)
def test_a_number_of_a_json_row_is_judged_by_its_currency(price: str, told: str) -> None:
    (row,) = ndjson('{"id": "a", "name": "A", "price": ' + price + "}")
    assert told in why(row)[1]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("a,A", ("not-csv", "the row has 2 fields, the header 3")),
        ("a,A,1,", ("not-csv", "the row has 4 fields, the header 3")),
        ('a,"A"x,1', ("not-csv", "the row is not CSV: ',' expected after '\"'")),
        ("a,,1", ("invalid-body", "name: is required")),
        (
            "a,A,2.55",
            (
                "invalid-body",
                f"{WHOLE}; 2.55 is probably meant as 255: map id:id,name:name,price:price*100",
            ),
        ),
        (
            'a,A,"12,99"',
            (
                "invalid-body",
                (
                    f"{WHOLE}; 12,99 is probably meant as 1299: "
                    "write 12.99, and then: map id:id,name:name,price:price*100"
                ),
            ),
        ),
        ('a,A,"12,999"', ("invalid-body", f"{WHOLE}, not 12,999")),
        (
            "a,A,cheap",
            (
                "invalid-body",
                f"{WHOLE}, not cheap",
            ),
        ),
        (
            "a,A,-1",
            (
                "invalid-body",
                (
                    "price: a price is a whole number of minor units from 0 to "
                    "9,007,199,254,740,991, not -1"
                ),
            ),
        ),
    ],
)
def test_a_record_that_is_no_row_is_told_with_what_is_wrong(
    line: str, told: tuple[str, str]
) -> None:
    (row,) = csv("id,name,price", line)
    assert why(row) == told


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"nonsense", "not-json"),
        (b'{"id":"a"', "not-json"),
        (b'{"id":"a","price":NaN}', "not-json"),
        (b'{"id":"\\ud800"}', "not-json"),
        (b'["a"]', "not-an-object"),
        (b"5", "not-an-object"),
        (b'{"id":"\xff"}', "not-text"),
        (b'{"id":"a","name":"A","price":1.5}', "invalid-body"),
        (b'{"id":"a","name":"A","price":1,"colour":"red"}', "invalid-body"),
        (b'{"op":"burn","id":"a"}', "invalid-body"),
        (b'{"id":"a","name":"A","price":1,"effective_at":"2010-12-01 08:26"}', "invalid-body"),
        (b"[" * 100_000, "not-json"),
    ],
    ids=[
        "no JSON",
        "half an object",
        "NaN",
        "half a character",
        "an array",
        "a number",
        "no UTF-8",
        "half a cent",
        "a member too many",
        "another operation",
        "no zone",
        "deep",
    ],
)
def test_a_line_that_is_no_row_is_told_with_a_code(line: bytes, code: str) -> None:
    (row,) = ndjson(line)
    assert why(row)[0] == code


@pytest.mark.parametrize("columns", [None, "id:i"])
@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"nonsense", "unexpected character, expected a JSON value: column 1"),
        (b'{"i":"a"', "it ends before it is complete: column 9"),
        (b'{"i":"\\ud800"}', "a string has half a character"),
        (b"[" * 100_000, "it is nested too deeply"),
    ],
    ids=["no JSON", "half an object", "half a character", "deep"],
)
def test_what_is_wrong_with_json_is_said_in_the_same_words_with_a_map_and_without(
    line: bytes, says: str, columns: str | None
) -> None:
    (row,) = ndjson(line, columns=columns)
    assert f"the line is not JSON: {says}" in why(row)[1]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"nonsense", "not-json"),
        (b'{"i":"a","p":NaN}', "not-json"),
        (b'["a"]', "not-an-object"),
        (b'{"i":"\xff"}', "not-text"),
        (b'{"i":"a","n":"A","p":true}', "invalid-body"),
        (b'{"i":"a","n":5,"p":1}', "invalid-body"),
        (b"[" * 100_000, "not-json"),
        (b'{"i":"a","n":"A\\ud800","p":1}', "not-json"),
    ],
    ids=[
        "no JSON",
        "NaN",
        "an array",
        "no UTF-8",
        "a flag",
        "a number",
        "deep",
        "half a character",
    ],
)
def test_a_mapped_line_that_is_no_row_is_told_with_a_code(line: bytes, code: str) -> None:
    (row,) = ndjson(line, columns="id:i,name:n,price:p*100")
    assert why(row)[0] == code


def test_what_is_wrong_is_named_by_member_and_fits_into_the_log() -> None:
    (many,) = ndjson('{"id": "a b", "price": 1.5, "x\\u0000y": 1}')
    code, detail = why(many)
    assert code == "invalid-body"
    assert "id: an id is 1 to 64" in detail
    assert "price: must be a JSON integer, in minor units (cents); 1.5 is probably" in detail
    (long,) = ndjson('{"id": "a", "' + "x" * 5000 + '": 1}')
    assert len(why(long)[1]) <= 1000
    entry = Rows("e", GIVEN.import_id, (many, long))
    assert decode(encode(entry)) == entry


def test_a_line_that_is_too_long_is_rejected_alone() -> None:
    huge = b'{"id": "a", "description": "' + b"x" * RECORD_LIMIT + b'"}'
    before, row, after = ndjson('{"op": "delete", "id": "a"}', huge, '{"op": "delete", "id": "a"}')
    assert why(row) == ("row-too-large", "a row has at most 1 MiB")
    assert [number(each) for each in (before, row, after)] == [1, 2, 3]


def test_a_record_of_many_lines_that_is_too_long_is_given_up_where_it_is() -> None:
    lines = ["x" * 1000] * (RECORD_LIMIT // 1000)
    rows = csv("id,name,price", 'a,"A', *lines, "b,B,1", "c,C,2")
    assert why(rows[0])[0] == "row-too-large"
    assert number(rows[0]) == 2
    assert command(rows[-1]).item_id == "c"


@pytest.mark.parametrize(
    ("price", "cents"),
    [
        ("1.15", 115),
        ("0.29", 29),
        ("2.55", 255),
        ("4.35", 435),
        ("1.1", 110),
        ("9", 900),
        ("8.50", 850),
        (".07", 7),
        ("90071992547409.91", 2**53 - 1),
    ],
)
def test_prices_are_multiplied_exactly(price: str, cents: int) -> None:
    (row,) = csv("Code,What,Price", f"a,A,{price}", columns="id:Code,name:What,price:Price*100")
    assert command(row).price == cents
    number_of_json = f"0{price}" if price.startswith(".") else price
    line = f'{{"c": "a", "w": "A", "p": {number_of_json}}}'
    (row,) = ndjson(line, columns="id:c,name:w,price:p*100")
    assert command(row).price == cents


@pytest.mark.parametrize(
    ("price", "told"),
    [
        ("2.555", "Price 2.555 times 100 is 255.5"),
        ("0.001", "Price 0.001 times 100 is 0.1"),
        ("1e3", "Price is no decimal number: 1e3"),
        ("1e999999999", "Price is no decimal number"),
        ("NaN", "Price is no decimal number"),
        ("1,50", "the row has 4 fields"),
        ('"1,50"', "Price is no decimal number: 1,50; write it as 1.50"),
        ("-2.50", "a price is a whole number of minor units from 0"),
        ("£2.50", "Price is no decimal number"),
    ],
)
def test_a_price_that_gives_no_whole_number_of_cents_is_rejected(price: str, told: str) -> None:
    (row,) = csv("Code,What,Price", f"a,A,{price}", columns="id:Code,name:What,price:Price*100")
    assert told in why(row)[1]


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2010-12-01 08:26:00", 1_291_191_960_000),
        ("2010-12-01 08:26", 1_291_191_960_000),
        ("2010-12-01T08:26:00Z", 1_291_191_960_000),
        ("2010-12-01T09:26:00+01:00", 1_291_191_960_000),
        ("2010-12-01 09:26+0100", 1_291_191_960_000),
        ("2010-12-01 08:26:00.5", 1_291_191_960_500),
        ("2010-12-01", 1_291_161_600_000),
    ],
)
def test_a_time_without_a_zone_is_utc(text: str, at: int) -> None:
    (row,) = csv("id,name,price,effective_at", f"a,A,1,{text}")
    assert command(row).effective_at == at


@pytest.mark.parametrize("text", ["12/1/2010 8:26", "yesterday", "2010-13-01", "2010-12-01 25:00"])
def test_a_time_that_is_none_is_rejected(text: str) -> None:
    (row,) = csv("id,name,price,effective_at", f"a,A,1,{text}")
    code, detail = why(row)
    assert code == "invalid-body"
    assert detail.startswith("effective_at: ")


def test_who_may_not_say_when_something_took_effect_is_told_row_by_row() -> None:
    given = Given(GIVEN.import_id, "rosa", None, "EUR", may_backfill=False)
    rows = read(Csv(None), b"id,name,price,effective_at\na,A,1,2010-12-01\nb,B,1,\n", given)
    assert why(rows[0]) == ("insufficient-scope", "effective_at: needs the scope ops")
    assert command(rows[1]).item_id == "b"


def test_columns_that_are_not_mapped_are_passed_over() -> None:
    (row,) = csv(
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
        "536365,85123A,WHITE HANGING HEART,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom",
        columns=SHOP,
    )
    assert command(row) == ReplaceItem(
        "85123A",
        NOW,
        "WHITE HANGING HEART",
        None,
        255,
        None,
        "EUR",
        effective_at=1_291_191_960_000,
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is not of the form member:column"),
        ("id", "is not of the form member:column"),
        ("id:", "is not of the form member:column"),
        ("id:A,,name:B", "is not of the form member:column"),
        ("colour:A", "'colour' is no member of a row"),
        ("id:A,id:B", "id is mapped twice"),
        ("name:A*100", "only a price can be multiplied, not name"),
        ("price:*100", "names no column"),
        ("price:P*abc", "the factor is no number: 'abc'"),
        ("price:P*1e9", "the factor is no number: '1e9'; write it as in P*100"),
        ("price:P*0.00", "the factor is not more than 0: '0.00'"),
        ("price:P*-100", "the factor is not more than 0: '-100'"),
    ],
)
def test_a_map_that_can_not_be_read_is_refused(text: str, told: str) -> None:
    with pytest.raises(BadMap, match=told.replace("*", r"\*")):
        read_map(text)


def test_a_column_may_have_a_star_and_a_colon_in_its_name() -> None:
    (row,) = csv("a:b,c*d,p", "x,X,2", columns="id:a:b,name:c*d,price:p*1")
    assert (command(row).item_id, command(row).name, command(row).price) == ("x", "X", 2)


@pytest.mark.parametrize(
    ("header", "columns", "told"),
    [
        ("id,title,price", None, "the column 'title' is no member of a row"),
        ("id,id,price", None, "names the column 'id' twice"),
        ("id;name;price", None, "parted by commas, and the first line has none, but semicolons"),
        ("id;name", "id:Code", "but semicolons: write the file with commas"),
        ("id\tname\tprice", None, "parted by commas, and the first line has none, but tabs"),
        ("id,name\ra,A\r", None, "lines end in LF or CRLF, not in CR alone"),
        ('"id","name"\r"a","A"', None, "lines end in LF or CRLF, not in CR alone"),
        ("Code,What", "id:Code,name:Title", "there is no column 'Title', which map= names"),
        ('"id', None, "the header can not be read"),
        ("", None, "the file is empty"),
    ],
)
def test_columns_that_are_not_those_of_rows_are_refused(
    header: str, columns: str | None, told: str
) -> None:
    with pytest.raises(BadHeader, match=told):
        csv(header, columns=columns)
