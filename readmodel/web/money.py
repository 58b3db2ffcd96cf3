"""Amounts as people write them: `12.99` for 1299 minor units of EUR (ISO 4217)."""

import re

from domain import rules
from domain.currencies import DIGITS
from readmodel.params import BadValue

_USUAL = 2
# Nothing between the thousands, and a point or a comma before the decimals; or as `written` has it.
_PLAIN = re.compile(r"([0-9]{1,16})(?:[.,]([0-9]{1,4}))?")
_GROUPED = re.compile(r"([1-9][0-9]{0,2}(?:,[0-9]{3}){1,5})(?:\.([0-9]{1,4}))?")
# What is after the comma may be decimals, or it is a thousand: that depends on who reads it.
_UNCLEAR = re.compile(r"[1-9][0-9]{0,2},[0-9]{3}")


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
    """Read an amount as minor units: as `written` writes it, or with nothing between the thousands.
    Raises BadValue, also where a comma could be either.
    """
    places = digits(currency)
    text = value.strip()
    if places and _UNCLEAR.fullmatch(text):
        raise BadValue("unclear-amount", _both_ways(text, places))
    found = _GROUPED.fullmatch(text) or _PLAIN.fullmatch(text)
    if found is None or len(found[2] or "") > places:
        raise BadValue("not-an-amount", _advice(places))
    amount = int(found[1].replace(",", "") + (found[2] or "").ljust(places, "0"))
    if amount > rules.PRICE_LIMIT:
        raise BadValue("price-range", "no price is as high")
    return amount


def understood(currency: str | None, value: str) -> str | None:
    """Write what an amount with a comma was read as; `None` where that needs no word."""
    if "," not in value:
        return None
    try:
        amount = amount_of(currency, value)
    except BadValue:
        return None
    return f"{written(amount, currency or '')} {currency or ''}".strip()


def _advice(places: int) -> str:
    """Say how an amount of so many decimals is written."""
    if places == 0:
        return "write a whole amount such as 1299 or 1,299, without decimals"
    return f"write an amount such as 12.{'990'[:places]} or 1,299.{'000'[:places]}"


def _both_ways(text: str, places: int) -> str:
    thousands = f"{text} can be read in two ways: write {text}.{'0' * places}"
    if places == len("000"):
        return f"{thousands} or {text.replace(',', '.')}"
    return f"{thousands} if that is meant, and otherwise at most {places} decimals"
