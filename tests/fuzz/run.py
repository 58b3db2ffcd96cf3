"""Send the command API what its description allows, and what it does not."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

import schemathesis
from schemathesis.checks import CHECKS
from schemathesis.core.parameters import ParameterLocation
from schemathesis.engine import Status, events, from_schema
from schemathesis.hooks import GLOBAL_HOOK_DISPATCHER

from runtime.auth.caller import SCOPES
from runtime.auth.issue import issue
from runtime.auth.tokens import OwnKey
from tests.fuzz.excuses import is_excused, why
from tests.fuzz.rows import rows_are_judged_one_by_one
from tests.journey import Deployment
from tests.tokens import SECRET

# Of each operation in a round, for each kind of data; what the examples and the boundaries of the
# schemas come to is beside that.
_ROUND = 200
_LIFETIME = 24 * 60 * 60
# Without a body there is less to look at.
_PREFERENCES = (*("wait=10",) * 4, "wait=10, return=minimal", "respond-async", None, None)


@dataclass(slots=True)
class Found:
    """What a run came to: requests by status, checks made, failures and errors by what they say."""

    requests: int = 0
    checks: int = 0
    by_status: Counter[int] = field(default_factory=Counter[int])
    by_phase: Counter[str] = field(default_factory=Counter[str])
    excused: Counter[str] = field(default_factory=Counter[str])
    failures: dict[str, str] = field(default_factory=dict[str, str])

    def summary(self) -> str:
        statuses = ", ".join(f"{status}: {n}" for status, n in sorted(self.by_status.items()))
        phases = ", ".join(f"{phase}: {n}" for phase, n in self.by_phase.items())
        return (
            f"{self.requests} requests ({phases}), {self.checks} checks, "
            f"{len(self.failures)} findings\nanswers: {statuses}"
            f"\nexcused: {dict(self.excused.most_common())}"
        )


@contextmanager
def guarded_deployment(folder: Path, database_url: str) -> Iterator[Deployment]:
    """Run the whole service with tokens, so that what is open to nobody shows."""
    deployment = Deployment(folder, database_url)
    deployment.env["ITEMLEDGER_TOKEN_SECRET"] = SECRET
    with deployment.up():
        yield deployment


def fuzz(
    url: str,
    least: int,
    seed: int,
    most_each: int = _ROUND,
    say: Callable[[str], None] = lambda _: None,
    *,
    boundaries: bool = True,
) -> Found:
    """Send at least so many requests, in rounds of seeds that follow one another, with the
    boundaries of the schemas or without; say what is found, and after each round how far it is.
    """
    found = Found()
    _register(found)
    done = 0
    while found.requests < least:
        schema = _schema(url, seed + done, most_each, boundaries=boundaries)
        _round(schema, found, say)
        done += 1
        say(f"{found.requests} requests, {len(found.failures)} findings")
    return found


def _round(schema: Any, found: Found, say: Callable[[str], None]) -> None:
    for event in from_schema(schema).execute():
        match event:
            case events.ScenarioFinished():
                for key, said in _count(event, found):
                    if key not in found.failures:
                        found.failures[key] = said
                        say(f"\n== {key}\n{said}\n")
            case events.NonFatalError():
                found.failures[f"error {event.label}"] = repr(event.value)
                say(f"error {event.label}: {event.value!r}")
            case events.FatalError():
                raise event.exception
            case _:
                pass


def _schema(url: str, seed: int, most_each: int, *, boundaries: bool) -> Any:
    own = OwnKey(SECRET, "itemledger")
    token = issue(own, "itemledger", "fuzz", SCOPES, int(time.time()), _LIFETIME).token
    config = schemathesis.Config.from_dict(
        {
            "seed": seed,
            "base-url": url,
            "headers": {"Authorization": f"Bearer {token}"},
            "generation": {"max-examples": most_each, "database": "none"},
            "phases": {"coverage": {"enabled": boundaries}},
        }
    )
    return schemathesis.openapi.from_url(f"{url}/openapi.json", config=config)


def _count(event: events.ScenarioFinished, found: Found) -> Iterator[tuple[str, str]]:
    """Add up what an event tells, and give what was found."""
    recorder = event.recorder
    found.by_phase[event.phase.value] += len(recorder.interactions)
    found.requests += len(recorder.interactions)
    for interaction in recorder.interactions.values():
        if interaction.response is not None:
            found.by_status[interaction.response.status_code] += 1
    for case_id, checks in recorder.checks.items():
        found.checks += len(checks)
        for check in checks:
            if check.status is not Status.FAILURE or check.failure_info is None:
                continue
            failure = check.failure_info.failure
            sent = recorder.cases[case_id].value.as_curl_command()
            key = f"{check.name}: {failure.operation}: {failure.title}: {failure.message[:200]}"
            yield key, f"{failure.message}\n{sent}\n{_answer(recorder.interactions[case_id])}"


def _answer(interaction: Any) -> str:
    response = interaction.response
    if response is None:
        return "no answer"
    return f"{response.status_code} {dict(response.headers)}\n{response.content[:1500]!r}"


def _register(found: Found) -> None:
    GLOBAL_HOOK_DISPATCHER.unregister_all()

    @schemathesis.hook
    def filter_failure(_: Any, failure: Any, case: Any, response: Any) -> bool:
        if is_excused(failure, case, response):
            found.excused[f"{type(failure).__name__} {why(response)}".strip()] += 1
            return False
        return True

    @schemathesis.hook
    def map_case(_: Any, case: Any) -> Any:
        """Wait as often as not, which random text never asks for, and send mostly no key: an
        example's key is soon used. What is changed hangs on the rest of the case, so that the same
        one is sent twice as the same.
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

    @schemathesis.serializer("application/x-ndjson")
    def ndjson(_: Any, value: Any) -> Any:
        return value if isinstance(value, bytes) else str(value).encode()

    _registered(rows_are_judged_one_by_one)


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


def _registered(check: Callable[..., None]) -> None:
    if check.__name__ not in CHECKS.get_all_names():
        schemathesis.check(check)
