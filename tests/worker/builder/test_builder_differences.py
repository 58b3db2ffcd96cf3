"""What was built is not what is live, and somebody decides; or goes back to what was."""

from sqlalchemy import text

from domain.commands import ReplaceItem
from readmodel.views import items
from tests.worker import tally
from tests.worker.builder.building import build, in_step, wish
from tests.worker.histories import History, book
from tests.worker.world import NOW, World, envelope


def test_a_difference_is_told_and_waits_for_somebody_to_decide(ledger: World) -> None:
    tally.install(ledger, live=1)
    history = History(ledger)
    history.add(50)
    with ledger.engine.begin() as connection:
        connection.execute(text("UPDATE tally SET events = events + 1 WHERE item_id = 'lamp-3'"))
    wish(ledger, "rebuild")
    build(ledger)

    now = book(ledger)
    assert (now.live, now.state) == (1, "different")
    damaged = next(row for row in tally.told(ledger, 1) if row[0] == "lamp-3")
    assert f'["lamp-3",{damaged[1]},{damaged[2]}] live, ["lamp-3",{damaged[1] - 1},' in str(
        now.detail
    )
    history.add(20)
    build(ledger)
    assert book(ledger).live == 1
    assert tally.told(ledger, 2) == tally.right(ledger)


def test_a_row_that_is_not_there_is_a_difference(ledger: World) -> None:
    tally.install(ledger, live=1)
    History(ledger).add(50)
    with ledger.engine.begin() as connection:
        connection.execute(text("DELETE FROM tally WHERE item_id = 'lamp-3'"))
    wish(ledger, "rebuild")
    build(ledger)

    count = len(tally.right(ledger))
    told = f"tally has {count - 1} rows live and {count} as built; the first difference: "
    assert str(book(ledger).detail).startswith(told)


def test_what_differs_is_live_when_it_is_accepted(ledger: World) -> None:
    tally.install(ledger, live=1)
    history = History(ledger)
    history.add(50)
    with ledger.engine.begin() as connection:
        connection.execute(text("UPDATE tally SET events = 0"))
    wish(ledger, "rebuild")
    build(ledger)
    wish(ledger, "accept")
    build(ledger)
    history.add(20)

    assert (book(ledger).live, book(ledger).state) == (2, "idle")
    assert tally.told(ledger, 2) == tally.right(ledger)


def test_what_was_accepted_and_met_a_defect_is_caught_up_and_then_live(world: World) -> None:
    tally.install(world, live=1)
    history = History(world)
    history.add(50)
    with world.engine.begin() as connection:
        connection.execute(text("UPDATE tally SET events = 0"))
    wish(world, "rebuild")
    build(world)
    world.append(envelope("old", ReplaceItem("lamp-3", NOW, "Lamp", None, 5, None, "EUR")))
    # A worker that knows only one slot leaves the other one behind.
    world.drain({"items": items.VIEW.into(1), "tally": tally.VIEW.into(1)}).partition(0)
    wish(world, "accept")
    build(world)

    assert (book(world).live, book(world).state) == (2, "idle")
    assert tally.told(world, 2) == tally.right(world)


def test_what_differs_and_is_cancelled_leaves_everything_as_it_is(ledger: World) -> None:
    tally.install(ledger, live=1)
    history = History(ledger)
    history.add(50)
    with ledger.engine.begin() as connection:
        connection.execute(text("UPDATE tally SET events = 0"))
    wish(ledger, "rebuild")
    build(ledger)
    wish(ledger, "cancel")
    history.add(10)
    build(ledger)

    assert (book(ledger).live, book(ledger).state) == (1, "cancelled")
    assert all("tally_2" not in each for each in in_step(ledger))


def test_going_back_catches_up_what_has_happened_since(ledger: World) -> None:
    tally.install(ledger, live=1)
    history = History(ledger)
    history.add(50)
    wish(ledger, "rebuild")
    build(ledger)
    history.add(50)
    wish(ledger, "roll back")
    build(ledger)
    history.add(10)

    assert (book(ledger).live, book(ledger).state, book(ledger).previous) == (1, "idle", True)
    assert tally.told(ledger, 1) == tally.right(ledger)
