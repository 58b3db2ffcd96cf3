"""Entries that are not tried as usual, and why."""

from dataclasses import dataclass

from eventlog.envelope import Entry, Unreadable
from runtime.positions import Position


@dataclass(frozen=True, slots=True)
class Condemned:
    """Why an entry is not to be tried as usual; `again` where that was so the last time, too."""

    why: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class Dead:
    """Why a command is dead, and what the request was called that brought it."""

    why: str
    request_id: str | None = None
    trace: str | None = None


def id_of(position: Position, entry: Entry | Unreadable) -> str:
    """Tell by which id an entry is known: one whose own can not be made out, by its place."""
    return entry.id or f"unreadable-{position.token}"
