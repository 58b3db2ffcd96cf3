"""What is in force of an import is told, whatever reverts and rows come after it."""

from collections.abc import Callable

from domain.commands import PatchItem
from eventlog.envelope import RevertRows
from ledger import reverts
from ledger.imports import Counts
from ledger.reverts import Standing
from runtime.row_ids import row_id
from tests.worker.checks import differences, drain
from tests.worker.importing import Importing, catalogue, patch, put
from tests.worker.poison import POISON, order
from tests.worker.world import NOW, World, envelope

# Of partitions 0, 0, and 1, as of two.
LAMP, POT, JUG = "lamp-1", "pot-1", "jug-1"


def stands(world: World, name: str = "imp") -> Standing:
    with world.engine.connect() as connection:
        return reverts.standing(connection, name)


def brought_in(world: World, *items: str) -> Importing:
    importing = Importing(world)
    importing.feed(*map(put, items))
    importing.received()
    drain(world)
    return importing


def reverted(importing: Importing, world: World, name: str) -> Importing:
    taking = importing.revert(name)
    drain(world)
    return taking


def test_rows_that_came_in_after_a_revert_are_in_force_until_the_next_one(
    two_partitions: World,
) -> None:
    world = two_partitions
    importing = brought_in(world, LAMP, "pot-2", "pot-3")
    assert stands(world) == Standing()
    reverted(importing, world, "rev")
    assert stands(world) == Standing("rev")
    # Where the revert has been, and where it had nothing to do.
    for number, item in enumerate((POT, JUG)):
        importing.feed(put(item))
        drain(world)
        assert stands(world) == Standing("rev", has_more=True)
        second = reverted(importing, world, f"later-{number}")
        assert second.counts().applied == 1
        assert stands(world) == Standing("rev")
    assert catalogue(world) == {}
    assert differences(world) == ()


def test_what_a_second_revert_could_not_take_back_is_not_offered_to_a_third(world: World) -> None:
    importing = brought_in(world, LAMP)
    reverted(importing, world, "rev")
    importing.feed(put(JUG))
    world.append(envelope("c1", PatchItem(JUG, NOW, price=5)))
    drain(world)
    assert stands(world) == Standing("rev", has_more=True)
    assert reverted(importing, world, "second").counts() == Counts(rejected=2)
    assert stands(world) == Standing("rev")


def test_a_repeat_that_brings_nothing_leaves_an_import_reverted(world: World) -> None:
    importing = brought_in(world, LAMP)
    reverted(importing, world, "rev")
    importing.mark("begun")
    importing.received()
    drain(world)
    assert stands(world) == Standing("rev")


def test_a_row_that_is_replayed_after_the_revert_is_in_force(
    world: World, allergic: Callable[[], None]
) -> None:
    importing = Importing(world)
    importing.feed(put(LAMP), put(JUG), patch(JUG, POISON))
    drain(world)
    taking = reverted(importing, world, "rev")
    assert (taking.counts(), stands(world)) == (Counts(applied=1, other=1), Standing("rev"))
    allergic()
    world.append(order("o1", "replay", row_id("imp", 3)))
    drain(world)
    assert taking.counts() == Counts(applied=1, rejected=1)
    assert stands(world) == Standing("rev", has_more=True)
    reverted(importing, world, "second")
    assert (catalogue(world), stands(world)) == ({}, Standing("rev"))


def test_a_revert_that_was_reverted_takes_nothing_back_and_so_on(world: World) -> None:
    one = reverted(brought_in(world, LAMP), world, "r1")
    for n in range(2, 6):
        one = reverted(one, world, f"r{n}")
        is_back = n % 2 == 0
        assert (catalogue(world) == {}) != is_back
        assert stands(world) == (Standing(undone="r1") if is_back else Standing("r1"))
        assert stands(world, f"r{n - 1}") == Standing(f"r{n}")


def test_an_import_is_taken_back_again_and_again_where_only_its_reverts_were(world: World) -> None:
    importing = brought_in(world, LAMP, JUG)
    for n in range(3):
        taking = reverted(importing, world, f"r{n}")
        assert (taking.counts(), catalogue(world)) == (Counts(applied=2), {})
        assert stands(world) == Standing(f"r{n}")
        again = reverted(taking, world, f"back-{n}")
        assert (again.counts(), len(catalogue(world))) == (Counts(applied=2), 2)
        assert stands(world) == Standing(undone=f"r{n}")
    world.append(envelope("c1", PatchItem(LAMP, NOW, price=5)))
    drain(world)
    # Somebody else has come between.
    assert reverted(importing, world, "last").counts() == Counts(applied=1, rejected=1)
    assert catalogue(world) == {LAMP: ("Thing", None, 5, "EUR")}
    assert differences(world) == ()


def test_of_two_reverts_at_once_the_one_is_named_that_took_effect(world: World) -> None:
    importing = brought_in(world, LAMP)
    first = Importing(world, "first")
    first.mark("begun", reverts="imp")
    reverted(importing, world, "second")
    world.append(RevertRows("first first", "first", "imp", "", "anna", None, NOW), partition=0)
    drain(world)
    assert first.counts() == Counts(rejected=1)
    assert stands(world) == Standing("second")


def test_while_a_revert_goes_on_no_rows_are_called_later_than_it(two_partitions: World) -> None:
    world = two_partitions
    importing = brought_in(world, LAMP, JUG)
    importing.revert("rev-1")
    world.drain().partition(0)
    assert stands(world) == Standing("rev-1")
    assert catalogue(world).keys() == {JUG}
    drain(world)
    assert stands(world) == Standing("rev-1")
    assert catalogue(world) == {}
