import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import rules
from domain.currencies import ISO_4217
from readmodel.params import BadValue
from readmodel.web.money import DIGITS, amount_of, understood, written


def test_only_currencies_that_there_are_have_other_decimals() -> None:
    assert DIGITS.keys() <= ISO_4217


@given(st.integers(0, rules.PRICE_LIMIT), st.sampled_from(sorted(ISO_4217)))
def test_an_amount_that_is_written_is_read_as_itself(amount: int, currency: str) -> None:
    text = written(amount, currency)
    assert amount_of(currency, text) == amount_of(currency, text.replace(",", "")) == amount


# Also read by money.js, in tests/browser.
READ = (
    ("EUR", "12", 1200),
    ("EUR", "12.5", 1250),
    ("EUR", " 0.07 ", 7),
    ("EUR", "12,99", 1299),
    ("EUR", "0,07", 7),
    ("EUR", "1,234.56", 123456),
    ("EUR", "1,234,567", 123456700),
    ("EUR", "1,234.5", 123450),
    ("EUR", "12,999.00", 1299900),
    # No thousands can be meant by these.
    ("BHD", "0,299", 299),
    ("BHD", "1234,567", 1234567),
    # And no decimals by these: so a page writes it.
    ("JPY", "1,200", 1200),
    ("JPY", "1,234,567", 1234567),
)
REFUSED = (
    ("EUR", "12,999"),  # 12 or 12 thousand: that depends on who reads it
    ("BHD", "1,299"),
    ("EUR", "1.234,56"),
    ("EUR", "1,23,456"),
    ("EUR", "1234,567.00"),
    ("EUR", "0,123.45"),
    ("EUR", "1,234,56"),
    ("EUR", "1,2345"),
    ("EUR", "12.999"),
    ("JPY", "12.9"),
    ("JPY", "1,200.5"),
    ("JPY", "12,99"),
    ("EUR", "-1"),
    ("EUR", "1e3"),
    ("EUR", ""),
    ("EUR", "٣"),
    ("EUR", "90,071,992,547,409.92"),
)


@pytest.mark.parametrize(("currency", "text", "amount"), READ)
def test_amounts_are_read_as_people_and_pages_write_them(
    currency: str, text: str, amount: int
) -> None:
    assert amount_of(currency, text) == amount


@pytest.mark.parametrize(("currency", "text"), REFUSED)
def test_what_is_no_amount_or_may_be_two_is_refused(currency: str, text: str) -> None:
    with pytest.raises(BadValue):
        amount_of(currency, text)


@pytest.mark.parametrize(
    ("currency", "said"),
    [
        ("EUR", "write 1,299.00 if that is meant, and otherwise at most 2 decimals"),
        ("BHD", "write 1,299.000 or 1.299"),
    ],
)
def test_of_what_may_be_two_amounts_both_are_told(currency: str, said: str) -> None:
    with pytest.raises(BadValue, match=re.escape(said)):
        amount_of(currency, "1,299")


@pytest.mark.parametrize(
    ("currency", "text", "said"),
    [
        ("EUR", "12,5", "12.50 EUR"),
        ("JPY", "12,990", "12,990 JPY"),
        (None, "1,234.5", "1,234.50"),
        ("EUR", "12.5", None),
        ("EUR", "1,299", None),
    ],
)
def test_how_a_comma_was_read_is_told(currency: str | None, text: str, said: str | None) -> None:
    assert understood(currency, text) == said
