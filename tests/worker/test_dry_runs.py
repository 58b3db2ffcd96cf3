"""A dry run tells what an import would come to, and changes nothing."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from domain.commands import (
    AtVersion,
    Command,
    CreateItem,
    DeleteItem,
    PatchItem,
    ReplaceItem,
    SchedulePrice,
)
from ledger import imports, tables
from ledger.imports import Counts
from readmodel.views import items
from runtime.row_ids import row_id
from tests.worker.checks import alarm, differences, drain, outcomes
from tests.worker.importing import Importing, catalogue, create, delete, patch, put
from tests.worker.poison import POISON
from tests.worker.world import NOW, World, envelope, lay_out

LAMP, JUG = "lamp-1", "jug-1"


def everything(world: World) -> list[list[dict[str, Any]]]:
    return [
        world.rows(tables.events, "partition", "offset"),
        world.rows(tables.heads, "item_id"),
        world.rows(items.TABLES[1], "item_id"),
        world.rows(tables.import_items, "item_id"),
        world.rows(tables.quarantine, "command_id"),
    ]


def test_a_dry_run_changes_nothing_and_tells_what_would_become_of_every_row(world: World) -> None:
    world.append(envelope("c1", create(LAMP)))
    drain(world)
    before = everything(world)
    dry = Importing(world, dry=True)
    dry.mark("begun")
    dry.feed(put(LAMP, 90), put(LAMP, 90), create(JUG), create(JUG), "no row", delete("never-1"))
    drain(world)

    assert everything(world) == before
    assert list(dry.statuses().values()) == [
        "applied",
        "unchanged",
        "applied",
        "rejected",
        "rejected",
        "rejected",
    ]
    assert dry.counts() == Counts(applied=2, unchanged=1, rejected=3)
    assert outcomes(world)[row_id("imp", 1)]["version"] == 0
    assert differences(world) == ()


def test_a_row_sees_what_rows_of_earlier_entries_would_have_done(world: World) -> None:
    dry = Importing(world, dry=True)
    dry.feed(create(LAMP))
    drain(world)
    dry.feed(create(LAMP), delete(LAMP))
    drain(world)
    dry.feed(patch(LAMP, 5))
    drain(world)

    assert dry.statuses() == {1: "applied", 2: "rejected", 3: "applied", 4: "rejected"}
    assert catalogue(world) == {}


def test_two_dry_runs_do_not_see_each_other(world: World) -> None:
    first, second = Importing(world, "one", dry=True), Importing(world, "two", dry=True)
    first.feed(create(LAMP))
    second.feed(create(LAMP))
    drain(world)

    assert first.statuses() == second.statuses() == {1: "applied"}


def test_a_dry_run_that_stops_takes_no_row_after_the_first_that_is_rejected(world: World) -> None:
    dry = Importing(world, dry=True, stop=True)
    dry.feed(create(LAMP), create(LAMP), create(JUG))
    drain(world)

    assert dry.statuses() == {1: "applied", 2: "rejected", 3: "skipped"}


def test_a_row_that_would_hit_a_defect_is_told_and_sets_nothing_aside(
    world: World, allergic: object
) -> None:
    dry = Importing(world, dry=True)
    dry.feed(create(LAMP), patch(LAMP, POISON), patch(LAMP, 5))
    drain(world)

    assert dry.statuses() == {1: "applied", 2: "dead", 3: "applied"}
    assert "ZeroDivisionError" in outcomes(world)[row_id("imp", 2)]["detail"]
    assert world.rows(tables.quarantine, "command_id") == []
    assert dry.counts() == Counts(applied=2, other=1)


def test_a_dry_run_is_forgotten_after_its_time(world: World) -> None:
    dry = Importing(world, dry=True)
    dry.mark("begun")
    dry.feed(create(LAMP))
    drain(world)
    with world.engine.begin() as connection:
        assert not imports.forget_dry(connection, NOW, 1)
        assert imports.forget_dry(connection, NOW + 1, 1)
        assert not imports.forget_dry(connection, NOW + 1, 1)

    assert world.rows(tables.dry_items, "item_id") == []


def test_a_price_that_is_due_is_due_in_a_dry_run_as_well(world: World) -> None:
    asked = SchedulePrice(LAMP, NOW, "s", 70, None, NOW + 1, None, "anna")
    world.append(envelope("c1", create(LAMP)), envelope("s", asked))
    drain(world)
    world.clock.now = NOW + 5
    rows = [
        PatchItem(LAMP, NOW + 5, price=70),
        PatchItem(LAMP, NOW + 5, name="Lamp", expected=AtVersion(frozenset([3]))),
    ]
    dry, real = Importing(world, "dry", dry=True), Importing(world, "real")
    dry.feed(*rows)
    drain(world)
    assert world.rows(tables.heads, "item_id")[0]["price"] == 100
    real.feed(*rows)
    drain(world)

    assert dry.statuses() == real.statuses() == {1: "unchanged", 2: "applied"}
    assert alarm(world).look() == 0


ids = st.sampled_from(["a", "b", "c"])
moments = st.none() | st.integers(NOW - 3, NOW)
expected = st.sampled_from([AtVersion(frozenset([n])) for n in (1, 2, 3)])
rows: st.SearchStrategy[Command | str] = st.one_of(
    st.just("no row"),
    st.builds(
        CreateItem,
        ids,
        st.just(NOW),
        st.just("Thing"),
        st.none(),
        st.integers(0, 2),
        st.just("EUR"),
    ),
    st.builds(
        ReplaceItem,
        ids,
        st.just(NOW),
        st.sampled_from(["Thing", "Other"]),
        st.none(),
        st.integers(0, 2),
        st.none(),
        st.just("EUR"),
        effective_at=moments,
    ),
    st.builds(PatchItem, ids, st.just(NOW), price=st.integers(0, 2), expected=expected),
    st.builds(PatchItem, ids, st.just(NOW), price=st.integers(0, 2), effective_at=moments),
    st.builds(DeleteItem, ids, st.just(NOW), effective_at=moments),
)


@pytest.fixture
def sqlite_world(sqlite_url: str, valkey_url: str) -> Iterator[World]:
    with World.of(sqlite_url, valkey_url, 1) as made:
        with made.engine.connect() as connection:
            # Only the machine's own crash could tell the difference.
            connection.connection.execute("PRAGMA synchronous=OFF")  # type: ignore[attr-defined]
        yield made


@given(
    st.lists(rows, max_size=4),
    st.lists(st.lists(rows, min_size=1, max_size=5), min_size=1, max_size=3),
    st.booleans(),
)
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_dry_run_says_of_every_row_what_the_real_one_comes_to(
    sqlite_world: World,
    before: list[Command | str],
    entries: list[list[Command | str]],
    stop: bool,
) -> None:
    world = sqlite_world
    _empty(world)
    Importing(world, "before").feed(*before)
    drain(world)
    found: list[list[tuple[Any, ...]]] = []
    for name, dry in (("dry", True), ("real", False)):
        importing = Importing(world, name, dry=dry, stop=stop)
        for entry in entries:
            importing.feed(*entry)
            drain(world)
        told = outcomes(world)
        found.append(
            [
                tuple(told[row_id(name, n)][member] for member in ("status", "http_status", "code"))
                for n in range(1, importing.rows + 1)
            ]
        )

    assert found[0] == found[1]
    assert differences(world) == ()


def _empty(world: World) -> None:
    """Begin anew, on the same stores."""
    world.redis.flushall()
    with world.engine.begin() as connection:
        triggers = connection.execute(
            text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        ).all()
        for name, _ in triggers:
            connection.execute(text(f"DROP TRIGGER {name}"))
        for table in tables.metadata.sorted_tables:
            if table is not tables.facts:
                connection.execute(table.delete())
        for _, statement in triggers:
            connection.execute(text(statement))
        connection.execute(tables.facts.delete())

    lay_out(world.engine, world.redis, 1)
