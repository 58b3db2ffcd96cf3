"""A projection's own defect detaches it; writing goes on, and it is caught up afterwards."""

from dataclasses import replace

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import NoResultFound, OperationalError

from domain.commands import CreateItem, PatchItem
from eventlog.envelope import Envelope
from ledger import tables
from ledger.changes import Changes
from ledger.projections import Slot
from readmodel.views import items
from readmodel.views.listing import all_projections
from readmodel.views.view import View
from tests.worker.world import NOW, World, builder, envelope

LAMP = envelope("c1", CreateItem("lamp-1", NOW, "Lamp", None, 100, "EUR"))


def lamp(command_id: str, price: int) -> Envelope:
    return envelope(command_id, PatchItem("lamp-1", NOW, price=price))


class Picky:
    """The items view, with a defect that can be mended."""

    def __init__(self, error: type[BaseException] = ZeroDivisionError) -> None:
        self.broken = True
        self._error = error

    def __call__(self, connection: Connection, slot: Slot, changes: Changes) -> None:
        items.project(connection, slot, changes)
        if self.broken and any(getattr(each.event, "price", 0) == 666 for each in changes.events):
            raise self._error("a defect of the view")


@pytest.fixture
def picky() -> Picky:
    return Picky()


def view(picky: Picky) -> View:
    return replace(items.VIEW, project=picky)


def caught_up(world: World, picky: Picky) -> None:
    builder(world, view(picky)).look()


def test_a_view_that_raises_is_left_behind_and_commands_go_on(world: World, picky: Picky) -> None:
    world.append(LAMP)
    drain = world.drain(all_projections([view(picky)]))
    drain.partition(0)
    world.append(lamp("c2", 666))
    drain.partition(0)
    world.append(lamp("c3", 7))
    drain.partition(0)

    assert len(world.rows(tables.events, "offset")) == 3
    assert world.rows(tables.quarantine, "n") == []
    (checkpoint,) = world.rows(tables.checkpoints, "projection")
    assert checkpoint["offset"] == 1
    assert "ZeroDivisionError: a defect of the view" in checkpoint["error"]
    assert [row["version"] for row in world.rows(items.TABLES[1], "item_id")] == [1]


@pytest.mark.parametrize("error", [SystemExit, NoResultFound, FileNotFoundError])
def test_a_view_is_left_behind_whatever_it_raises(world: World, error: type[BaseException]) -> None:
    """Libraries call `sys.exit` where they are meant to raise, and SQLAlchemy's `one` raises what
    begins as the errors of a database do.
    """
    picky = Picky(error)
    world.append(LAMP, lamp("c2", 666), lamp("c3", 7))
    world.drain(all_projections([view(picky)])).partition(0)
    caught_up(world, picky)

    assert len(world.rows(tables.events, "offset")) == 3
    (checkpoint,) = world.rows(tables.checkpoints, "projection")
    assert f"{error.__name__}: a defect of the view" in checkpoint["error"]


def test_what_was_left_behind_is_caught_up_and_in_step_again(world: World, picky: Picky) -> None:
    world.append(LAMP, lamp("c2", 666), lamp("c3", 7))
    world.append(*(lamp(f"p{number}", number) for number in range(2100)))
    drain = world.drain(all_projections([view(picky)]))
    drain.partition(0)
    assert world.rows(items.TABLES[1], "item_id") == []
    picky.broken = False
    # A look takes a while and no longer, so it depends on the machine how many it takes.
    for _ in range(100):
        caught_up(world, picky)
        if _is_in_step(world):
            break
    world.append(lamp("last", 1))
    drain.partition(0)

    (checkpoint,) = world.rows(tables.checkpoints, "projection")
    assert (checkpoint["offset"], checkpoint["error"]) == (2103 + 1, None)
    assert _is_in_step(world)
    assert [row["version"] for row in world.rows(items.TABLES[1], "item_id")] == [2104]


def _is_in_step(world: World) -> bool:
    return items.NAME in world.rows(tables.partitions, "partition")[0]["in_step"].split(",")


def test_a_view_that_still_raises_stays_behind_and_says_why(world: World, picky: Picky) -> None:
    world.append(LAMP, lamp("c2", 666))
    world.drain(all_projections([view(picky)])).partition(0)
    caught_up(world, picky)

    (checkpoint,) = world.rows(tables.checkpoints, "projection")
    assert checkpoint["offset"] == 0
    assert "ZeroDivisionError" in checkpoint["error"]
    assert world.rows(items.TABLES[1], "item_id") == []


def test_an_outage_does_not_detach_a_view(world: World) -> None:
    def unlucky(connection: Connection, changes: Changes) -> None:
        raise OperationalError("INSERT", {}, Exception("the disk is full"))

    world.append(LAMP)
    with pytest.raises(OperationalError):
        world.drain({items.NAME: unlucky}).partition(0)

    assert world.rows(tables.checkpoints, "projection") == []
    assert items.NAME in world.rows(tables.partitions, "partition")[0]["in_step"].split(",")
