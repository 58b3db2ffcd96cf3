"""What an entry of the table says: an operation, its parameters, bodies, answers and problems."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Body:
    """What a request holds, by media type: its schema's name (none where it is a file) and an
    example.
    """

    media_types: Mapping[str, str | None]
    example: Any
    required: bool = True
    says: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """What to ask for next, with what of this answer: parameters by runtime expressions."""

    operation: str
    parameters: Mapping[str, str]
    says: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is no problem. `headers` are always there, those of `may_have` sometimes."""

    says: str
    schema: str | None = None
    example: Any = None
    headers: Sequence[str] = ()
    may_have: Sequence[str] = ()
    media_type: str = "application/json"
    links: Mapping[str, Link] = field(default_factory=dict[str, Link])


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of a path. `problems` are codes of the catalogue, beside those of every request;
    `outcomes` are those that only waiting tells.
    """

    method: str
    path: str
    id: str
    tag: str
    summary: str
    answers: Mapping[int, Answer]
    parameters: Sequence[str] = ()
    body: Body | None = None
    problems: Sequence[str] = ()
    outcomes: Sequence[str] = ()
    says: str = ""
