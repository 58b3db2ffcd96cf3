"""What a file is called, as it is told to the command API."""

import re
import unicodedata
from urllib.parse import quote

LIMIT = 255
# What the service does not take, and half characters, which no text has.
_UNWANTED = frozenset({"Cc", "Zl", "Zp", "Cs"})
# RFC 8187, 3.2.1: what stands for itself beside letters and digits.
_PLAIN = "!#$&+-.^_`|~"


def disposition(name: str) -> str | None:
    """Write a `Content-Disposition` (RFC 6266) that names a file; `None` where that is no name. Of
    a path the end is told, and of what is too long; `_` for characters that are not taken.
    """
    last = re.split(r"[/\\]", name)[-1]
    told = "".join("_" if unicodedata.category(each) in _UNWANTED else each for each in last)
    told = told.strip()[-LIMIT:].strip()
    return (
        None if told in {"", ".", ".."} else f"attachment; filename*=UTF-8''{quote(told, _PLAIN)}"
    )
