"""Whether an answer is what a page shows of it.

Every member that is shown has to be there, with its value; `…` stands for anything in a text. What
is another one each time is only compared by its kind.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

# Clocks, and places in a ledger that other pages have written to.
VARIES = frozenset({"behind", "created_at", "effective_at", "offset", "recorded_at", "updated_at"})


def last_answer(said: str) -> Any:
    """Find the JSON document that an output ends with, behind headers and other answers."""
    lines = said.strip().splitlines()
    for begin in range(len(lines)):
        try:
            return json.loads("\n".join(lines[begin:]))
        except json.JSONDecodeError:
            continue
    raise AssertionError(f"no JSON document at the end of:\n{said}")


def differences(shown: Any, answered: Any, at: str = "") -> Iterator[str]:
    """Say where the answer is not what is shown."""
    match shown, answered:
        case dict(), dict():
            for member, value in shown.items():
                if member in answered:
                    yield from differences(value, answered[member], f"{at}/{member}")
                else:
                    yield f"{at}/{member} is not there"
        case list(), list():
            if len(shown) != len(answered):
                yield f"{at} has {len(answered)} elements, and is shown with {len(shown)}"
            for number, (one, other) in enumerate(zip(shown, answered, strict=False)):
                yield from differences(one, other, f"{at}/{number}")
        case _ if not _fits(shown, answered, at.rpartition("/")[2]):
            yield f"{at} is {answered!r}, and is shown as {shown!r}"
        case _:
            pass


def _fits(shown: Any, answered: Any, name: str) -> bool:
    if name in VARIES:
        return type(shown) is type(answered)
    if isinstance(shown, str) and isinstance(answered, str):
        pattern = ".*".join(map(re.escape, shown.split("…")))
        return re.fullmatch(pattern, answered, re.DOTALL) is not None
    return bool(shown == answered)
