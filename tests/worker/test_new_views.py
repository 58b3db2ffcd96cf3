"""A release brings a view to a ledger that is there: nothing that happened is missing in it."""

import threading
from dataclasses import replace

import pytest
from sqlalchemy import text

from domain.commands import DeleteItem
from ledger import partitions, tables
from readmodel.views import listing
from readmodel.views.listing import all_projections, all_views, install
from tests.waiting import until
from tests.worker import tally
from tests.worker.builder.building import Broken
from tests.worker.histories import History, book
from tests.worker.world import NOW, World, builder, envelope

VIEWS = [*all_views(), tally.VIEW]


def migrate(world: World) -> None:
    """Bring the tables of a release that has one view more."""
    with pytest.MonkeyPatch.context() as patch, world.engine.begin() as connection:
        patch.setattr(listing, "all_views", lambda: VIEWS)
        install(connection)


def checkpoint(world: World) -> tuple[int, int, int] | None:
    rows = world.rows(tables.checkpoints, "projection")
    (mine,) = [each for each in rows if each["projection"] == "tally"] or [None]
    return None if mine is None else (mine["epoch"], mine["n"], mine["offset"])


def test_on_a_ledger_without_events_it_is_live_and_has_taken_what_there_is(world: World) -> None:
    world.append(envelope("c1", DeleteItem("nobody", NOW)))
    world.drain().partition(0)
    migrate(world)

    position = world.checkpoint()
    assert position.n == 1
    assert checkpoint(world) == (position.epoch, 1, 0)
    assert (book(world).live, book(world).state) == (1, "idle")
    History(world).add(20)
    assert tally.told(world, 1) == tally.right(world)


def test_on_a_ledger_with_events_it_is_built_before_it_is_read(world: World) -> None:
    History(world).add(20)
    migrate(world)
    migrate(world)

    assert checkpoint(world) is None
    assert (book(world).live, book(world).state) == (None, "wanted")
    builder(world, tally.VIEW).look()
    assert book(world).live == 1
    assert tally.told(world, 1) == tally.right(world)


def test_a_first_build_that_failed_is_tried_once_by_each_process(world: World) -> None:
    """The next one may be of a release in which that is mended."""
    History(world).add(20)
    migrate(world)
    broken = Broken(ZeroDivisionError("a defect of the view"))
    first = builder(world, replace(tally.VIEW, project=broken))
    first.look()
    assert (book(world).live, book(world).state) == (None, "failed")
    broken.error = None
    first.look()
    assert book(world).state == "failed"

    builder(world, tally.VIEW).look()
    assert (book(world).live, book(world).state) == (1, "idle")
    assert tally.told(world, 1) == tally.right(world)


def test_the_first_events_are_not_missed_where_a_worker_writes_them_meanwhile(
    postgresql_url: str, valkey_url: str
) -> None:
    with World.of(postgresql_url, valkey_url, partitions=1) as world:
        history = History(world, projections=[])
        with world.engine.begin() as connection:
            (held,) = partitions.lock_all(connection, [0]).values()
            upgrading = threading.Thread(target=migrate, args=(world,))
            upgrading.start()
            until(lambda: _waits(world), 30, "the migration to wait for the worker")
            assert held.offset == 0
        upgrading.join()
        history.add(20)
        builder(world, tally.VIEW).look()

        assert tally.told(world, 1) == tally.right(world)


def _waits(world: World) -> bool:
    # Other tests wait for locks in databases of their own.
    asked = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with world.reads.connect() as connection:
        return bool(connection.scalar(text(asked)))


def test_every_view_has_a_projection_into_each_slot() -> None:
    names = set(all_projections())
    assert names == {f"{view.name}{slot}" for view in all_views() for slot in ("", "_2")}
