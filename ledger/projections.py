"""The books of the views: which of two slots of tables is read, and what becomes of the other.

A slot is live, or it is built beside the live one to take its place. The projection into a slot has
a name of its own, as far as checkpoints and being in step go.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from sqlalchemy import Connection, insert, select, update

from ledger import checkpoints
from ledger.tables import projections

Slot = Literal[1, 2]
SLOTS: tuple[Slot, Slot] = (1, 2)

# `wanted`: to be begun anew. `building`, `returning` (to what was live before): taking the ledger.
# `verifying`: in step, and compared with what is live. `different`: it was not equal, and waits for
# somebody to decide. `accepted`: it is to be live all the same. `cancelled`, `failed`: left as it
# is.
State = Literal[
    "idle",
    "wanted",
    "building",
    "returning",
    "verifying",
    "different",
    "accepted",
    "cancelled",
    "failed",
]


@dataclass(frozen=True, slots=True)
class ByItem:
    """How far a build is that takes the events of one item after the other: up to this version of
    this item, in the order of their ids, `taken` events in all. It leaves out what its partition
    has got after the offset in `until`.
    """

    until: tuple[int, ...]
    item_id: str = ""
    version: int = 0
    taken: int = 0


@dataclass(frozen=True, slots=True)
class Projection:
    """The row of a view; see the table. `live` is `None` before the view was built once; `by_item`
    is `None` where a build goes on in the order of the ledger.
    """

    view: str
    live: Slot | None
    previous: bool
    state: State
    detail: str | None = None
    throttle: int | None = None
    begun_at: int | None = None
    begun_from: int | None = None
    changed_at: int = 0
    by_item: ByItem | None = None

    @property
    def shadow(self) -> Slot:
        """The slot that is not read."""
        return 2 if self.live == 1 else 1


def name_of(view: str, slot: Slot) -> str:
    """Name the projection into a slot, or a table of it."""
    return view if slot == 1 else f"{view}_2"


def read_all(connection: Connection) -> list[Projection]:
    rows = connection.execute(select(projections).order_by(projections.c.view)).mappings()
    return [_projection(dict(row)) for row in rows]


def read(connection: Connection, view: str) -> Projection | None:
    found = connection.execute(select(projections).where(projections.c.view == view))
    row = found.mappings().one_or_none()
    return None if row is None else _projection(dict(row))


def hold(connection: Connection, view: str) -> Projection | None:
    """Read a view's row and keep others from changing it until the transaction ends."""
    held = select(projections).where(projections.c.view == view).with_for_update()
    row = connection.execute(held).mappings().one_or_none()
    return None if row is None else _projection(dict(row))


def all_live(connection: Connection) -> list[str]:
    """Name the projections into the slots that are read."""
    return [name_of(each.view, each.live) for each in read_all(connection) if each.live]


def add(connection: Connection, view: str, live: Slot | None, now: int) -> None:
    """Begin to keep books of a view: one that is not live is to be built."""
    state: State = "wanted" if live is None else "idle"
    row = {"view": view, "live": live or 0, "previous": 0, "state": state, "changed_at": now}
    connection.execute(insert(projections).values(row))


def taken(connection: Connection, book: Projection) -> int:
    """Count the events that the slot beside the live one has taken, of all partitions: none where
    it is to be emptied, whatever it has.
    """
    if book.state == "wanted":
        return 0
    if book.by_item is not None:
        return book.by_item.taken
    return checkpoints.total(connection, name_of(book.view, book.shadow))


def move_by_item(connection: Connection, view: str, by_item: ByItem | None) -> None:
    """Keep how far a build is, in the transaction that writes its rows."""
    moved = update(projections).where(projections.c.view == view)
    connection.execute(moved.values(by_item=_written(by_item)))


def change(
    connection: Connection, view: str, now: int, among: Sequence[State], **values: Any
) -> bool:
    """Change a view's row where it is in one of these states, and say whether it was."""
    if "live" in values:
        values["live"] = values["live"] or 0
    if "previous" in values:
        values["previous"] = int(values["previous"])
    if "by_item" in values:
        values["by_item"] = _written(values["by_item"])
    changed = connection.execute(
        update(projections)
        .where(projections.c.view == view, projections.c.state.in_(among))
        .values(**values, changed_at=now)
    )
    return changed.rowcount == 1


def _projection(row: dict[str, Any]) -> Projection:
    members: dict[str, Any] = {
        **row,
        "live": row["live"] or None,
        "previous": bool(row["previous"]),
        "by_item": _read(row["by_item"]),
    }
    return Projection(**members)


def _written(by_item: ByItem | None) -> str | None:
    return None if by_item is None else orjson.dumps(by_item).decode()


def _read(text: str | None) -> ByItem | None:
    if text is None:
        return None
    members = orjson.loads(text)
    until = tuple(members["until"])
    return ByItem(until, members["item_id"], members["version"], members["taken"])
