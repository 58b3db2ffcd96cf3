"""Health of this process and how far the ledger has taken the log."""

from collections.abc import Callable
from typing import Any

import orjson
from flask import Response, request
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from eventlog.inspect import Checkup, LogInspector, LogUnavailable, Report
from ledger import projections as books
from ledger.schema import SchemaOutOfDate, check_schema
from readmodel import figures, params, standings
from readmodel.answers import FRESH_ONLY, answer
from readmodel.problem_codes import NOT_READY
from readmodel.problems import RETRY_AFTER, Trouble, problem
from readmodel.standings import Standings
from runtime.settings import Durability
from runtime.times import rfc3339

_OK = "ok"
_UNKNOWN = "unknown"
_DEGRADED = frozenset({"log", "durability", "workers"})


class StatusRoutes:
    """Answers about the service itself; `snapshots` gives connections that read one snapshot, and
    `clock` milliseconds. The last two say how safely the log is to be kept.
    """

    def __init__(
        self,
        snapshots: Engine,
        inspector: LogInspector,
        standings: Standings,
        clock: Callable[[], int],
        least_durability: Durability,
        wait_replicas: int,
    ) -> None:
        self._snapshots = snapshots
        self._inspector = inspector
        self._standings = standings
        self._clock = clock
        self._least_durability: Durability = least_durability
        self._wait_replicas = wait_replicas

    def live(self) -> Response:
        params.read(request.args, {})
        return answer(b'{"status":"live"}', FRESH_ONLY)

    def ready(self) -> Response:
        """Say whether all is in order; asked `for=reads`, whether this process can answer them."""
        wanted = params.read(request.args, {"for": params.one_of({"reads": "reads"})})
        log, told = self._log()
        states = {**self._database(), **log}
        if "for" not in wanted:
            # Reads go on without it, and only get older.
            states["pump"] = self._pump(states)
        checks = {**states, **told}
        # Reads of items need neither the log, nor that it is safe to write to, nor who works at it.
        spared = {*_DEGRADED, "pump"} if states.get("pump") == _UNKNOWN else _DEGRADED
        failed = [name for name, state in states.items() if state != _OK and name not in spared]
        if failed:
            detail = f"not in order: {', '.join(failed)}; checks says more"
            raise Trouble(
                problem(NOT_READY, detail, extra={"checks": checks}), {**FRESH_ONLY, **RETRY_AFTER}
            )
        document: dict[str, Any] = {"status": "ready", "checks": checks}
        degraded = [name for name, state in states.items() if state != _OK]
        if degraded:
            document["degraded"] = degraded
        return answer(orjson.dumps(document), FRESH_ONLY)

    def status(self) -> Response:
        params.read(request.args, {})
        return answer(orjson.dumps(self.document()), FRESH_ONLY)

    def document(self) -> dict[str, Any]:
        """Tell how far everything is. Raises what the log and the database raise."""
        heads = self._inspector.heads()
        now = self._clock()
        checkup = self._inspector.checkup(now)
        with self._snapshots.connect() as connection:
            ledger = figures.taken(connection)
            views = books.read_all(connection)
            projections = figures.projections(connection, views, now)
            document = {
                "projections": [each.document() for each in projections],
                "builds": figures.builds(connection, views, now),
                **figures.quarantined(connection),
                "gaps": figures.gaps(connection),
                "totals": {
                    # Offsets are gapless from 1, so their sum is the number of events.
                    "events": sum(each.events for each in ledger.values()),
                    "outcomes": sum(each.outcomes for each in ledger.values()),
                },
            }
        standing = self._standings.compare(heads, ledger)
        return {
            "partitions": [each.document() for each in standing],
            "pump": standings.pump(standing) or _OK,
            "workers": [_worker(each) for each in checkup.workers],
            "durability": self._durability(checkup),
            **document,
        }

    def _database(self) -> dict[str, str]:
        try:
            check_schema(self._snapshots)
        except SchemaOutOfDate as error:
            return {"database": _OK, "schema": str(error)}
        except SQLAlchemyError:
            return {"database": "does not answer", "schema": _UNKNOWN}
        return {"database": _OK, "schema": _OK}

    def _log(self) -> tuple[dict[str, str], dict[str, Any]]:
        """Tell of everything on the log's Redis whether it is in order, and what more there is."""
        try:
            checkup = self._inspector.checkup(self._clock())
        except LogUnavailable:
            return {"log": "does not answer", "durability": _UNKNOWN, "workers": _UNKNOWN}, {}
        durability = self._durability(checkup)
        if durability is None:
            states = {"durability": _UNKNOWN}
        else:
            states = {"durability": durability["lack"] or _OK}
        told = {} if durability is None else {"durability": durability}
        return {"log": _OK, **states, "workers": _at_work(checkup)}, told

    def _pump(self, states: dict[str, str]) -> str:
        """Tell whether what waits gets any further, where both stores are there to ask."""
        if not states["log"] == states["schema"] == _OK:
            return _UNKNOWN
        try:
            heads = self._inspector.heads()
            with self._snapshots.connect() as connection:
                ledger = figures.taken(connection)
            return standings.pump(self._standings.compare(heads, ledger)) or _OK
        except (LogUnavailable, SQLAlchemyError):
            return _UNKNOWN

    def _durability(self, checkup: Checkup) -> dict[str, Any] | None:
        if checkup.durability is None:
            return None
        document = checkup.durability.document(self._least_durability, self._wait_replicas)
        return {**document, "short_of_memory": checkup.short_of_memory}


def _at_work(checkup: Checkup) -> str:
    if not checkup.workers:
        return "not heard of (Redis is full)" if checkup.full else "none is running"
    paused = [each for each in checkup.workers if each.state != "working"]
    # One that works keeps everything going: each takes every partition.
    if len(paused) < len(checkup.workers):
        return _OK
    return f"paused: {paused[0].why}"


def _worker(report: Report) -> dict[str, Any]:
    return {
        "name": report.name,
        "state": report.state,
        "why": report.why,
        "since": rfc3339(report.since),
        "seen": rfc3339(report.seen),
    }
