"""What a place in a list is made of. Cursors are signed, but not everybody has set a key of their
own: what one says is looked at as what anybody sends.
"""

from collections.abc import Sequence
from typing import Any, cast

# A number, one of a range, a text, or a list of some of them.
Part = type[int] | range | type[str]
Kind = Part | Sequence[Part]

# Numbers that every database can count on from, and characters of what is sorted by: names, of
# which one letter may fold to three.
_NUMBERS, _CHARACTERS = range(-(2**62), 2**62), 1_000
# Versions of an item that others came before: where its versions are told page by page, one begins
# there.
LATER_VERSIONS = range(2, 2**62)


def is_of(kind: Kind, place: Any) -> bool:
    """Say whether a place is of a kind."""
    if isinstance(kind, type | range):
        return _is_part(kind, place)
    if not isinstance(place, list):
        return False
    parts = cast("list[Any]", place)
    return len(parts) == len(kind) and all(map(_is_part, kind, parts))


def _is_part(kind: Part, part: Any) -> bool:
    if kind is int or isinstance(kind, range):
        numbers = kind if isinstance(kind, range) else _NUMBERS
        return type(part) is int and part in numbers
    return isinstance(part, str) and _is_text(part)


def _is_text(part: str) -> bool:
    # PostgreSQL has no NUL, and half of a pair of surrogates is no character.
    if len(part) > _CHARACTERS or "\0" in part:
        return False
    try:
        part.encode()
    except UnicodeEncodeError:
        return False
    return True
