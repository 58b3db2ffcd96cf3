"""How many outcomes there were is counted where they are made, so that nobody has to look."""

import pytest

from ledger import outcomes, tables
from tests.worker.checks import differences, drain
from tests.worker.importing import Importing, create
from tests.worker.test_atomic import JUG, LAMP, batch, patch, place
from tests.worker.test_atomic import create as made
from tests.worker.world import World, envelope


def counted(world: World) -> int:
    return sum(row["outcomes"] for row in world.rows(tables.partitions, "partition"))


def test_every_outcome_is_counted_once_of_whatever_it_came(two_partitions: World) -> None:
    world = two_partitions
    place(world, envelope("c1", made(LAMP)), envelope("j1", made(JUG)), envelope("c2", made(LAMP)))
    place(world, batch("b1", patch(LAMP, 1), patch(JUG, 2)), batch("b2", patch("nobody", 3)))
    for name, dry in (("real", False), ("dry", True)):
        rows = Importing(world, name, dry=dry)
        rows.mark("begun")
        rows.feed(*(create(f"{name}-{number}") for number in range(5)), "no row")
        rows.mark("received", rows=6)
    drain(world)
    # Nothing comes of them: they are known.
    place(world, envelope("c1", made(LAMP)))
    drain(world)

    kept = world.rows(tables.outcomes, "command_id")
    assert len(kept) > 15
    assert counted(world) == len(kept)
    assert differences(world) == ()


def test_a_batch_that_fails_counts_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.append(envelope("c1", made(LAMP)))
    with monkeypatch.context() as patched:
        patched.setattr("ledger.partitions.move", _fails)
        with pytest.raises(RuntimeError):
            world.drain().partition(0)
    drain(world)

    assert counted(world) == 1


def test_what_is_forgotten_has_been_all_the_same(world: World) -> None:
    world.append(envelope("c1", made(LAMP)))
    drain(world)
    with world.engine.begin() as connection:
        assert outcomes.forget(connection, world.clock() + 1, 10) == 1

    assert counted(world) == 1


def _fails(*_: object) -> None:
    raise RuntimeError
