"""Imports are forgotten after their time, with everything that was kept for them."""

import pytest

from ledger import tables
from tests.worker.checks import drain
from tests.worker.importing import Importing, create
from tests.worker.world import World
from worker import housekeeping
from worker.housekeeping import KEEP_OUTCOMES_MS, Housekeeping

OF_IMPORTS = (tables.imports, tables.import_counts, tables.import_items, tables.dry_items)


def left(world: World) -> list[int]:
    return [len(world.rows(each, "import_id")) for each in OF_IMPORTS]


def test_an_import_is_forgotten_with_the_results_of_its_rows_and_not_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "_AT_ONCE", 2)
    for name, dry in (("real", False), ("dry", True)):
        each = Importing(world, name, dry=dry)
        each.mark("begun")
        each.feed(*(create(f"{name}-{number}") for number in range(5)))
        each.mark("received", rows=5)
    drain(world)
    assert left(world) == [2, 2, 5, 5]

    kept: list[list[int]] = []
    world.clock.now += KEEP_OUTCOMES_MS - 1
    Housekeeping(world.engine, world.reader, world.clock).run(lambda: kept.append(left(world)))
    assert left(world) == [2, 2, 5, 0]
    # Others have a turn between the pieces.
    assert kept == [[2, 2, 5, 3], [2, 2, 5, 1]]

    kept.clear()
    world.clock.now += 2
    Housekeeping(world.engine, world.reader, world.clock).run(lambda: kept.append(left(world)))
    assert left(world) == [0, 0, 0, 0]
    assert [2, 2, 3, 0] in kept
    assert len(world.rows(tables.heads, "item_id")) == 5
