"""Commands that stand in the log behind what the ledger has, and were never taken.

That can only be where the log was set back and then went on over positions it had given out before,
because the clock of its server was set back as well.
"""

from collections.abc import Sequence

import structlog
from sqlalchemy import Engine

from eventlog.envelope import Ask, Envelope
from eventlog.lookout import Again, Lookout
from ledger import outcomes, quarantine
from runtime.positions import Position
from worker.apply import Decoded

log = structlog.get_logger()


class Strays:
    def __init__(self, engine: Engine, lookout: Lookout) -> None:
        self._engine = engine
        self._lookout = lookout

    def append_again(self, checkpoint: Position, batch: Sequence[Decoded]) -> int:
        """Append those of the batch that the ledger does not know at the end of the log, behind a
        fence, and say how many. Dying in the middle is harmless: an id is applied once.
        """
        by_id = {_id(each): each for each in batch if not isinstance(each.entry, Ask)}
        if not by_id:
            return 0
        with self._engine.connect() as connection:
            known = set(outcomes.find(connection, list(by_id)))
            known |= quarantine.known(connection, checkpoint.partition, list(by_id))
        strays = [each for command_id, each in by_id.items() if command_id not in known]
        if strays:
            log.error(
                "the log went on over positions it had given out before; its commands are moved",
                partition=checkpoint.partition,
                commands=len(strays),
            )
            self._lookout.fence(checkpoint, force=True, again=[_again(each) for each in strays])
        return len(strays)


def _id(each: Decoded) -> str:
    return each.entry.id or f"unreadable-{each.position.token}"


def _again(each: Decoded) -> Again:
    fingerprint = each.entry.fingerprint if isinstance(each.entry, Envelope) else ""
    return Again(_id(each), each.body, fingerprint)
