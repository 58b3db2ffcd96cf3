"""Words: what search finds an item by.

The engines parse no text: both are handed the words of an item, and the words that are asked for,
as they are made here. A word is lower-case and of Unicode's letters, digits, marks and symbols; so
it has no quote, no blank and no sign that a query language of an engine knows.
"""

import re
import unicodedata
from collections.abc import Iterable
from itertools import zip_longest

# As many characters as a name has. Of a longer word its beginning is kept, and asked for.
_LONGEST = 200

# Unicode's Default_Ignorable_Code_Point: what is not seen parts no words and makes none different.
# Only the zero width space is not here, as it is written where words part.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200c-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Turkish tells an i with a dot from one without; its capitals are not those of other languages, so
# only where all four are one letter is it found whatever the case.
_DOTTED = re.compile("[i\u0131]\u0307*")

# Scripts that write no blanks between words: Thai, Lao, Myanmar, Khmer, the Tai scripts, kana, Han.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\u3005-\u3007\u3021-\u3029"
    "\u3031-\u3035\u303b\u3041-\u30ff\u3100-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\ua9e0-\ua9ff\uaa60-\uaadf\uf900-\ufaff\U0001aff0-\U0001b16f"
    "\U00020000-\U0003ffff"
)
_PIECES = re.compile(f"(?P<unspaced>[{_UNSPACED}]+)|[^{_UNSPACED}]+")
# Of ASCII, letters in lower case and digits are of words, and all else parts them.
_ASCII = "".join(chr(each).lower() if chr(each).isalnum() else " " for each in range(128))

_LATIN_1 = 0xFF


def fold(text: str) -> str:
    """Make equal what differs only in case, in how a character is composed or how wide it is."""
    if text.isascii():
        return text.lower()
    # What is not seen goes first: it can stand between a letter and its mark. Case is folded where
    # marks stand by themselves, in their order: some become letters.
    parts = unicodedata.normalize("NFKD", _UNSEEN.sub("", text))
    return unicodedata.normalize("NFKC", _DOTTED.sub("i", parts.casefold()))


def words_of(text: str) -> set[str]:
    """Split into the words that are kept of an item."""
    if text.isascii():
        # As the other way does, in a quarter of the time.
        words = set(text.translate(_ASCII).split())
        return words if len(text) <= _LONGEST else {word[:_LONGEST] for word in words}
    return {word for piece, unspaced in _pieces(text) for word in _kept(piece, unspaced)}


def words_asked(text: str) -> tuple[str, ...]:
    """Split into the words that an item has to have, each at the beginning of one of its own.

    Those that another one begins with are left out: whatever has that one has them.
    """
    asked = sorted({word for piece, unspaced in _pieces(text) for word in _sought(piece, unspaced)})
    # In order, a word is followed at once by those that begin with it.
    pairs = zip_longest(asked, asked[1:], fillvalue="")
    return tuple(word for word, following in pairs if not following.startswith(word))


def written(words: Iterable[str]) -> str:
    """Write words as both engines keep them: in order, each in quotes."""
    inside = "' '".join(sorted(words))
    return f"'{inside}'" if inside else ""


def _pieces(text: str) -> Iterable[tuple[str, bool]]:
    """Find the words, and say of each whether it is of a script without blanks."""
    folded = fold(text)
    if folded.isascii():
        for word in folded.translate(_ASCII).split():
            yield word[:_LONGEST], False
        return
    for run in folded.translate(_PARTS).split():
        if run.isascii():
            yield run[:_LONGEST], False
            continue
        for piece in _PIECES.finditer(run):
            unspaced = piece["unspaced"] is not None
            yield (piece[0] if unspaced else piece[0][:_LONGEST]), unspaced


def _kept(piece: str, unspaced: bool) -> list[str]:
    """Keep, where no blank says where words begin, every two neighbours, and the last one."""
    return [piece[at : at + 2] for at in range(len(piece))] if unspaced else [piece]


def _sought(piece: str, unspaced: bool) -> list[str]:
    if not unspaced or len(piece) == 1:
        return [piece]
    return [piece[at : at + 2] for at in range(len(piece) - 1)]


class _Parts(dict[int, str]):
    """What each character is to `str.translate`: itself, a word, or what parts words."""

    def __missing__(self, point: int) -> str:
        character = chr(point)
        category = unicodedata.category(character)
        if category[0] in "LNM":
            part = character
        elif category == "So" and point > _LATIN_1:
            # Emoji and their like: each is a word. Those of Latin 1 (© ® ° ¦) only adorn one.
            part = f" {character} "
        else:
            part = " "
        if category not in {"Cn", "Co", "Cs"}:
            # Of those there are a million, and no text has many.
            self[point] = part
        return part


_PARTS = _Parts()
