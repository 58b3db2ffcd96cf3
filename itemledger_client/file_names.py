"""What a file is called, as it is told to the command API."""

import re
import unicodedata
from urllib.parse import quote

LIMIT = 255
# They only move what stands beside them; the service drops them, too.
_MOVING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# What the service does not take, and half characters, which no text has.
_UNWANTED = frozenset({"Cc", "Zl", "Zp", "Cs"})
# Kinds of characters that nobody sees where they stand alone, and others that are blank.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zs", "Zl", "Zp", "Mn", "Me"})
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
# RFC 8187, 3.2.1: what stands for itself beside letters and digits.
_PLAIN = "!#$&+-.^_`|~"


def disposition(name: str) -> str | None:
    """Write a `Content-Disposition` (RFC 6266) that names a file; `None` where nothing of the name
    is to be seen. Of a path the end is told, and of what is too long; `_` for characters that are
    not taken.
    """
    last = _MOVING.sub("", re.split(r"[/\\]", name)[-1])
    told = "".join("_" if unicodedata.category(each) in _UNWANTED else each for each in last)
    told = told.strip()[-LIMIT:].strip()
    seen = [
        each for each in told if each not in _BLANK and unicodedata.category(each) not in _UNSEEN
    ]
    if "".join(seen) in {"", ".", ".."}:
        return None
    return f"attachment; filename*=UTF-8''{quote(told, _PLAIN)}"
