"""What is said of an amount where a number of minor units is wanted."""

from decimal import Decimal

import pytest

from api.amounts import in_minor_units, what_is_wrong

MOST = "9,007,199,254,740,991"


@pytest.mark.parametrize(
    ("amount", "currency", "told"),
    [
        ("12.34", "EUR", "12.34 is probably meant as 1234"),
        ("12.34", None, "12.34 is probably meant as 1234"),
        ("12.5", ["no", "code"], "12.5 is probably meant as 1250"),
        ("12.0", "JPY", "12.0 is probably meant as 12"),
        ("12.345", "KWD", "12.345 is probably meant as 12345"),
        (
            "12.345",
            "EUR",
            "12.345 has more decimals than the 2 that are minor units: round it",
        ),
        ("12.5", "JPY", "JPY has no decimals: round 12.5"),
        ("-1.5", "EUR", "-1.5 is below 0, which no price is"),
        ("1e30", "EUR", f"1e30 is more than the most that a price can be, {MOST} minor units"),
        (
            "90071992547409.92",
            "EUR",
            f"90071992547409.92 is more than the most that a price can be, {MOST} minor units",
        ),
    ],
)
def test_an_amount_is_told_what_is_wrong_or_what_was_meant(
    amount: str, currency: object, told: str
) -> None:
    assert what_is_wrong(Decimal(amount), amount, currency) == told
    assert (in_minor_units(Decimal(amount), currency) is None) == ("meant" not in told)
