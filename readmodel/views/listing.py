"""Every view there is: each file of this folder that has a `VIEW`."""

import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import import_module

from sqlalchemy import Connection, func, select

import readmodel.views
from ledger import checkpoints, partitions, projections, tables
from ledger.changes import Changes
from ledger.checkpoints import Taken
from ledger.partitions import Checkpoint
from ledger.projections import SLOTS, name_of
from readmodel.views.view import View
from runtime.times import now_ms

Project = Callable[[Connection, Changes], None]


@cache
def all_views() -> Sequence[View]:
    """Find the views, by name."""
    modules = [
        import_module(f"{readmodel.views.__name__}.{each.name}")
        for each in pkgutil.iter_modules(readmodel.views.__path__)
    ]
    found = [module.VIEW for module in modules if isinstance(getattr(module, "VIEW", None), View)]
    return sorted(found, key=lambda view: view.name)


def all_projections(views: Sequence[View] | None = None) -> Mapping[str, Project]:
    """Name the projections into all slots of these views, or of all."""
    return {
        name_of(view.name, slot): view.into(slot)
        for view in (all_views() if views is None else views)
        for slot in SLOTS
    }


def install(connection: Connection) -> None:
    """Make the tables of views that have none yet, and indexes that later releases brought. Where
    there are events already, a new view is built from them by the workers; it can be asked when it
    has taken them all.
    """
    now = now_ms()
    known = {each.view for each in projections.read_all(connection)}
    count = int(connection.scalar(select(func.count()).select_from(tables.partitions)) or 0)
    # Workers of before may be at work: nothing shall come in between.
    held = partitions.lock_all(connection, range(count)) if missing(connection) else {}
    has_events = any(each.offset for each in held.values())
    for view in all_views():
        for slot in SLOTS:
            for table in view.tables[slot]:
                table.create(connection, checkfirst=True)
                for index in table.indexes:
                    # A later release may have one that this table was made without.
                    index.create(connection, checkfirst=True)
            view.make(connection, slot)
        if view.name not in known:
            projections.add(connection, view.name, None if has_events else 1, now)
            if not has_events:
                held = _in_step(connection, view.name, held)


def missing(connection: Connection) -> list[str]:
    """Name the views that this release has and the database has not."""
    known = {each.view for each in projections.read_all(connection)}
    return [view.name for view in all_views() if view.name not in known]


def _in_step(
    connection: Connection, name: str, held: Mapping[int, Checkpoint]
) -> dict[int, Checkpoint]:
    """Let a new view take part from the beginning of a ledger that has no event: it has taken all
    there is of the log.
    """
    checkpoints.move(connection, [Taken(name, each.position, 0) for each in held.values()])
    joined = {
        partition: replace(each, in_step=each.in_step | {name}) for partition, each in held.items()
    }
    partitions.move(connection, joined.values())
    return joined
