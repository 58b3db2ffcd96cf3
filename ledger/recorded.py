"""An event as the ledger keeps it: with its place, its item's version, and who asked for it."""

from domain.events import Event
from domain.value import value


@value
class Recorded:
    """`offset` is gapless within the partition, `version` within the item; both begin at 1."""

    partition: int
    offset: int
    version: int
    event: Event
    command_id: str
    actor: str
    reason: str | None
