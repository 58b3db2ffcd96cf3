"""Reading one snapshot of the ledger and its views, never behind what the client has written.

A request may say by `Consistency-Token` which command it wants to see. What it reads is compared
with the checkpoint of what it reads from, in the same snapshot as the rows: on a replica that is
behind, both are.
"""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from flask import g, request
from sqlalchemy import Connection, Engine, func, select

from ledger.engines import single_reads
from ledger.prepared import Prepared
from ledger.projections import Slot, name_of
from ledger.projections import read as read_book
from ledger.tables import checkpoints, events, partitions, projections
from readmodel.answers import FRESH_ONLY
from readmodel.presence import presence_of
from readmodel.problem_codes import PROJECTION_BEHIND, VIEW_UNBUILT
from readmodel.problems import RETRY_AFTER, Trouble, problem
from readmodel.pulse import Pulse
from readmodel.tokens import HEADER, malformed, read_token, refuse_lost
from readmodel.turns import Turns
from runtime.positions import Position
from runtime.preferences import Preferences, applied, read_preferences

# What is read from the events themselves is as fresh as the ledger.
LEDGER = "ledger"

_APPLIED = "Preference-Applied"
# Seconds between two looks for a command that the ledger has and a view has not.
_REST = 0.05

# All of them, which are few.
LIVE = Prepared(lambda _: select(projections.c.view, projections.c.live))

# Tells for how many seconds the first command after a position has waited, if that is known.
WaitingSince = Callable[[Position], float | None]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A connection that sees one moment, and the slots that were live then."""

    connection: Connection
    slots: Mapping[str, Slot]


@dataclass(frozen=True, slots=True)
class _Taken:
    """How far what is read has taken the partition of a token."""

    position: Position
    offset: int


class Reads:
    """`turns` says how many requests may wait for their commands at once; beyond that nobody waits,
    and is answered as things stand. `clock` gives milliseconds since 1970.
    """

    def __init__(
        self,
        engine: Engine,
        waiting_since: WaitingSince,
        pulse: Pulse,
        turns: Turns,
        clock: Callable[[], int],
    ) -> None:
        self._engine = engine
        self._single = single_reads(engine)
        self._waiting_since = waiting_since
        self._pulse = pulse
        self._turns = turns
        self._clock = clock

    @contextmanager
    def single(self, *views: str) -> Generator[Connection]:
        """Open a connection for one statement, which finds the live slot by itself."""
        if HEADER not in request.headers:
            with self._single.connect() as connection:
                yield connection
            return
        with self.snapshot(*views) as snapshot:
            yield snapshot.connection

    @contextmanager
    def snapshot(self, *views: str) -> Generator[Snapshot]:
        """Open a snapshot of these views. Raises Trouble where the request's token is not one, is
        of a lost command, or is not to be had in time and nothing stale is wanted; and where a view
        was not built yet.
        """
        token = read_token()
        if token is None:
            with self._engine.connect() as connection:
                yield Snapshot(connection, live_slots(connection, views))
            return
        asked = read_preferences(request.headers.getlist("Prefer"))
        connection = self._fresh(token, views, asked)
        try:
            yield Snapshot(connection, live_slots(connection, views))
        finally:
            connection.close()

    def _fresh(self, token: Position, views: tuple[str, ...], asked: Preferences) -> Connection:
        """Open a snapshot that has the token's command, if that is to be had in time."""
        until = time.monotonic() + asked.wait
        rest, has_place = 0.0, True
        client = presence_of(request.environ)
        while True:
            connection = self._engine.connect()
            try:
                behind = _behind(connection, token, views)
                left = until - time.monotonic()
                # A process that is to stop answers what there is; who has left is not waited for.
                has_place = has_place and not self._pulse.closed
                has_place = has_place and not (client is not None and client.has_left)
                if behind is None or left <= 0 or not has_place:
                    self._tell(connection, behind, asked, waited=has_place or behind is None)
                    return connection
            except BaseException:
                connection.close()
                raise
            connection.close()
            with self._turns.waiting() as has_place:
                if has_place:
                    self._pulse.wait_for(
                        lambda ledger: ledger.has_taken(token), left, min(rest, left), client
                    )
            # The ledger has it, and a view is behind the ledger: that is looked at now and then.
            rest = _REST

    def _tell(
        self, connection: Connection, behind: _Taken | None, asked: Preferences, *, waited: bool
    ) -> None:
        """Say how fresh the answer is. Raises Trouble where it is not to be had stale."""
        said = applied(asked, waited=waited)
        g.fresh = {_APPLIED: said} if said else {}
        if behind is None:
            return
        recorded_at = _first_not_taken(connection, behind)
        if recorded_at is None:
            seconds = self._waiting_since(behind.position)
        else:
            seconds = (self._clock() - recorded_at) / 1000
        lag = "unknown" if seconds is None else f"{max(seconds, 0.0):.3f}"
        # A cache would answer others with it, who have not asked how old it is.
        g.fresh |= {**FRESH_ONLY, "Projection-Lag": lag}
        if asked.strict:
            detail = (
                "what is read has not come to the command of this token yet, and "
                "handling=strict wants nothing older"
            )
            headers = {**FRESH_ONLY, **RETRY_AFTER}
            raise Trouble(problem(PROJECTION_BEHIND, detail), headers)


def freshness() -> Mapping[str, str]:
    """Tell the headers that say how fresh the answer of this request is."""
    return g.get("fresh", {})


def heeded(asked: Preferences, *, waited: bool) -> None:
    """Say which preferences were heeded by an answer that waits for more than the command of a
    token, or could have: `waited` is whether that was to be had, after the command was.
    """
    fresh = dict(freshness())
    before = fresh.pop(_APPLIED, "")
    if HEADER in request.headers:
        said = applied(asked, waited=waited and "wait=" in before)
    else:
        # There was nothing that could have been stale.
        said = applied(replace(asked, strict=False), waited=waited)
    g.fresh = fresh | ({_APPLIED: said} if said else {})


def live_slots(connection: Connection, views: Sequence[str]) -> dict[str, Slot]:
    """Tell which slots of these views are live. Raises Trouble where one was not built yet."""
    wanted = [each for each in views if each != LEDGER]
    if not wanted:
        return {}
    found = LIVE.run(connection, {})
    slots: dict[str, Slot] = {view: live for view, live in found if live and view in wanted}
    for view in wanted:
        if view not in slots:
            book = read_book(connection, view)
            detail = f"the view {view} is being built from the ledger for the first time"
            if book is not None and book.state == "failed":
                detail = f"the view {view} could not be built yet; /status says why"
            headers = {**FRESH_ONLY, **RETRY_AFTER}
            raise Trouble(problem(VIEW_UNBUILT, detail), headers)
    return slots


def _behind(connection: Connection, token: Position, views: tuple[str, ...]) -> _Taken | None:
    """Find what has not come to the token's command, the one that is furthest behind; `None` where
    all have. Raises Trouble where none ever will.
    """
    refuse_lost(connection, token)
    ledger = connection.execute(
        select(partitions.c.epoch, partitions.c.n, partitions.c.offset).where(
            partitions.c.partition == token.partition
        )
    ).one_or_none()
    if ledger is None:
        if connection.scalar(select(func.count()).select_from(partitions)):
            raise malformed("it names a partition that this deployment does not have")
        # No worker has been here yet, while commands are accepted already.
        return _Taken(Position(token.partition, 0, 0), 0)
    taken = [_Taken(Position(token.partition, ledger.epoch, ledger.n), ledger.offset)]
    slots = live_slots(connection, views)
    for view, slot in slots.items():
        row = connection.execute(
            select(checkpoints.c.epoch, checkpoints.c.n, checkpoints.c.offset).where(
                checkpoints.c.projection == name_of(view, slot),
                checkpoints.c.partition == token.partition,
            )
        ).one_or_none()
        position = Position(token.partition, *((0, 0) if row is None else (row.epoch, row.n)))
        taken.append(_Taken(position, 0 if row is None else row.offset))
    last = min(taken, key=lambda each: each.position)
    return None if last.position >= token else last


def _first_not_taken(connection: Connection, taken: _Taken) -> int | None:
    """Tell when the ledger recorded the first event that was not taken."""
    return connection.scalar(
        select(events.c.recorded_at)
        .where(events.c.partition == taken.position.partition, events.c.offset > taken.offset)
        .order_by(events.c.offset)
        .limit(1)
    )
