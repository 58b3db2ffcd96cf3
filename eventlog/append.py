"""The append script, called: its arguments, its answer, and which of its errors are certain."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)

from eventlog import keys
from runtime.positions import Position

# The bell goes down by itself, so a ring lost between append and enqueue is rung again.
BELL_SECONDS = 10

_BEFORE_ANY_WRITE = (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
)
# How the script says what became of a command.
_KNOWN = 1
_REFUSED_BY_SERVER = 2
_REFUSED_BY_US = 3

_WORTH_ANOTHER_TRY = (BusyLoadingError, ClusterDownError, MasterDownError, NoScriptError)


@dataclass(frozen=True, slots=True)
class Submission:
    """An entry on its way to the log: its id, its body, its payload's fingerprint, and how many
    commands it has.

    `promises` is false for what nobody is promised anything about, such as a question: it goes on
    the log even while no command is accepted.
    """

    id: str
    body: bytes
    fingerprint: str
    promises: bool = True
    width: int = 1


@dataclass(frozen=True, slots=True)
class Appended:
    """Accepted and on disk; `position` is that of the entry's last command. `known` where the id
    was accepted before, with `fingerprint`.
    """

    position: Position
    known: bool
    fingerprint: str


@dataclass(frozen=True, slots=True)
class NotAppended:
    """Certainly not accepted; `why` is for people."""

    why: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """May or may not have been accepted: the server's answer did not come."""

    why: str


Verdict = Appended | NotAppended | Unknown


@dataclass(frozen=True, slots=True)
class Script:
    """The text of append.lua and the name Redis knows it by."""

    text: str
    sha: str


def load_script() -> Script:
    text = Path(__file__).with_name("append.lua").read_text("utf-8")
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


def evalsha(
    script: Script,
    partition: int,
    submissions: Sequence[Submission],
    closed: str | None = None,
    floor: Position | None = None,
) -> tuple[Any, ...]:
    """Make the command that appends to one partition, as the words to send.

    `closed` is the reason not to accept anything new, if there is one; `floor` is the last position
    of the partition that the caller knows was given out: nothing is put at it or before it.
    """
    names = [
        keys.head(partition),
        keys.log(partition),
        keys.bell(partition),
        keys.epochs(partition),
        *(keys.command(partition, each.id) for each in submissions),
    ]
    held = "".join("1" if each.promises else "0" for each in submissions) if closed else ""
    known = (0, 0) if floor is None else (floor.epoch, floor.n)
    several = any(each.width > 1 for each in submissions)
    widths = ",".join(str(each.width) for each in submissions) if several else ""
    arguments: list[Any] = [BELL_SECONDS, closed or "", held, *known, widths]
    for each in submissions:
        arguments += (each.body, each.fingerprint)
    return ("EVALSHA", script.sha, len(names), *names, *arguments)


def read_reply(partition: int, reply: Sequence[Any]) -> tuple[bool, list[Verdict]]:
    """Return whether the bell has to be rung, and what became of each command, in their order."""
    verdicts: list[Verdict] = []
    for position, how, text in reply[1:]:
        if how == _REFUSED_BY_SERVER:
            verdicts.append(NotAppended(f"the log refused: {text.decode()}"))
        elif how == _REFUSED_BY_US:
            verdicts.append(NotAppended(text.decode()))
        else:
            where = Position.from_stream_id(partition, position.decode())
            verdicts.append(Appended(where, how == _KNOWN, text.decode()))
    return bool(reply[0]), verdicts


def is_certain(error: ResponseError) -> bool:
    """Say whether the error was raised before the script wrote anything."""
    text = str(error)
    if text.startswith("REFUSED") or isinstance(error, NoScriptError):
        return True
    return isinstance(error, _BEFORE_ANY_WRITE) and "script:" not in text


def is_passing(error: ResponseError) -> bool:
    """Say whether the server is expected to accept the same in a moment."""
    if isinstance(error, _WORTH_ANOTHER_TRY) or is_demoted(error):
        return True
    return "LOADING" in str(error)


def is_demoted(error: ResponseError) -> bool:
    """Say whether the server is no primary any more: another connection may find the new one."""
    return isinstance(error, ReadOnlyError) or "READONLY" in str(error)
