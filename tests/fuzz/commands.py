"""The command API as a target."""

from typing import Any
from zlib import crc32

import schemathesis
from schemathesis import Case
from schemathesis.core.parameters import ParameterLocation

from tests.fuzz.excuses import OF_COMMANDS
from tests.fuzz.rows import rows_are_judged_one_by_one
from tests.fuzz.target import Target
from tests.journey import Deployment

# Without a body there is less to look at.
_PREFERENCES = (*("wait=10",) * 4, "wait=10, return=minimal", "respond-async", None, None)


def commands(deployment: Deployment) -> Target:
    @schemathesis.serializer("application/x-ndjson")
    def ndjson(_: Any, value: Any) -> Any:
        return value if isinstance(value, bytes) else str(value).encode()

    return Target(deployment.command_url, OF_COMMANDS, _aimed, checks=(rows_are_judged_one_by_one,))


def _aimed(case: Case) -> Case:
    """Wait as often as not, which random text never asks for, and send mostly no key: an example's
    key is soon used. What is changed hangs on the rest of the case, so that the same one is sent
    twice as the same.
    """
    names = {each.name for each in case.operation.headers}
    # What makes a case wrong stays in it.
    drawn = crc32(repr((case.path_parameters, case.query, case.body)).encode())
    headers = case.headers
    as_it_should_be = case.meta is not None and not case.meta.is_negative_at(
        ParameterLocation.HEADER
    )
    if headers is not None and as_it_should_be and "Prefer" in names:
        wanted = _PREFERENCES[drawn % len(_PREFERENCES)]
        if wanted is not None:
            headers["Prefer"] = wanted
        if drawn // len(_PREFERENCES) % len(_PREFERENCES):
            headers.pop("Idempotency-Key", None)
    if drawn % 8:
        case.body = _with_integers(case.body)
    return case


def _with_integers(body: Any) -> Any:
    """Write 12.0 as 12: the same to JSON Schema, and the first is always refused."""
    match body:
        case float() if body.is_integer():
            return int(body)
        case dict():
            return {name: _with_integers(each) for name, each in body.items()}
        case list():
            return [_with_integers(each) for each in body]
        case _:
            return body
