"""Amounts as people write them: `12.99` for 1299 minor units of EUR (ISO 4217)."""

import re

from domain import rules
from domain.currencies import DIGITS
from readmodel.params import BadValue

_USUAL = 2
# Nothing between the thousands, and a point or a comma before the decimals; or as `written` has it.
_PLAIN = re.compile(r"([0-9]+)(?:[.,]([0-9]+))?")
_GROUPED = re.compile(r"([1-9][0-9]{0,2}(?:,[0-9]{3})+)(?:\.([0-9]+))?")
# What is after the comma may be decimals, or it is a thousand: that depends on who reads it.
_UNCLEAR = re.compile(r"[1-9][0-9]{0,2},[0-9]{3}")
# A point may be read so, too, where there can not be as many decimals.
_POINTED = re.compile(r"[1-9][0-9]{0,2}\.[0-9]{3}")
# As others write thousands: apart by points, apostrophes or spaces, of which there are many.
_ELSEWHERE = re.compile(
    r"([1-9][0-9]{0,2}([.'\u2019 \u00a0\u2009\u202f])[0-9]{3}(?:\2[0-9]{3})*)"
    r"(?:(?!\2)[.,]([0-9]+))?"
)
# With its currency before or behind it.
_WITH_UNIT = re.compile(
    r"[^\s0-9.,'+\-\u2212]{1,4}\s*[0-9][0-9.,]*|[0-9][0-9.,]*\s*[^\s0-9.,'+\-\u2212]{1,4}"
)
_BELOW_ZERO = re.compile(r"[-\u2212]\s*[0-9].*")
_LONGEST = len(str(rules.PRICE_LIMIT))


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
    found = _read(text, places)
    if found is None:
        raise BadValue("not-an-amount", _advice(text, places))
    # What has more digits than the highest price is not made a number of.
    amount = int(found) if len(found) <= _LONGEST else rules.PRICE_LIMIT + 1
    if amount > rules.PRICE_LIMIT:
        highest = written(rules.PRICE_LIMIT, currency or "")
        raise BadValue("price-range", f"no price is above {highest} {currency or ''}".strip())
    return amount


def _read(text: str, places: int) -> str | None:
    """Read the digits of an amount in minor units; `None` where it is none, or may be two."""
    found = _GROUPED.fullmatch(text) or _PLAIN.fullmatch(text)
    unclear = places and _UNCLEAR.fullmatch(text)
    if found is None or unclear or len(found[2] or "") > places:
        return None
    return (found[1].replace(",", "") + (found[2] or "").ljust(places, "0")).lstrip("0") or "0"


def understood(currency: str | None, value: str) -> str | None:
    """Write what an amount with a comma was read as; `None` where that needs no word."""
    if "," not in value:
        return None
    try:
        amount = amount_of(currency, value)
    except BadValue:
        return None
    return f"{written(amount, currency or '')} {currency or ''}".strip()


def _advice(text: str, places: int) -> str:
    """Say how an amount of so many decimals is written, to who has written this."""
    both_ways = _UNCLEAR.fullmatch(text) or (_POINTED.fullmatch(text) and places < len("000"))
    if places and both_ways:
        return _both_ways(text, places)
    elsewhere = _ELSEWHERE.fullmatch(text)
    if elsewhere is not None and len(elsewhere[3] or "") <= places:
        whole = re.sub("[^0-9]", "", elsewhere[1])
        return f"write {text} as {whole}{'.' if elsewhere[3] else ''}{elsewhere[3] or ''}"
    examples = f"12.{'990'[:places]} or 1,299.{'000'[:places]}" if places else "1299 or 1,299"
    if _BELOW_ZERO.fullmatch(text):
        return "no price is below zero"
    if _PLAIN.fullmatch(text) or _GROUPED.fullmatch(text):
        most = f"at most {places}" if places else "no"
        return f"write {most} decimals, such as {examples}"
    if _WITH_UNIT.fullmatch(text):
        return f"write the amount alone, such as {examples}: its currency is chosen beside it"
    return f"write an amount such as {examples}"


def _both_ways(text: str, places: int) -> str:
    grouped = text.replace(".", ",")
    thousands = f"{text} can be read in two ways: write {grouped}.{'0' * places}"
    if places == len("000"):
        return f"{thousands} or {text.replace(',', '.')}"
    return f"{thousands} if that is meant, and otherwise at most {places} decimals"
