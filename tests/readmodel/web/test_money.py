from collections.abc import Sequence

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


USUAL = "write an amount such as 12.99 or 1,299.00"
ALONE = "write the amount alone, such as 12.99 or 1,299.00: its currency is chosen beside it"
TWO = "write at most 2 decimals, such as 12.99 or 1,299.00"
THREE = "write at most 3 decimals, such as 12.990 or 1,299.000"
WHOLE = "write no decimals, such as 1299 or 1,299"
TOO_HIGH = "no price is above 90,071,992,547,409.91 EUR"


def two_ways(text: str, grouped: str) -> str:
    return (
        f"{text} can be read in two ways: write {grouped} if that is meant, "
        "and otherwise at most 2 decimals"
    )


# How each is read, or what is advised instead. By money.js as well: tests/browser runs the same.
CASES: Sequence[tuple[str, str, int | str]] = (
    ("EUR", "12", 1200),
    ("EUR", "12.5", 1250),
    ("EUR", " 0.07 ", 7),
    ("EUR", "12,99", 1299),
    ("EUR", "0,07", 7),
    ("EUR", "0", 0),
    ("EUR", "000012.50", 1250),
    ("EUR", "1,234.56", 123456),
    ("EUR", "1,234,567", 123456700),
    ("EUR", "1,234.5", 123450),
    ("EUR", "12,999.00", 1299900),
    # No thousands can be meant by these.
    ("BHD", "0,299", 299),
    ("BHD", "1234,567", 1234567),
    ("KWD", "12.5", 12500),
    ("KWD", "1.299", 1299),
    # And no decimals by these: so a page writes it.
    ("JPY", "1,200", 1200),
    ("JPY", "1,234,567", 1234567),
    # The highest one, and what is higher.
    ("EUR", "90,071,992,547,409.91", 2**53 - 1),
    ("EUR", "90,071,992,547,409.92", TOO_HIGH),
    ("EUR", "90071992547409.92", TOO_HIGH),
    ("EUR", "99999999999999999999", TOO_HIGH),
    ("EUR", f"{10**30:,}.00", TOO_HIGH),
    ("EUR", "9" * 5000, TOO_HIGH),
    ("EUR", "0" * 5000 + "1", 100),
    ("JPY", "9007199254740991", 2**53 - 1),
    ("JPY", "9007199254740992", "no price is above 9,007,199,254,740,991 JPY"),
    ("KWD", "9007199254740.992", "no price is above 9,007,199,254,740.991 KWD"),
    # 12 or 12 thousand: that depends on who reads it.
    ("EUR", "12,999", two_ways("12,999", "12,999.00")),
    ("EUR", "12.999", two_ways("12.999", "12,999.00")),
    ("BHD", "1,299", "1,299 can be read in two ways: write 1,299.000 or 1.299"),
    # As it is written elsewhere.
    ("EUR", "1.234,56", "write 1.234,56 as 1234.56"),
    ("EUR", "1.234.567", "write 1.234.567 as 1234567"),
    ("EUR", "1 234,56", "write 1 234,56 as 1234.56"),
    ("EUR", "1\N{NO-BREAK SPACE}234", "write 1\N{NO-BREAK SPACE}234 as 1234"),
    (
        "EUR",
        "1\N{NARROW NO-BREAK SPACE}234,5",
        "write 1\N{NARROW NO-BREAK SPACE}234,5 as 1234.5",
    ),
    ("CHF", "1'234.50", "write 1'234.50 as 1234.50"),
    ("CHF", "1\u2019234\u2019567", "write 1\u2019234\u2019567 as 1234567"),
    ("JPY", "12.990", "write 12.990 as 12990"),
    ("KWD", "1.234,567", "write 1.234,567 as 1234.567"),
    # More decimals than there are.
    ("EUR", "12.9999", TWO),
    ("EUR", "0.123", TWO),
    ("EUR", "1,234.567", TWO),
    ("KWD", "12.9999", THREE),
    ("JPY", "12.9", WHOLE),
    ("JPY", "1,200.5", WHOLE),
    ("JPY", "12,99", WHOLE),
    ("EUR", "-1", "no price is below zero"),
    ("EUR", "\N{MINUS SIGN} 0.50", "no price is below zero"),
    ("EUR", "€12.99", ALONE),
    ("EUR", "12.99 EUR", ALONE),
    ("EUR", "12,99€", ALONE),
    # No amount in any way.
    ("EUR", "", USUAL),
    ("EUR", "   ", USUAL),
    ("EUR", "abc", USUAL),
    ("EUR", "1,23,456", USUAL),
    ("EUR", "1234,567.00", USUAL),
    ("EUR", "0,123.45", USUAL),
    ("EUR", "1,234,56", USUAL),
    ("EUR", "1.234'567", USUAL),
    ("EUR", "1e3", USUAL),
    ("EUR", "٣", USUAL),
    ("EUR", "1 2", USUAL),
    ("EUR", "-", USUAL),
    ("JPY", "", "write an amount such as 1299 or 1,299"),
    ("KWD", "x", "write an amount such as 12.990 or 1,299.000"),
)


@pytest.mark.parametrize(("currency", "text", "outcome"), CASES)
def test_an_amount_is_read_as_people_write_it_or_how_to_write_it_is_said(
    currency: str, text: str, outcome: int | str
) -> None:
    assert _outcome(currency, text) == outcome


def _outcome(currency: str, text: str) -> int | str:
    try:
        return amount_of(currency, text)
    except BadValue as error:
        return str(error)


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
