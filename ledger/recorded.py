"""An event as the ledger keeps it: with its place, its item's version, and who asked for it."""

from dataclasses import dataclass

from domain.events import Event


@dataclass(frozen=True, slots=True)
class Recorded:
    """`offset` is gapless within the partition, `version` within the item; both begin at 1."""

    partition: int
    offset: int
    version: int
    event: Event
    command_id: str
    actor: str
    reason: str | None
