"""Why bytes are no JSON, in words for whoever has sent them."""

from collections.abc import Mapping

import orjson

TOO_DEEP = "it is nested too deeply"
_HALF = "a string has half a character (a \\u escape of a surrogate, alone)"
# What parsers say that only those understand who write parsers.
_PLAINLY: Mapping[str, str] = {
    "depth limit exceeded": TOO_DEEP,
    "failed to allocate memory": TOO_DEEP,
    "invalid literal, expected 'null'": "unexpected character, expected a JSON value",
    "invalid literal, expected 'true'": "unexpected character, expected a JSON value",
    "invalid literal, expected 'false'": "unexpected character, expected a JSON value",
    "invalid low surrogate in string": _HALF,
    "no low surrogate in string": _HALF,
    "number is infinity when parsed as double": "a number is too large",
    "unexpected character, expected a string key": "expected a name in double quotes",
    "unexpected control character in string": (
        "a string has a line break or another control character in it: write \\n for one"
    ),
    "unexpected end of data": "it ends before it is complete",
}


def why_no_json(data: bytes) -> str | None:
    """Say what is wrong and where; `None` where it is JSON."""
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError as error:
        try:
            data.decode()
        except UnicodeDecodeError as no_text:
            return f"byte {no_text.start + 1} is not UTF-8"
        told = _PLAINLY.get(error.msg, error.msg)
        return f"{told}: line {error.lineno} column {error.colno}"
    return None
