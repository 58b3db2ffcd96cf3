"""A check, and what it finds: all is well, a doubt, or a fault, both with how to mend it."""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar, assert_never

Facts = TypeVar("Facts")
Verdict = Literal["ok", "warn", "bad"]
# Milliseconds.
_SKEW, _BAD_SKEW = 1_000, 30_000


@dataclass(frozen=True, slots=True)
class Fine:
    """As it should be."""

    seen: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """The service runs, and this is most likely not meant."""

    seen: str
    mend: str


@dataclass(frozen=True, slots=True)
class Fault:
    """The service does not do what it promises, or will not for long."""

    seen: str
    mend: str


Finding = Fine | Doubt | Fault


@dataclass(frozen=True, slots=True)
class Check(Generic[Facts]):
    """One question about facts; `None` where it does not apply to them."""

    name: str
    judge: Callable[[Facts], Finding | None]


@dataclass(frozen=True, slots=True)
class Told:
    """What a check found."""

    check: str
    finding: Finding


def told(checks: Iterable[Check[Facts]], facts: Facts) -> Generator[Told]:
    """Ask all checks about the facts."""
    for check in checks:
        finding = check.judge(facts)
        if finding is not None:
            yield Told(check.name, finding)


def verdict(finding: Finding) -> Verdict:
    """Say in a word how it is."""
    match finding:
        case Fine():
            return "ok"
        case Doubt():
            return "warn"
        case Fault():
            return "bad"
        case _:
            assert_never(finding)


def clocks(whose: str, skew: int) -> Finding:
    """Judge how far another machine's clock is before ours, in milliseconds."""
    seen = f"{abs(skew) / 1000:.1f} s {'before' if skew > 0 else 'behind'} this machine"
    if abs(skew) < _SKEW:
        return Fine("as this machine's")
    mend = f"have both machines keep the time with NTP (`timedatectl` tells); {whose} and this one"
    if abs(skew) < _BAD_SKEW:
        return Doubt(seen, f"{mend}: lags and deadlines are told wrong by as much")
    return Fault(seen, f"{mend}: `Command-Deadline` and tokens are judged wrong by as much")
