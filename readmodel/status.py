"""Health of this process and how far the ledger has taken the log."""

from typing import Any

import orjson
from flask import Response, request
from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from eventlog.inspect import LogHead, LogInspector, LogUnavailable
from ledger import tables
from ledger.migrate import SchemaOutOfDate, check_schema
from readmodel import params
from readmodel.answers import FRESH_ONLY, answer
from readmodel.problem_codes import NOT_READY
from readmodel.problems import RETRY_AFTER, Trouble, problem

_OK = "ok"


class StatusRoutes:
    """Answers about the service itself; `snapshots` gives connections that read one snapshot."""

    def __init__(self, snapshots: Engine, inspector: LogInspector) -> None:
        self._snapshots = snapshots
        self._inspector = inspector

    def live(self) -> Response:
        params.read(request.args, {})
        return answer(b'{"status":"live"}', FRESH_ONLY)

    def ready(self) -> Response:
        params.read(request.args, {})
        checks = {**self._database(), "log": self._log()}
        failed = [name for name, state in checks.items() if state != _OK]
        if failed:
            detail = f"not in order: {', '.join(failed)}; checks says more"
            raise Trouble(
                problem(NOT_READY, detail, extra={"checks": checks}), {**FRESH_ONLY, **RETRY_AFTER}
            )
        return answer(orjson.dumps({"status": "ready", "checks": checks}), FRESH_ONLY)

    def status(self) -> Response:
        params.read(request.args, {})
        # The log first: the ledger only ever moves on, so a lag is never told too large by a race.
        heads = self._inspector.heads()
        with self._snapshots.connect() as connection:
            ledger = {row.partition: row for row in connection.execute(select(tables.partitions))}
            projections = _projections(connection)
            totals = _totals(connection)
        partitions = [_partition(head, ledger.get(head.partition)) for head in heads]
        return answer(
            orjson.dumps({"partitions": partitions, "projections": projections, "totals": totals}),
            FRESH_ONLY,
        )

    def _database(self) -> dict[str, str]:
        try:
            check_schema(self._snapshots)
        except SchemaOutOfDate as error:
            return {"database": _OK, "schema": str(error)}
        except SQLAlchemyError:
            return {"database": "does not answer", "schema": "unknown"}
        return {"database": _OK, "schema": _OK}

    def _log(self) -> str:
        try:
            self._inspector.ping()
        except LogUnavailable:
            return "does not answer"
        return _OK


def _partition(head: LogHead, taken: Any) -> dict[str, int]:
    """Compare the log's head with the ledger's checkpoint, both in the newer one's epoch."""
    epoch = head.epoch if taken is None else max(head.epoch, taken.epoch)
    last = head.n if head.epoch == epoch else 0
    checkpoint = taken.n if taken is not None and taken.epoch == epoch else 0
    return {
        "partition": head.partition,
        "epoch": epoch,
        "head": last,
        "checkpoint": checkpoint,
        "lag": max(0, last - checkpoint),
    }


def _projections(connection: Connection) -> list[dict[str, Any]]:
    """List how far each projection has taken each partition of the ledger."""
    taken, ledger = tables.checkpoints, tables.partitions
    statement = (
        select(taken.c.projection, taken.c.partition, taken.c.offset, ledger.c.offset)
        .join(ledger, ledger.c.partition == taken.c.partition)
        .order_by(taken.c.projection, taken.c.partition)
    )
    return [
        {"projection": name, "partition": partition, "offset": offset, "lag": last - offset}
        for name, partition, offset, last in connection.execute(statement)
    ]


def _totals(connection: Connection) -> dict[str, int]:
    # Offsets are gapless from 1, so their sum is the number of events.
    events = connection.execute(select(func.sum(tables.partitions.c.offset))).scalar_one()
    outcomes = connection.execute(select(func.count()).select_from(tables.outcomes)).scalar_one()
    return {"events": int(events or 0), "outcomes": outcomes}
