"""What each field of an item may hold. Every function returns the value to keep or refuses."""

import re
import unicodedata

from domain.currencies import ISO_4217
from domain.refusals import RuleBroken

ID_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}"
NAME_LIMIT = 200
DESCRIPTION_LIMIT = 10_000
PRICE_LIMIT = 2**53 - 1

_ID = re.compile(ID_PATTERN)
# Unicode's categories of format characters and of white space.
_INVISIBLE = frozenset({"Cf", "Zl", "Zp", "Zs"})


def item_id(value: str) -> str:
    if _ID.fullmatch(value) is None:
        raise RuleBroken(
            "id",
            "id-pattern",
            "an id is 1 to 64 of A-Z a-z 0-9 . _ ~ - and begins with a letter or a digit",
        )
    return value


def name(value: str) -> str:
    """Trim white space around it; 1 to 200 characters, none of them a control character."""
    trimmed = value.strip()
    if 0 < len(trimmed) <= NAME_LIMIT and trimmed.isascii() and trimmed.isprintable():
        return trimmed  # Most are like this, and it is soon seen.
    if all(unicodedata.category(each) in _INVISIBLE for each in trimmed):
        raise RuleBroken(
            "name",
            "name-empty",
            f"a name has at least one visible character, and at most {NAME_LIMIT}",
        )
    if len(trimmed) > NAME_LIMIT:
        raise RuleBroken(
            "name",
            "name-too-long",
            f"a name has at most {NAME_LIMIT} characters, not {len(trimmed):,}: a description "
            f"takes {DESCRIPTION_LIMIT:,}",
        )
    if not trimmed.isprintable() and any(unicodedata.category(each) == "Cc" for each in trimmed):
        raise RuleBroken("name", "name-control-character", "a name has no control characters")
    return trimmed


def description(value: str | None) -> str | None:
    if value is None:
        return None
    if len(value) > DESCRIPTION_LIMIT:
        raise RuleBroken(
            "description",
            "description-too-long",
            f"a description has at most {DESCRIPTION_LIMIT:,} characters, not {len(value):,}",
        )
    if "\0" in value:
        raise RuleBroken("description", "description-nul", "a description has no NUL character")
    return value


def price(value: int) -> int:
    """Check an amount in minor units."""
    if not 0 <= value <= PRICE_LIMIT:
        raise RuleBroken(
            "price",
            "price-range",
            f"a price is a whole number of minor units from 0 to {PRICE_LIMIT:,}, not {value}",
        )
    return value


def currency(value: str) -> str:
    if value not in ISO_4217:
        meant = value.strip().upper()
        hint = f"; {meant} is probably meant" if meant in ISO_4217 else ""
        raise RuleBroken(
            "currency", "currency-unknown", f"a currency is a code of ISO 4217, such as EUR{hint}"
        )
    return value
