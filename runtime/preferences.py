"""`Prefer` (RFC 7240): how a client wants to be answered, read alike by both services."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

WAIT_LIMIT = 30

_PREFERENCE = re.compile(r'\s*([A-Za-z0-9_-]+)\s*(?:=\s*(?:"([^"]*)"|([^\s;,"]*))\s*)?(?:;[^,]*)?')


@dataclass(frozen=True, slots=True)
class Preferences:
    """Seconds to wait, whether to leave the body out, and whether rather nothing than something
    stale is to be answered.
    """

    wait: int = 0
    minimal: bool = False
    asked_async: bool = False
    strict: bool = False


NONE = Preferences()


def applied(asked: Preferences, *, waited: bool = True) -> str:
    """Write `Preference-Applied` of a read that had a command to wait for; empty where nothing was
    asked. `waited` is whether it could have waited, had that been needed.
    """
    said = [f"wait={asked.wait}"] if asked.wait and waited else []
    return ", ".join([*said, "handling=strict"] if asked.strict else said)


def read_preferences(headers: Iterable[str]) -> Preferences:
    """Read the fields `Prefer` of a request. What is malformed is ignored; of a repeated one the
    first counts.
    """
    asked: dict[str, str] = {}
    for header in headers:
        for part in header.split(","):
            match = _PREFERENCE.fullmatch(part)
            if match is not None:
                name, quoted, token = match.groups()
                asked.setdefault(name.lower(), quoted if quoted is not None else token or "")
    return Preferences(
        _seconds(asked.get("wait", "")),
        asked.get("return") == "minimal",
        "respond-async" in asked,
        asked.get("handling") == "strict",
    )


def _seconds(text: str) -> int:
    """Read a number of seconds of any length, at most WAIT_LIMIT; 0 where it is none."""
    if re.fullmatch("[0-9]+", text) is None:
        return 0
    digits = text.lstrip("0") or "0"
    return WAIT_LIMIT if len(digits) > len(str(WAIT_LIMIT)) else min(int(digits), WAIT_LIMIT)
