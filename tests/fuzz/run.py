"""Send a service what its description allows, and what it does not."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import hypothesis
import schemathesis
from schemathesis.checks import CHECKS
from schemathesis.engine import Status, events, from_schema
from schemathesis.hooks import GLOBAL_HOOK_DISPATCHER

from runtime.auth.caller import SCOPES
from runtime.auth.issue import issue
from runtime.auth.tokens import OwnKey
from tests.fuzz.excuses import is_excused, why
from tests.fuzz.target import Target
from tests.tokens import SECRET

# Of each operation in a round, for each kind of data; what the examples and the boundaries of the
# schemas come to is beside that.
_ROUND = 200
_LIFETIME = 24 * 60 * 60


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


def fuzz(
    target: Target,
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
    _register(target, found)
    done = 0
    # Hypothesis is told which cases are accepted and looks for more of them: that is most of the
    # time, and what there is to be found is known to `aimed`.
    with patch.object(hypothesis, "target", _is_no_aim):
        while found.requests < least:
            schema = _schema(target, seed + done, most_each, boundaries=boundaries)
            _round(schema, found, say)
            done += 1
            say(f"{found.requests} requests, {len(found.failures)} findings")
    return found


def _is_no_aim(observation: float, *, label: str) -> float:
    return observation


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
            case events.Interrupted():
                # Of the run, and not of this round alone.
                raise KeyboardInterrupt
            case _:
                pass


def _schema(target: Target, seed: int, most_each: int, *, boundaries: bool) -> Any:
    own = OwnKey(SECRET, "itemledger")
    token = issue(own, "itemledger", "fuzz", SCOPES, int(time.time()), _LIFETIME).token
    config = schemathesis.Config.from_dict(
        {
            "seed": seed,
            "base-url": target.url,
            "headers": {"Authorization": f"Bearer {token}"},
            # The token is of a test.
            "output": {"sanitization": {"enabled": False}},
            "generation": {"max-examples": most_each, "database": "none"},
            "phases": {"coverage": {"enabled": boundaries}},
            **target.config,
        }
    )
    return schemathesis.openapi.from_url(f"{target.url}/openapi.json", config=config)


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
            answered = recorder.interactions[case_id].response
            code = "" if answered is None else f" {answered.status_code} {why(answered)}"
            title = f"{failure.title}: {failure.message[:200]}"
            key = f"{check.name}: {failure.operation}:{code}: {title}"
            told = f"{event.phase.value}: {failure.message}\n{sent}"
            yield key, f"{told}\n{_answer(recorder.interactions[case_id])}"


def _answer(interaction: Any) -> str:
    response = interaction.response
    if response is None:
        return "no answer"
    return f"{response.status_code} {dict(response.headers)}\n{response.content[:1500]!r}"


def _register(target: Target, found: Found) -> None:
    GLOBAL_HOOK_DISPATCHER.unregister_all()

    @schemathesis.hook
    def filter_failure(_: Any, failure: Any, case: Any, response: Any) -> bool:
        if is_excused(target.excuses, failure, case, response):
            found.excused[f"{type(failure).__name__} {why(response)}".strip()] += 1
            return False
        return True

    @schemathesis.hook
    def map_case(_: Any, case: Any) -> Any:
        return target.aimed(case)

    @schemathesis.hook
    def before_add_examples(_: Any, examples: list[Any]) -> None:
        # What comes from the description itself passes by `map_case`.
        examples[:] = [target.aimed(each) for each in examples]

    for check in target.checks:
        if check.__name__ not in CHECKS.get_all_names():
            schemathesis.check(check)
