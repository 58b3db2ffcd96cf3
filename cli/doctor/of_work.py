"""The work: who does it, whether it gets further, and what it left behind."""

import threading
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

from cli.database_refusals import reading_refusal
from cli.doctor.finding import Check, Doubt, Fault, Finding, Fine, Told, told
from eventlog.inspect import LogInspector, LogUnavailable, inspect_log
from eventlog.workers import REPORT_EVERY, Report
from ledger import projections as books
from ledger.opening import opened
from ledger.schema import DatabaseUnusable, SchemaOutOfDate
from readmodel import figures
from readmodel.figures import Projection
from readmodel.standings import Standing, Standings
from runtime.settings import Settings
from runtime.standstill import DEAD_AFTER
from runtime.times import now_ms

# Seconds between two looks at what has waited for long; a batch takes milliseconds.
_SECOND_LOOK = 1.0


@dataclass(frozen=True, slots=True)
class WorkFacts:
    """`moves` says whether what waited was seen to get further, where that was looked for. `lost`
    counts positions of the log that were acknowledged and are gone, by kind.
    """

    partitions: int
    workers: Sequence[Report]
    silent: int
    standings: Sequence[Standing]
    moves: bool
    quarantined: Mapping[str, int]
    projections: Sequence[Projection]
    lost: int


def _workers(facts: WorkFacts) -> Finding:
    working = [each for each in facts.workers if each.state == "working"]
    if not facts.workers:
        gone = f"; {facts.silent} ended without a word" if facts.silent else ""
        return Fault(
            f"none was heard of in the last 15 s: what is accepted waits{gone}",
            "start `itemledger worker`, or `itemledger up` for everything",
        )
    if not working:
        return Fault(f"all {len(facts.workers)} wait: {facts.workers[0].why}", "see to that store")
    if len(facts.workers) > facts.partitions:
        idle = len(facts.workers) - facts.partitions
        return Doubt(
            f"{len(facts.workers)} for {facts.partitions} partitions: {idle} can only wait",
            f"run {facts.partitions} at most",
        )
    return Fine(f"{len(working)} of {len(facts.workers)} work; partitions: {facts.partitions}")


def _pump(facts: WorkFacts) -> Finding:
    waiting = [each for each in facts.standings if each.lag]
    lag = sum(each.lag for each in waiting)
    oldest = max((each.lag_seconds or 0.0 for each in waiting), default=0.0)
    if oldest < DEAD_AFTER:
        return Fine(f"moves; {lag} commands wait" if lag else "nothing waits")
    seen = f"{lag} commands wait, the oldest for {oldest:.0f} s"
    if facts.moves:
        return Doubt(f"{seen}; they get further", "start more workers, or wait")
    return Fault(
        f"{seen}, and nothing moves", "start a worker, or see in its log what it waits for"
    )


def _dead(facts: WorkFacts) -> Finding:
    dead, parked = facts.quarantined["dead"], facts.quarantined["parked"]
    if not dead:
        return Fine("none")
    return Fault(
        f"{dead}, with {parked} parked behind them",
        "`itemledger dead list` tells why; then `dead replay` or `dead discard`",
    )


def _views(facts: WorkFacts) -> Finding:
    detached = {
        each.projection: each.error for each in facts.projections if each.state == "detached"
    }
    if detached:
        name, error = next(iter(detached.items()))
        return Fault(
            f"{', '.join(detached)} left behind by an error of its own ({error})",
            f"mend that; it catches up by itself. `itemledger rebuild {name}` makes it anew",
        )
    behind = sorted({each.projection for each in facts.projections if each.state == "behind"})
    if behind:
        return Fine(f"{', '.join(behind)} catching up; the others in step")
    return Fine("in step")


def _losses(facts: WorkFacts) -> Finding:
    if not facts.lost:
        return Fine("none")
    return Doubt(
        f"{facts.lost} acknowledged commands were lost with the log, once",
        "`itemledger status` names them under gaps: have their senders send them again",
    )


CHECKS = (
    Check("workers", _workers),
    Check("pump", _pump),
    Check("dead commands", _dead),
    Check("views", _views),
    Check("losses", _losses),
)


def look(settings: Settings, partitions: int) -> Generator[Told]:
    """Look at log and ledger together; both are there to be asked."""
    inspector = inspect_log(settings.log_url, partitions)
    try:
        yield from told(CHECKS, _facts(settings, inspector, partitions))
    except SchemaOutOfDate:
        # That is told of the database, which has to be seen to first.
        return
    except LogUnavailable as error:
        yield Told("workers", Fault(f"the log went away ({error})", "look again"))
    except DatabaseUnusable as error:
        yield Told("workers", Fault(str(reading_refusal(settings.sql_url, error)), "look again"))
    finally:
        inspector.close()


def _facts(settings: Settings, inspector: LogInspector, partitions: int) -> WorkFacts:
    standings = Standings(inspector, now_ms, time.monotonic)
    with opened(settings.sql_url) as ledger:

        def compared() -> list[Standing]:
            heads = inspector.heads()
            with ledger.reads.connect() as connection:
                return standings.compare(heads, figures.taken(connection))

        first, moves = compared(), False
        if any((each.lag_seconds or 0) >= DEAD_AFTER for each in first):
            # Whether it moves can only be told from two looks.
            threading.Event().wait(_SECOND_LOOK)
            second = compared()
            moves = any(
                (one.epoch, one.checkpoint) != (other.epoch, other.checkpoint)
                for one, other in zip(first, second, strict=True)
            )
            first = second
        workers, silent = _heard(inspector, partitions)
        with ledger.reads.connect() as connection:
            return WorkFacts(
                partitions=partitions,
                workers=workers,
                silent=silent,
                standings=first,
                moves=moves,
                quarantined=figures.quarantined(connection),
                projections=figures.projections(connection, books.read_all(connection), now_ms()),
                lost=figures.missing(connection).get("lost", 0),
            )


def _heard(inspector: LogInspector, partitions: int) -> tuple[Sequence[Report], int]:
    """List the workers, and count the silent ones. Where there are more than can work, one may have
    been killed a moment ago, and another be there in its place: those are left that report again.
    """
    checkup = inspector.checkup(now_ms())
    if len(checkup.workers) <= partitions:
        return checkup.workers, checkup.silent
    threading.Event().wait(REPORT_EVERY + 1.0)
    later = inspector.checkup(now_ms())
    alive = those_alive(checkup.workers, later.workers)
    return alive, later.silent + len(later.workers) - len(alive)


def those_alive(before: Sequence[Report], after: Sequence[Report]) -> list[Report]:
    """Keep those that have reported between two looks."""
    seen = {each.name: each.seen for each in before}
    return [each for each in after if each.seen != seen.get(each.name)]
