"""What tests of builds ask for, and a view with a defect."""

from dataclasses import replace

from sqlalchemy import Connection

from ledger import rebuilding, tables
from ledger.changes import Changes
from ledger.projections import Slot
from ledger.rebuilding import Wish
from readmodel.views import items
from readmodel.views.view import View
from tests.worker import tally
from tests.worker.world import NOW, World, builder


def wish(world: World, wanted: Wish, throttle: int | None = None, view: str = "tally") -> None:
    rebuilding.wish(world.engine, view, wanted, throttle, NOW)


def build(world: World, *views: View) -> None:
    by_item = world.reader.partitions > 1
    given = [replace(view, by_item=by_item) for view in views or (items.VIEW, tally.VIEW)]
    builder(world, *given).look()


def in_step(world: World) -> list[set[str]]:
    return [set(row["in_step"].split(",")) for row in world.rows(tables.partitions, "partition")]


class Broken:
    """A view with a defect that can be mended."""

    def __init__(self, error: BaseException) -> None:
        self.error: BaseException | None = error

    def __call__(self, connection: Connection, slot: Slot, changes: Changes) -> None:
        tally.project(connection, slot, changes)
        if self.error is not None:
            raise self.error
