"""Health of this process and how far the ledger has taken the log."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from flask import Response, request
from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from eventlog.inspect import Checkup, LogHead, LogInspector, LogUnavailable, Report
from ledger import tables
from ledger.migrate import SchemaOutOfDate, check_schema
from readmodel import figures, params
from readmodel.answers import FRESH_ONLY, answer
from readmodel.problem_codes import NOT_READY
from readmodel.problems import RETRY_AFTER, Trouble, problem
from runtime.positions import Position
from runtime.settings import Durability
from runtime.times import rfc3339

_OK = "ok"
_DEGRADED = frozenset({"log", "durability", "workers"})


class StatusRoutes:
    """Answers about the service itself; `snapshots` gives connections that read one snapshot, and
    `clock` milliseconds. The last two say how safely the log is to be kept.
    """

    def __init__(
        self,
        snapshots: Engine,
        inspector: LogInspector,
        clock: Callable[[], int],
        least_durability: Durability,
        wait_replicas: int,
    ) -> None:
        self._snapshots = snapshots
        self._inspector = inspector
        self._clock = clock
        self._least_durability: Durability = least_durability
        self._wait_replicas = wait_replicas

    def live(self) -> Response:
        params.read(request.args, {})
        return answer(b'{"status":"live"}', FRESH_ONLY)

    def ready(self) -> Response:
        params.read(request.args, {})
        states, told = self._log()
        states = {**self._database(), **states}
        checks = {**states, **told}
        # Reads of items need neither the log, nor that it is safe to write to, nor who works at it.
        failed = [name for name, state in states.items() if state != _OK and name not in _DEGRADED]
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
        # The log first: the ledger only ever moves on, so a lag is never told too large by a race.
        heads = self._inspector.heads()
        checkup = self._inspector.checkup(self._clock())
        with self._snapshots.connect() as connection:
            ledger = {row.partition: row for row in connection.execute(select(tables.partitions))}
            document = {
                "projections": figures.projections(connection),
                **figures.quarantined(connection),
                "gaps": figures.gaps(connection),
                "totals": figures.totals(connection),
            }
        taken = {each: Position(each, row.epoch, row.n) for each, row in ledger.items()}
        lags = self._inspector.lags(heads, taken)
        partitions = [
            _partition(head, taken.get(head.partition), lags[head.partition]) for head in heads
        ]
        self._add_seconds(partitions, taken)
        return answer(
            orjson.dumps(
                {
                    "partitions": partitions,
                    "workers": [_worker(each) for each in checkup.workers],
                    "durability": self._durability(checkup),
                    **document,
                }
            ),
            FRESH_ONLY,
        )

    def _add_seconds(self, partitions: list[dict[str, Any]], taken: Mapping[int, Position]) -> None:
        """Say how old the oldest waiting command is; `None` where that is not known."""
        behind = [each["partition"] for each in partitions if each["lag"]]
        since = self._inspector.waiting_since(
            taken.get(each, Position(each, 0, 0)) for each in behind
        )
        now = self._clock()
        for each in partitions:
            received = since.get(each["partition"])
            seconds = None if received is None else max(0, now - received) / 1000
            each["lag_seconds"] = seconds if each["lag"] else 0.0

    def _database(self) -> dict[str, str]:
        try:
            check_schema(self._snapshots)
        except SchemaOutOfDate as error:
            return {"database": _OK, "schema": str(error)}
        except SQLAlchemyError:
            return {"database": "does not answer", "schema": "unknown"}
        return {"database": _OK, "schema": _OK}

    def _log(self) -> tuple[dict[str, str], dict[str, Any]]:
        """Tell of everything on the log's Redis whether it is in order, and what more there is."""
        try:
            checkup = self._inspector.checkup(self._clock())
        except LogUnavailable:
            return {"log": "does not answer", "durability": "unknown", "workers": "unknown"}, {}
        durability = self._durability(checkup)
        if durability is None:
            states = {"durability": "unknown"}
        else:
            states = {"durability": durability["lack"] or _OK}
        told = {} if durability is None else {"durability": durability}
        return {"log": _OK, **states, "workers": _at_work(checkup)}, told

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


def _partition(head: LogHead, taken: Position | None, lag: int) -> dict[str, Any]:
    """Show the log's head and the ledger's checkpoint, both in the newer one's epoch; `lag` counts
    what waits in older ones too.
    """
    epoch = head.epoch if taken is None else max(head.epoch, taken.epoch)
    last = head.n if head.epoch == epoch else 0
    checkpoint = taken.n if taken is not None and taken.epoch == epoch else 0
    return {
        "partition": head.partition,
        "epoch": epoch,
        "head": last,
        "checkpoint": checkpoint,
        "lag": lag,
    }
