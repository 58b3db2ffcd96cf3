"""Amounts as people write them: `12.99` for 1299 minor units of EUR (ISO 4217)."""

import re
from collections.abc import Mapping

from domain import rules
from readmodel.params import BadValue

_USUAL = 2
# ISO 4217, list one, column "minor unit", where it is not 2.
DIGITS: Mapping[str, int] = {
    **dict.fromkeys(
        (
            *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX"),
            *("VND", "VUV", "XAF", "XOF", "XPF"),
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
# One separator, before the decimals: what `12,999` or `1.234,56` means depends on who reads it.
_AMOUNT = re.compile(r"([0-9]{1,16})(?:[.,]([0-9]{1,4}))?")


def digits(currency: str | None) -> int:
    """Tell how many decimals amounts of a currency have."""
    return DIGITS.get(currency or "", _USUAL)


def written(amount: int, currency: str) -> str:
    """Write an amount with its decimals, thousands apart, without the currency."""
    places = digits(currency)
    if not places:
        return f"{amount:,}"
    whole, part = divmod(amount, 10**places)
    return f"{whole:,}.{part:0{places}}"


def amount_of(currency: str | None, value: str) -> int:
    """Read an amount as minor units. Raises BadValue."""
    places = digits(currency)
    found = _AMOUNT.fullmatch(value.strip())
    if found is None or len(found[2] or "") > places:
        raise BadValue("not-an-amount", _advice(places))
    amount = int(found[1] + (found[2] or "").ljust(places, "0"))
    if amount > rules.PRICE_LIMIT:
        raise BadValue("price-range", "no price is as high")
    return amount


def _advice(places: int) -> str:
    """Say how an amount of so many decimals is written."""
    if places == 0:
        return "write a whole amount such as 1299, without points or commas"
    return f"write an amount such as 12.{'990'[:places]}, with nothing between the thousands"
