import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import rules
from domain.currencies import ISO_4217
from readmodel.params import BadValue
from readmodel.web.money import DIGITS, amount_of, written


def test_only_currencies_that_there_are_have_other_decimals() -> None:
    assert DIGITS.keys() <= ISO_4217


@given(st.integers(0, rules.PRICE_LIMIT), st.sampled_from(sorted(ISO_4217)))
def test_an_amount_that_is_written_is_read_as_itself(amount: int, currency: str) -> None:
    text = written(amount, currency).replace(",", "")
    assert amount_of(currency, text) == amount
    assert amount_of(currency, text.replace(".", ",")) == amount


@pytest.mark.parametrize(
    ("currency", "text", "amount"),
    [
        ("EUR", "12", 1200),
        ("EUR", "12.5", 1250),
        (None, " 0.07 ", 7),
        ("EUR", "12,99", 1299),
        ("BHD", "1,299", 1299),
    ],
)
def test_decimals_may_be_left_out(currency: str | None, text: str, amount: int) -> None:
    assert amount_of(currency, text) == amount


@pytest.mark.parametrize(
    ("currency", "text"),
    [
        ("EUR", "12,999"),  # 12 or 12 thousand: that depends on who reads it
        ("EUR", "1.234,56"),
        ("EUR", "1,234.56"),
        ("JPY", "1,200"),
        ("EUR", "1,2345"),
        ("EUR", "12.999"),
        ("JPY", "12.9"),
        ("EUR", "-1"),
        ("EUR", "1e3"),
        ("EUR", ""),
        ("EUR", "٣"),
        ("EUR", "90,071,992,547,409.92"),
    ],
)
def test_what_is_no_amount_is_refused(currency: str, text: str) -> None:
    with pytest.raises(BadValue):
        amount_of(currency, text)
