"""An amount where a number of minor units is wanted: what is wrong with it, and what was meant."""

from decimal import Context, Decimal

from domain.currencies import minor_digits
from domain.rules import PRICE_LIMIT

# Wide enough for any that is taken: nothing is ever rounded.
_EXACT = Context(prec=400)


def in_minor_units(amount: Decimal, currency: object) -> int | None:
    """Tell how many minor units it is in a currency; `None` where that is no price."""
    units = _units(amount, currency)
    return int(units) if units == units.to_integral_value() and 0 <= units <= PRICE_LIMIT else None


def what_is_wrong(amount: Decimal, shown: str, currency: object) -> str:
    """Say it of an amount, which is to be `shown` like that, and where there is nothing wrong but
    the form, what was probably meant.
    """
    units = in_minor_units(amount, currency)
    if units is not None:
        return f"{shown} is probably meant as {units}"
    if amount < 0:
        return f"{shown} is below 0, which no price is"
    if _units(amount, currency) > PRICE_LIMIT:
        return f"{shown} is more than the most that a price can be, {PRICE_LIMIT:,} minor units"
    digits = minor_digits(currency)
    if digits == 0:
        return f"{currency} has no decimals: round {shown}"
    return f"{shown} has more decimals than the {digits} that are minor units: round it"


def _units(amount: Decimal, currency: object) -> Decimal:
    return _EXACT.scaleb(amount, minor_digits(currency))
