"""What a file is called, as the request says that brings it: `Content-Disposition` (RFC 6266)."""

import re
import unicodedata
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

from api.problems import ProblemRaised, bad_header
from eventlog.envelope import FILE_NAME_LIMIT

_HEADER = "Content-Disposition"
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
_EQUALS = r"[ \t]*=[ \t]*"
# A type, which may be any, and parameters: none of them behind a semicolon too many, and nothing at
# all, are what senders write who have no name. There is one way alone to read each blank.
FORM = re.compile(
    rf"(?:{_WORD}[ \t]*(?:;[ \t]*(?:{_WORD}{_EQUALS}(?:{_WORD}|{_QUOTED})[ \t]*)?)*)?"
)
_EACH = re.compile(rf";[ \t]*({_WORD}){_EQUALS}({_WORD}|{_QUOTED})")
# RFC 8187: a charset, a language that nobody needs, and bytes.
_EXTENDED = re.compile(
    r"(utf-8|iso-8859-1)'[A-Za-z0-9-]*'((?:%[0-9A-Fa-f]{2}|[!#$&+.^_`|~0-9A-Za-z-])*)",
    re.IGNORECASE,
)
_PAIR = re.compile(r"\\(.)")
# What would break a line.
_UNWANTED = frozenset({"Cc", "Zl", "Zp"})
# What would move what stands around a name. Files whose names read from the right have some, so
# these are dropped; names need the other characters of their kind (Cf), as joiners.
_MOVING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# Kinds of characters that nobody sees where they stand alone, and others that are blank.
_UNSEEN = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp", "Mn", "Me"})
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def file_name(sent: Sequence[str]) -> str | None:
    """Read the name of the file from the header's fields; `None` where they name none. Of a path
    only its end is kept, without what moves text. Raises ProblemRaised (400).
    """
    if not sent:
        return None
    field = sent[0].strip(" \t")
    if len(sent) > 1 or FORM.fullmatch(field) is None:
        raise bad_header(_HEADER, "is sent once, as attachment; filename*=UTF-8''prices.csv")
    parameters = [(name.lower(), value) for name, value in _EACH.findall(field)]
    given = dict(parameters)
    if len(given) < len(parameters):
        raise _bad("has a parameter twice")
    if "filename*" in given:
        return _checked(_extended(given["filename*"]))
    return _checked(_plain(given["filename"])) if "filename" in given else None


def _extended(value: str) -> str:
    match = _EXTENDED.fullmatch(value)
    if match is None:
        raise _bad(
            "filename* is UTF-8'' and a name in which other characters are escaped as %C3%A4"
        )
    try:
        return unquote_to_bytes(match[2]).decode(match[1])
    except UnicodeDecodeError as error:
        raise _bad("what filename* escapes is not UTF-8") from error


def _plain(value: str) -> str:
    if value.startswith('"'):
        value = _PAIR.sub(r"\1", value[1:-1])
    octets = value.encode("latin-1")
    try:
        # Not by the letter, but what shells and their users send.
        return octets.decode()
    except UnicodeDecodeError:
        return value


def _checked(path: str) -> str:
    name = _MOVING.sub("", re.split(r"[/\\]", path)[-1]).strip()
    if any(unicodedata.category(each) in _UNWANTED for each in name):
        raise _bad("a file's name has no control characters")
    if len(name) > FILE_NAME_LIMIT:
        raise _bad(f"a file's name has at most {FILE_NAME_LIMIT} characters")
    if _seen(name) in {"", ".", ".."}:
        raise _bad("names no file")
    return name


def _seen(name: str) -> str:
    return "".join(
        each for each in name if each not in _BLANK and unicodedata.category(each) not in _UNSEEN
    )


def _bad(detail: str) -> ProblemRaised:
    return bad_header(_HEADER, detail, "invalid-file-name")
