"""Who asks, and what they may do."""

import unicodedata
from dataclasses import dataclass
from typing import Literal, TypeGuard

Scope = Literal["items:read", "items:write", "ops"]
SCOPES: tuple[Scope, ...] = ("items:read", "items:write", "ops")

# A subject is the actor of events for ever: it has to be short, and one line wherever it is shown.
SUBJECT_LIMIT = 200
_UNSHOWABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Caller:
    """The subject is the actor of every event that follows."""

    subject: str
    scopes: frozenset[str]


# Where nobody has to say who they are, everybody may do everything.
ANONYMOUS = Caller("anonymous", frozenset(SCOPES))


def is_subject(value: object) -> TypeGuard[str]:
    """Say whether this can be the subject of a token."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= SUBJECT_LIMIT
        and bool(value.strip())
        and not any(unicodedata.category(each) in _UNSHOWABLE for each in value)
    )
