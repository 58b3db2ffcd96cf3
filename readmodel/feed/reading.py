"""Reading the feed from a cursor on, and waiting at its head for what comes."""

import time
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, Engine

from readmodel import params
from readmodel.answers import FRESH_ONLY
from readmodel.cursors import BadCursor, FeedCursors
from readmodel.presence import Presence
from readmodel.problem_codes import CURSOR_AHEAD, REPLICA_BEHIND
from readmodel.problems import RETRY_AFTER, Trouble, problem
from readmodel.pulse import Pulse
from readmodel.turns import Turns
from readmodel.views import changes
from readmodel.views.changes import AheadOfLedger, OtherPartitions, Place, Stretch, Wanted

# In place of a cursor: after everything there is.
HEAD = "head"
Start = Place | Literal["head"]

# Seconds until somebody who waits looks again after others' events came: a busy ledger must not
# make everybody read all the time who waits for something rare.
_REST = 0.1


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reader asks for: where to begin, how many events at most, and which."""

    start: Start
    limit: int
    wanted: Wanted


class Feed:
    """Reads from `snapshots`, an engine whose connections each read one snapshot."""

    def __init__(self, snapshots: Engine, cursors: FeedCursors, pulse: Pulse, turns: Turns) -> None:
        self._snapshots = snapshots
        self._cursors = cursors
        self._pulse = pulse
        self._turns = turns

    def start(self, after: str | None) -> Start:
        """Read the parameter `after`: a cursor, `head`, or nothing for the beginning. Raises
        BadParameters.
        """
        if after is None:
            return ()
        if after == HEAD:
            return HEAD
        try:
            return self._cursors.read(after)
        except BadCursor as error:
            raise _bad_cursor(str(error)) from error

    def read(self, connection: Connection, asked: Asked) -> Stretch:
        """Read a stretch. Raises BadParameters and Trouble where the cursor does not fit."""
        start = changes.head(connection) if asked.start == HEAD else asked.start
        try:
            return changes.read(connection, start, asked.limit, asked.wanted)
        except OtherPartitions as error:
            raise _bad_cursor(f"not a cursor of this feed: {error}") from error
        except AheadOfLedger as error:
            raise _ahead(error) from error

    def wait(
        self, reached: Stretch, asked: Asked, seconds: float, client: Presence | None = None
    ) -> tuple[Stretch, bool]:
        """Wait at the head, which a stretch without events has reached, for the first ones that are
        wanted, so many seconds at most, and while the client is there. Where too many wait already,
        do not, and say `False`.
        """
        until = time.monotonic() + seconds
        rest = 0.0
        while not reached.rows and not reached.behind:
            left = until - time.monotonic()
            if left <= 0:
                break
            with self._turns.waiting(polls=True) as may_wait:
                if not may_wait:
                    return reached, False
                if not self._pulse.wait_beyond(reached.end, left, min(rest, left), client):
                    break
            rest = _REST
            with self._snapshots.connect() as connection:
                further = Asked(reached.end, asked.limit, asked.wanted)
                reached = self.read(connection, further)
        return reached, True


def _bad_cursor(detail: str) -> params.BadParameters:
    return params.bad("after", "cursor-mismatch", detail)


def _ahead(error: AheadOfLedger) -> Trouble:
    if error.replica:
        detail = f"{error} that this replica has; ask again in a second"
        return Trouble(problem(REPLICA_BEHIND, detail), {**FRESH_ONLY, **RETRY_AFTER})
    detail = (
        f"{error}: the database was set back to an earlier state, and what was done since is "
        "missing or has other places now; take a new export and follow from its cursor"
    )
    return Trouble(problem(CURSOR_AHEAD, detail), FRESH_ONLY)
