import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.times import parse_rfc3339, rfc3339


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
        "2010-12-01T08:26:00+99:99",
        "٢٠١٠-12-01T08:26:00Z",
        "2010-12-01T08:26:60Z",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_rfc3339(text)
