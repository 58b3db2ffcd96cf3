"""From the columns of a file to the members of a row: by their own names, or as `map` says."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any

from api.amounts import in_minor_units, what_is_wrong
from domain.currencies import minor_digits

MEMBERS = (
    "op",
    "id",
    "name",
    "description",
    "price",
    "currency",
    "effective_at",
    "if_version",
    "reason",
)

_INTEGER = re.compile(r"[+-]?[0-9]{1,30}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})", re.ASCII)
# With three digits behind it, a comma may part thousands.
_COMMA = re.compile(r"[+-]?[0-9]{1,30},[0-9]{1,2}", re.ASCII)
_SHOWN = 60
# Wide enough for the product of any two that are taken: nothing is ever rounded.
_EXACT = Context(prec=200)
_TIME = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2})(:\d{2}(?:\.\d+)?)?\s?([Zz]|[+-]\d{2}:?\d{2})?)?",
    re.ASCII,
)


class BadMap(ValueError):
    """The text is no map of columns; `str()` says what is wrong with it."""


class BadValue(ValueError):
    """A value of a column that its member can not have; `str()` is a sentence about it."""


@dataclass(frozen=True, slots=True)
class Source:
    """The column that a member comes from, and what its numbers are multiplied by."""

    column: str
    factor: Decimal | None = None


# By member.
Columns = Mapping[str, Source]


def read_map(text: str) -> Columns:
    """Read `id:StockCode,price:UnitPrice*100`. Raises BadMap."""
    columns: dict[str, Source] = {}
    for part in text.split(","):
        member, colon, source = (each.strip() for each in part.partition(":"))
        if not colon or not source:
            raise BadMap(f"{part!r} is not of the form member:column, such as id:StockCode")
        if member not in MEMBERS:
            raise BadMap(f"{member!r} is no member of a row; it has {', '.join(MEMBERS)}")
        if member in columns:
            raise BadMap(f"{member} is mapped twice")
        columns[member] = _source(member, source)
    return columns


def _source(member: str, text: str) -> Source:
    column, star, factor = (each.strip() for each in text.rpartition("*"))
    is_number = _DECIMAL.fullmatch(factor) is not None
    # A column may have a star in its name.
    if not star or not factor or (member != "price" and not is_number):
        return Source(text)
    if member != "price":
        raise BadMap(f"only a price can be multiplied, not {member}")
    if not column:
        raise BadMap(f"{text!r} names no column")
    if not is_number:
        raise BadMap(
            f"the factor is no number: {factor!r:.{_SHOWN}}; write it as in {column:.{_SHOWN}}*100"
        )
    if Decimal(factor) <= 0:
        raise BadMap(f"the factor is not more than 0: {factor!r:.{_SHOWN}}")
    return Source(column, Decimal(factor))


def by_name(header: Sequence[str]) -> Columns:
    """Take every column for the member of its name."""
    return {name: Source(name) for name in header}


def members_of(columns: Columns, value_of: Callable[[str], Any]) -> dict[str, Any]:
    """Make a row of the values of a record; what is empty or `None` is not there.

    Raises BadValue.
    """
    members: dict[str, Any] = {}
    for member, source in columns.items():
        value = value_of(source.column)
        if value is None or value == "":
            continue
        match member:
            case "price" if source.factor is not None:
                value = _multiplied(source, source.factor, value)
            case "price" | "if_version" if isinstance(value, str):
                currency = value_of(columns["currency"].column) if "currency" in columns else None
                value = _integer(member, value, columns, currency)
            case "effective_at" if isinstance(value, str):
                value = _time(value)
            case _:
                pass
        members[member] = value
    return members


def _multiplied(source: Source, factor: Decimal, value: Any) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or _DECIMAL.fullmatch(text) is None:
        point = f"; write it as {text.replace(',', '.')}" if _COMMA.fullmatch(text) else ""
        raise BadValue(f"price: {source.column} is no decimal number: {text:.60}{point}")
    product = _EXACT.multiply(Decimal(text), factor)
    if product != product.to_integral_value():
        raise BadValue(
            f"price: must be a whole number of minor units (cents); {source.column} {text} times "
            f"{factor} is {product.normalize(_EXACT):f}"
        )
    return int(product)


def _integer(member: str, text: str, columns: Columns, currency: object) -> int:
    text = text.strip()
    if _INTEGER.fullmatch(text) is not None:
        return int(text)
    if member != "price":
        raise BadValue(f"{member}: must be a whole number, not {text:.60}")
    rule = "price: must be a whole number of minor units (cents)"
    has_comma = _COMMA.fullmatch(text) is not None
    point = text.replace(",", ".") if has_comma else text
    if _DECIMAL.fullmatch(point) is not None:
        amount = Decimal(point)
        wrong = f"{rule}; {what_is_wrong(amount, text, currency)}"
        digits = minor_digits(currency)
        if in_minor_units(amount, currency) is None or digits == 0:
            raise BadValue(wrong)
        # A map takes no commas.
        written = f"write {point}, and then: " if has_comma else ""
        raise BadValue(f"{wrong}: {written}map {_multiplying(columns, 10**digits)}")
    raise BadValue(f"{rule}, not {text:.60}")


def _multiplying(columns: Columns, factor: int) -> str:
    """Write the map that takes the same columns, and prices as amounts."""
    return ",".join(
        f"{member}:{source.column}" + (f"*{factor}" if member == "price" else "")
        for member, source in columns.items()
    )


# The rows of a file share their times.
@lru_cache(maxsize=4096)
def _time(text: str) -> str:
    """Complete a time that lacks its seconds, its time of day or its zone, which then is UTC."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise BadValue(
            f"effective_at: not a time such as 2010-12-01 08:26 or 2026-11-22T08:00:00Z: {text:.60}"
        )
    day, minutes, seconds, zone = match.groups()
    zone = zone or "Z"
    if len(zone) == len("+0100"):
        zone = f"{zone[:3]}:{zone[3:]}"
    return f"{day}T{minutes or '00:00'}{seconds or ':00'}{zone}"
