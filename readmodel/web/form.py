"""What a page is asked by its address: as forms send it, empty fields included."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import request
from werkzeug.datastructures import MultiDict

from readmodel import params
from readmodel.params import BadParameters, Reader


@dataclass(frozen=True, slots=True)
class Form:
    """The fields as they were filled in, what was read of them, and what is wrong, by field."""

    filled: Mapping[str, str]
    values: Mapping[str, Any]
    wrong: Mapping[str, str]


def filled_in() -> MultiDict[str, str]:
    """Read the fields that somebody has filled in."""
    return MultiDict((name, value) for name, value in request.args.items(multi=True) if value)


def read(given: MultiDict[str, str], readers: Mapping[str, Reader]) -> Form:
    """Read the fields; raises BadParameters for one that the page does not have."""
    filled = {name: given.get(name, "") for name in readers}
    try:
        return Form(filled, params.read(given, readers), {})
    except BadParameters as error:
        wrong = {each["parameter"]: each["detail"] for each in error.errors}
        if not wrong.keys() <= readers.keys():
            raise
        return Form(filled, {}, wrong)
