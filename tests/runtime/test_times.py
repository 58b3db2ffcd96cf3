import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.times import http_date, parse_http_date, parse_rfc3339, rfc3339


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_a_moment_written_and_read_is_the_same(at: int) -> None:
    assert parse_rfc3339(rfc3339(at)) == at


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00.5z", 500),
        ("1970-01-01 01:00:00+01:00", 0),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("2010-12-01T08:26:00Z", 1_291_191_960_000),
    ],
)
def test_every_form_of_rfc_3339_is_read(text: str, at: int) -> None:
    assert parse_rfc3339(text) == at


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2010-12-01",
        "2010-12-01T08:26:00",
        "2010-13-01T08:26:00Z",
        "2010-12-01T25:26:00Z",
        "2010-12-01T08:26Z",
        "0001-01-01T00:00:00+23:59",
        "2010-12-01T24:00:00Z",
        "2010-12-01T08:26:00+99:99",
        "2010-12-01T08:26:00+01:60",
        "2010-12-01T08:26:00-01:99",
        "2010-12-01T08:26:00+24:00",
        "٢٠١٠-12-01T08:26:00Z",
        "2010-12-01T08:26:60Z",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_rfc3339(text)


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_a_date_of_http_is_the_second_in_which_a_moment_lies(at: int) -> None:
    assert parse_http_date(http_date(at)) == at - at % 1000


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Wed, 31 Dec 1969 23:59:59 GMT", -1000),
        ("Wed, 01 Dec 2010 08:26:00 GMT", 1_291_191_960_000),
        ("Mon, 01 Jan 0001 00:00:00 GMT", -62_135_596_800_000),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799_000),
    ],
)
def test_a_date_of_http_is_written_and_read(text: str, at: int) -> None:
    assert parse_http_date(text) == at
    assert http_date(at) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Wed, 01 Dec 2010 08:26:00",
        "Wed, 01 Dec 2010 08:26:00 UTC",
        "wed, 01 dec 2010 08:26:00 gmt",
        "Wed, 1 Dec 2010 08:26:00 GMT",
        "Wednesday, 01-Dec-10 08:26:00 GMT",
        "Wed Dec  1 08:26:00 2010",
        "Wed, 31 Feb 2010 08:26:00 GMT",
        "Wed, 01 Dec 2010 08:26:60 GMT",
        "Wed, 01 Dec 0000 08:26:00 GMT",
        "Wed, 01 Dec 99999999999999999999 08:26:00 GMT",
        "Wed, \u0660\u0661 Dec 2010 08:26:00 GMT",
    ],
)
def test_anything_else_is_no_date_of_http(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_http_date(text)
