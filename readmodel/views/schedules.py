"""The scheduled prices of an item, read from the ledger itself: what was asked for, and what came
of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import orjson
from sqlalchemy import Connection, bindparam, select

from ledger.shapes import stored_types
from ledger.tables import events
from runtime.times import rfc3339

Status = Literal["pending", "active", "done", "cancelled"]

_ASKED = stored_types("ItemPriceScheduled")
_OVER = stored_types("ItemPriceUnscheduled")
_REPRICED = stored_types("ItemRepriced")
_COLUMNS = (
    events.c.version,
    events.c.type,
    events.c.data,
    events.c.actor,
    events.c.reason,
    events.c.recorded_at,
)


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A scheduled price as it stands. Times are milliseconds since 1970; `version` is the item's
    when it was asked for.
    """

    id: str
    item_id: str
    price: int
    currency: str
    effective_from: int
    effective_until: int | None
    status: Status
    version: int
    actor: str
    reason: str | None
    recorded_at: int

    def document(self) -> dict[str, Any]:
        until = self.effective_until
        return {
            "id": self.id,
            "item_id": self.item_id,
            "price": self.price,
            "currency": self.currency,
            "effective_from": rfc3339(self.effective_from),
            "effective_until": None if until is None else rfc3339(until),
            "status": self.status,
            "actor": self.actor,
            "reason": self.reason,
            "recorded_at": rfc3339(self.recorded_at),
        }

    def render(self) -> str:
        """Write it as the JSON document that both services answer with."""
        return orjson.dumps(self.document()).decode()


@dataclass(frozen=True, slots=True)
class SchedulePage:
    """A stretch of the list, newest first; `last` is its oldest version where older follow."""

    scheduled: Sequence[Scheduled]
    last: int | None


_OLDER = (
    select(*_COLUMNS)
    .where(
        events.c.item_id == bindparam("item_id"),
        events.c.type.in_(_ASKED),
        events.c.version < bindparam("before"),
    )
    .order_by(events.c.version.desc())
    .limit(bindparam("limit"))
)
_SINCE = (
    select(*_COLUMNS)
    .where(
        events.c.item_id == bindparam("item_id"),
        events.c.version > bindparam("version"),
        events.c.type.in_([*_REPRICED, *_OVER]),
        events.c.data.like('%"schedule_id":"%'),
    )
    .order_by(events.c.version)
)
_AT = select(*_COLUMNS).where(
    events.c.item_id == bindparam("item_id"), events.c.version == bindparam("version")
)

_NEWEST = 2**63 - 1


def page(connection: Connection, item_id: str, limit: int, before: int | None) -> SchedulePage:
    """Read up to `limit` scheduled prices asked for before a version."""
    newest = _NEWEST if before is None else before
    given = {"item_id": item_id, "before": newest, "limit": limit + 1}
    rows = connection.execute(_OLDER, given).mappings().all()
    asked = [_asked(item_id, row) for row in rows[:limit]]
    if not asked:
        return SchedulePage((), None)
    oldest = asked[-1].version
    return SchedulePage(_as_they_stand(connection, asked), oldest if len(rows) > limit else None)


def find(connection: Connection, item_id: str, schedule_id: str) -> Scheduled | None:
    """Read one scheduled price as it stands."""
    given = {"item_id": item_id, "before": _NEWEST, "limit": _NEWEST}
    for row in connection.execute(_OLDER, given).mappings():
        asked = _asked(item_id, row)
        if asked.id == schedule_id:
            return _as_they_stand(connection, [asked])[0]
    return None


def asked_at(connection: Connection, item_id: str, version: int) -> Scheduled | None:
    """Read the price that was scheduled with this version of the item, as it was then; `None` where
    the version is of something else.
    """
    row = connection.execute(_AT, {"item_id": item_id, "version": version}).mappings().one_or_none()
    return None if row is None or row["type"] not in _ASKED else _asked(item_id, row)


def _asked(item_id: str, row: Mapping[Any, Any]) -> Scheduled:
    data = orjson.loads(row["data"])
    return Scheduled(
        data["schedule_id"],
        item_id,
        data["price"],
        data["currency"],
        data["effective_from"],
        data["effective_until"],
        "pending",
        row["version"],
        row["actor"],
        row["reason"],
        row["recorded_at"],
    )


def _as_they_stand(connection: Connection, asked: Sequence[Scheduled]) -> list[Scheduled]:
    """Let happen to scheduled prices, newest first, what came later."""
    standing = {each.id: each for each in asked}
    since = {"item_id": asked[0].item_id, "version": asked[-1].version}
    for row in connection.execute(_SINCE, since).mappings():
        data = orjson.loads(row["data"])
        each = standing.get(data["schedule_id"])
        if each is not None:
            standing[each.id] = replace(each, status=_next(each, row["type"], data))
    return list(standing.values())


def _next(each: Scheduled, type_name: str, data: Mapping[str, Any]) -> Status:
    if type_name in _OVER:
        return "cancelled" if data["how"] == "cancelled" else "done"
    return "active" if each.status == "pending" and each.effective_until is not None else "done"
