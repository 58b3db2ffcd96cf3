"""What a view can be asked: its parameters, and the function that answers."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from ledger.projections import Slot

_DIGITS = re.compile(r"[0-9]{1,16}")

Given = Mapping[str, str]


class BadParameter(ValueError):
    """A parameter has a value that the view does not take; `str()` says what it takes."""

    def __init__(self, parameter: str, detail: str) -> None:
        super().__init__(detail)
        self.parameter = parameter


@dataclass(frozen=True, slots=True)
class Query:
    """`GET /views/{name}` answers with what `answer` finds in a slot, in one snapshot: mappings,
    sequences, texts and numbers.

    `parameters` says of each parameter what it does. `answer` gets those of the request as text,
    with no NUL in it, and no others; it raises BadParameter where it does not take one.
    """

    parameters: Mapping[str, str]
    answer: Callable[[Connection, Slot, Given], Any]


def whole_number(given: Given, parameter: str, default: int, least: int, most: int) -> int:
    """Read a parameter that is a whole number. Raises BadParameter where it is none, or is out of
    its bounds.
    """
    value = given.get(parameter)
    if value is None:
        return default
    if _DIGITS.fullmatch(value) is None or not least <= int(value) <= most:
        raise BadParameter(parameter, f"a whole number from {least} to {most}")
    return int(value)
