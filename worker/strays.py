"""Commands that stand in the log behind what the ledger has, and were never taken.

That can only be where the log was set back and then went on over positions it had given out before,
because the clock of its server was set back as well.
"""

from collections.abc import Sequence

import structlog
from sqlalchemy import Engine

from eventlog.envelope import Ask, Atomic, Envelope, Pack, Rows
from eventlog.lookout import Again, Lookout
from ledger import outcomes, quarantine
from runtime.positions import Position
from worker.apply import Decoded
from worker.condemned import id_of

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
        ids = [each for entry in by_id.values() for each in _ids(entry)]
        with self._engine.connect() as connection:
            known = set(outcomes.find(connection, ids))
            known |= quarantine.known(connection, checkpoint.partition, ids)
        strays = [each for each in by_id.values() if known.isdisjoint(_ids(each))]
        if strays:
            log.error(
                "the log went on over positions it had given out before; its commands are moved",
                partition=checkpoint.partition,
                commands=len(strays),
            )
            self._lookout.fence(checkpoint, force=True, again=[_again(each) for each in strays])
        return len(strays)


def _id(each: Decoded) -> str:
    return id_of(each.position, each.entry)


def _ids(each: Decoded) -> list[str]:
    """List the ids by which it shows that an entry was taken: several are taken together."""
    match each.entry:
        case Rows(rows=rows) | Pack(rows=rows) | Atomic(rows=rows):
            return [_id(each), *(row.id for row in rows)]
        case _:
            return [_id(each)]


def _again(each: Decoded) -> Again:
    fingerprint = each.entry.fingerprint if isinstance(each.entry, Envelope | Pack) else ""
    return Again(_id(each), each.body, fingerprint, each.width)
