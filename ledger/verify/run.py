"""Verify a whole database, as it is at one moment."""

from collections import Counter
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

from sqlalchemy import Connection, Engine, RowMapping, Table, and_, case, func, or_, select, text
from sqlalchemy.exc import SQLAlchemyError

from ledger.engines import reading_engine
from ledger.heads import make_row
from ledger.schema import check_schema, unusable
from ledger.tables import checkpoints, events, facts, heads, outcomes, partitions, quarantine
from ledger.verify import guards
from ledger.verify.advance import Advance, counted
from ledger.verify.anew import MadeAnew, Projected, made_anew
from ledger.verify.difference import Behind, Difference, Noted, Report, Verified
from ledger.verify.replay import Replay
from ledger.verify.rows import View, first_difference
from runtime.errors import headline

# How long an outcome is promised to be found; after that it may be forgotten.
OUTCOMES_KEPT_MS = 30 * 24 * 60 * 60 * 1000

# Finds the views to compare, by the names of their projections.
Views = Callable[[Connection], Mapping[str, View | Projected]]


def verify_database(
    url: str, views: Views, noted: Collection[Noted], now: int, advance: Advance
) -> Report:
    """Open the database for reading and verify it, and that it guards its events itself.

    Raises SchemaOutOfDate, or DatabaseUnusable where it is not to be had; a driver that is not
    installed raises ModuleNotFoundError.
    """
    engine = reading_engine(url, connections=1)
    try:
        check_schema(engine)
        report = verify(engine, views, noted, now, advance)
        with engine.connect() as connection:
            return replace(report, elsewhere=(*guards.missing(connection), *report.elsewhere))
    except (SQLAlchemyError, OSError) as error:
        raise unusable(error) from error
    finally:
        engine.dispose()


def verify(
    engine: Engine,
    views: Views,
    noted: Collection[Noted],
    now: int,
    advance: Advance,
) -> Report:
    """Make heads, views, chain and outcomes again from the events, and compare."""
    with _one_moment(engine) as connection:
        found = views(connection)
        projected = {name: each for name, each in found.items() if isinstance(each, Projected)}
        tables = {"heads": View(heads, make_row)}
        tables |= {name: each for name, each in found.items() if isinstance(each, View)}
        with made_anew(projected) as anew:
            return _verify(connection, tables, anew, noted, now, advance)


def _verify(
    connection: Connection,
    tables: Mapping[str, View],
    anew: MadeAnew,
    noted: Collection[Noted],
    now: int,
    advance: Advance,
) -> Report:
    stored = _Stored.read(connection)
    strays = [*(each.table for each in tables.values()), *anew.partitioned]
    elsewhere = [*stored.differences(), *_strays(connection, stored, strays)]
    elsewhere += [
        Difference(each.partition, "noted hash", each.hash, None, each.offset)
        for each in noted
        if each.partition not in stored.names
    ]
    taken = 0

    def further(count: int) -> None:
        nonlocal taken
        taken += count
        advance("events", taken, stored.events)

    verified: list[Verified] = []
    answered: Counter[int] = Counter()
    whole = True
    for partition in stored.names:
        notes = {each.offset: each.hash for each in noted if each.partition == partition}
        replay = Replay(partition, notes, now - OUTCOMES_KEPT_MS, anew.take)
        replay.run(connection, further)
        behind = _behind([*tables, *anew.names], replay, stored)
        verified.append(_verified(connection, replay, notes, stored, tables, behind, advance))
        answered.update(replay.answered)
        whole = whole and replay.broken is None
    if whole:
        elsewhere += _unanswered(stored, answered)
        left_out = frozenset(each.view for one in verified for each in one.behind)
        elsewhere += anew.differences(connection, left_out, advance)
    return Report(tuple(verified), tuple(elsewhere))


@dataclass(frozen=True, slots=True)
class _Stored:
    """What the database says of its partitions as a whole."""

    rows: Mapping[int, RowMapping]
    names: tuple[int, ...]
    fact: str | None
    events: int
    tops: Mapping[int, tuple[int, int]]
    applied: Mapping[int, int]
    set_aside: Mapping[int, int]
    checkpoints: Mapping[tuple[str, int], RowMapping]

    @classmethod
    def read(cls, connection: Connection) -> "_Stored":
        found = connection.execute(select(partitions)).mappings().all()
        # In a SQLite file that somebody edited, a number may be anything.
        rows = {row["partition"]: row for row in found if isinstance(row["partition"], int)}
        # For showing how far it is: what is really there comes out in the end.
        total = sum(row["offset"] for row in rows.values() if isinstance(row["offset"], int))
        # Orders of an operator are applied too; they happen to no item and have no version.
        happened = and_(outcomes.c.status == "applied", outcomes.c.version > 0)
        count = func.sum(case((happened, 1), else_=0))
        tops: dict[int, tuple[int, int]] = {}
        applied: dict[int, int] = {}
        for partition, epoch, n, of_epoch in connection.execute(
            select(outcomes.c.partition, outcomes.c.epoch, func.max(outcomes.c.n), count)
            .group_by(outcomes.c.partition, outcomes.c.epoch)
            .order_by(outcomes.c.epoch)
        ):
            if isinstance(n, int):
                tops[partition] = (epoch, n)
            applied[partition] = applied.get(partition, 0) + of_epoch
        aside = select(quarantine.c.partition, func.count()).group_by(quarantine.c.partition)
        return cls(
            rows,
            tuple(sorted({*range(len(found)), *rows})),
            connection.scalar(select(facts.c.value).where(facts.c.name == "partitions")),
            total,
            tops,
            applied,
            {each[0]: each[1] for each in connection.execute(aside)},
            {
                (row["projection"], row["partition"]): row
                for row in connection.execute(select(checkpoints)).mappings()
            },
        )

    def differences(self) -> list[Difference]:
        if self.fact == (str(len(self.rows)) if self.rows else None):
            return []
        return [Difference(None, "facts.partitions", len(self.rows), self.fact)]


def _verified(
    connection: Connection,
    replay: Replay,
    notes: Mapping[int, str],
    stored: _Stored,
    tables: Mapping[str, View],
    behind: tuple[Behind, ...],
    advance: Advance,
) -> Verified:
    """Compare what is stored of a partition with what its events came to."""
    partition = replay.partition
    left_out = {each.view for each in behind}
    found = [replay.broken, replay.outcome]
    if replay.broken is None:
        # Past an event that is not right there is nothing to compare with.
        found += [
            Difference(partition, "noted hash", hash_, "no such event", offset)
            for offset, hash_ in notes.items()
            if not 1 <= offset <= replay.offset
        ]
        found.append(_of_partition(replay, stored))
        found += [
            first_difference(
                connection,
                view,
                partition,
                replay.items,
                counted(advance, f"rows of {view.table.name} compared", len(replay.items)),
            )
            for name, view in tables.items()
            if name not in left_out
        ]
        found += [
            Difference(partition, f"checkpoints of {name}", replay.offset, row["offset"])
            for (name, of), row in stored.checkpoints.items()
            if of == partition and isinstance(row["offset"], int) and row["offset"] > replay.offset
        ]
    different = tuple(each for each in found if each is not None)
    return Verified(partition, replay.offset, replay.hash, behind, different)


def _behind(names: Collection[str], replay: Replay, stored: _Stored) -> tuple[Behind, ...]:
    """Find the views that have not taken all events of a partition."""
    return tuple(
        Behind(name, why)
        for name in names
        if name != "heads" and (why := _why_behind(name, replay, stored)) is not None
    )


def _unanswered(stored: _Stored, answered: Mapping[int, int]) -> list[Difference]:
    """Find outcomes that tell of something that no event does."""
    return [
        Difference(partition, "outcomes that say applied", expected, found)
        for partition in stored.names
        if (expected := answered.get(partition, 0)) != (found := stored.applied.get(partition, 0))
    ]


def _why_behind(name: str, replay: Replay, stored: _Stored) -> str | None:
    """Say why a view has not taken all events of a partition; `None` where it has."""
    row = stored.checkpoints.get((name, replay.partition))
    if row is None:
        return "it has no checkpoint" if replay.offset else None
    offset = row["offset"]
    if not isinstance(offset, int):
        return f"its checkpoint is at {offset!r}"
    if offset >= replay.offset:
        return None
    partition = stored.rows.get(replay.partition)
    in_step = "" if partition is None else str(partition["in_step"])
    if name not in in_step.split(",") and row["error"] is not None:
        error = headline(str(row["error"]))
        return f"it is left behind at offset {offset} since an error of its own ({error})"
    return f"it is at offset {offset}, and nothing says why"


def _of_partition(replay: Replay, stored: _Stored) -> Difference | None:
    """Compare the partition's row with its last event."""
    differs = partial(Difference, replay.partition, offset=replay.offset)
    row = stored.rows.get(replay.partition)
    if row is None:
        return differs("partitions", "a row", None)
    for what, expected in (
        ("offset", replay.offset),
        ("hash", replay.hash),
        ("quarantined", stored.set_aside.get(replay.partition, 0)),
    ):
        if row[what] != expected:
            return differs(f"partitions.{what}", expected, row[what])
    for what in ("epoch", "n", "recorded_at"):
        if not isinstance(row[what], int):
            return differs(f"partitions.{what}", "a whole number", row[what])
    # A command that changes nothing moves these as well.
    if row["recorded_at"] < replay.recorded_at:
        return differs(
            "partitions.recorded_at", f"not before {replay.recorded_at}", row["recorded_at"]
        )
    top, position = stored.tops.get(replay.partition, (0, 0)), (row["epoch"], row["n"])
    if position < top:
        return differs("partitions.epoch and n", f"not before {top}", position)
    return None


def _strays(connection: Connection, stored: _Stored, tables: Collection[Table]) -> list[Difference]:
    """Find rows of partitions that there are not."""
    found: list[Difference] = []
    for table in (events, outcomes, *tables):
        column = table.c.partition
        stray = connection.scalar(
            select(column).where(or_(column < 0, column >= len(stored.names))).limit(1)
        )
        if stray is not None:
            found.append(Difference(stray, table.name, "no such partition", "a row"))
    return found


@contextmanager
def _one_moment(engine: Engine) -> Generator[Connection]:
    """Read in one transaction, which on both databases sees one moment."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            # A ledger may take longer to read than a page of the query API may.
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            yield connection
            return
        # An edited file may hold what is no UTF-8: that is something to report, not to stop at.
        driver = cast("Any", connection.connection.dbapi_connection)
        before = driver.text_factory
        driver.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
        try:
            yield connection
        finally:
            driver.text_factory = before
