"""What an operation asks for, step by step. An operation is a generator of steps that does no I/O:
whoever drives it does them, on a connection that blocks or one that is awaited.
"""

import json
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Generic, TypeAlias, TypeVar

G_co = TypeVar("G_co", covariant=True)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it is sent; `timeout` is in seconds, a file is sent from where it stood when it
    was given, at every repetition.
    """

    method: str
    url: str
    params: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    content: "bytes | Upload | None" = None
    timeout: float = 10.0


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that can be read again from `start`."""

    file: BinaryIO
    start: int


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with its whole body, but for one that is read line by line; names of headers are in
    small letters.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300  # noqa: PLR2004  as HTTP has it

    def json(self) -> Any:
        """Read the body. Raises ValueError."""
        return json.loads(self.content)


@dataclass(frozen=True, slots=True)
class Broken:
    """No answer, or not all of it. `reached` says that the service may have had the request, `sent`
    how many bytes of an upload went out.
    """

    why: str
    reached: bool
    sent: int = 0


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request; comes back with an Answer or Broken."""

    request: Request


@dataclass(frozen=True, slots=True)
class Open:
    """Send a request whose answer is read by NextLine; comes back with an Answer, which has a body
    only where it is an error, or Broken.
    """

    request: Request


@dataclass(frozen=True, slots=True)
class NextLine:
    """Read a line of what was opened; comes back with it, `None` at the end, or Broken."""


@dataclass(frozen=True, slots=True)
class NextPiece:
    """Read the next bytes of what was opened, however many come; back it comes as from NextLine."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Give(Generic[G_co]):
    """Hand a value to the caller, who iterates."""

    value: G_co


Deed: TypeAlias = Send | Open | NextLine | NextPiece | Pause
# Gives values of the first type, and returns one of the second.
Steps: TypeAlias = Generator[Deed | Give[G_co], Any, T]


def given(values: Iterable[T]) -> Steps[T, None]:
    """Hand these values to the caller."""
    for value in values:
        yield Give(value)
