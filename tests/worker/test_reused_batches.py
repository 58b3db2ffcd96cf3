"""An atomic batch under the key of another one is rejected, and every row of it is told so."""

from collections.abc import Callable

import pytest

from domain.commands import Command
from eventlog import keys
from eventlog.envelope import Atomic, Envelope
from eventlog.notices import read
from runtime.failpoints import FailedOnPurpose
from runtime.row_ids import row_id
from tests.worker.checks import differences, drain, head, outcomes, prices, statuses
from tests.worker.poison import POISON, states
from tests.worker.test_atomic import JUG, LAMP, create, patch, place
from tests.worker.world import World, envelope


@pytest.fixture
def shop(two_partitions: World) -> World:
    """A lamp and a jug, each in a partition of its own."""
    place(two_partitions, envelope("c1", create(LAMP)), envelope("j1", create(JUG)))
    drain(two_partitions)
    return two_partitions


def keyed(name: str, *rows: tuple[str, Command], reply_to: str | None = None) -> Atomic:
    """A batch whose rows have fingerprints."""
    return Atomic(
        name,
        tuple(
            Envelope(row_id(name, n), command, "anna", fingerprint, reply_to, with_item=False)
            for n, (fingerprint, command) in enumerate(rows)
        ),
    )


FIRST = (("f0", patch(LAMP, 90)), ("f1", patch(JUG, 50)))
OTHERS = {
    "another row and one more": (FIRST[0], ("g1", patch(JUG, 40)), ("g2", create("cup-1"))),
    "one more": (*FIRST, ("g2", create("cup-1"))),
    "one less": FIRST[:1],
    "another row": (FIRST[0], ("g1", patch(JUG, 40))),
}


@pytest.mark.parametrize("rows", OTHERS.values(), ids=OTHERS.keys())
@pytest.mark.parametrize("told_again", [False, True], ids=["told", "told by who came after"])
def test_another_batch_under_the_same_key_is_rejected_row_by_row_in_its_place(
    shop: World, rows: tuple[tuple[str, Command], ...], told_again: bool
) -> None:
    place(shop, keyed("b", *FIRST))
    drain(shop)
    before = outcomes(shop)
    shop.redis.delete(keys.command(0, "b"))
    heard = shop.heard("api-1")
    (appended,) = shop.append(keyed("b", *rows, reply_to="api-1"))
    if told_again:
        _die_before_telling(shop)
    drain(shop)

    after = outcomes(shop)
    names = [f"{row_id('b', n)}@{appended.position.token}" for n in range(len(rows))]
    assert after == before | {name: after[name] for name in names}
    assert {(after[name]["status"], after[name]["http_status"]) for name in names} == {
        ("rejected", 422)
    }
    assert {after[name]["code"] for name in names} == {"idempotency-key-reused"}
    assert [after[name]["fingerprint"] for name in names] == [each for each, _ in rows]
    assert (head(shop, LAMP)["price"], head(shop, JUG)["price"]) == (90, 50)
    notices = read(heard.get_message(timeout=30)["data"], "api-1")
    assert [(each.outcome.command_id, each.fingerprint) for each in notices] == [
        (row_id("b", n), fingerprint) for n, (fingerprint, _) in enumerate(rows)
    ]
    assert {each.reused for each in notices} == {True}
    assert {each.body for each in notices} == {None}
    assert differences(shop) == ()


def _die_before_telling(world: World) -> None:
    def reach(point: str) -> None:
        if point == "tidy.before":
            raise FailedOnPurpose(point)

    with pytest.raises(FailedOnPurpose):
        world.drain(reach=reach).partition(0)


def test_after_another_batch_the_first_one_is_still_the_one_of_the_key(shop: World) -> None:
    place(shop, keyed("b", *FIRST))
    drain(shop)
    shop.redis.delete(keys.command(0, "b"))
    place(shop, keyed("b", *OTHERS["another row"]))
    drain(shop)
    before = outcomes(shop)
    heard = shop.heard("api-1")
    (again,) = shop.append(keyed("b", *FIRST, reply_to="api-1"))
    drain(shop)

    assert not again.known
    assert outcomes(shop) == before
    notices = read(heard.get_message(timeout=30)["data"], "api-1")
    assert [(each.outcome.status, each.reused) for each in notices] == [("applied", False)] * 2


def test_a_batch_that_was_rejected_and_comes_again_is_rejected_once_more_and_not_applied(
    shop: World,
) -> None:
    rows = (FIRST[0], ("f1", patch("never-1", 1)))
    for _ in range(2):
        place(shop, keyed("b", *rows))
        drain(shop)
        shop.redis.delete(keys.command(0, "b"))

    assert statuses(shop).keys() == {"c1", "j1", row_id("b", 0), row_id("b", 1)}
    assert head(shop, LAMP)["price"] == 100


def test_another_batch_under_the_key_of_a_dead_one_is_rejected(
    shop: World, allergic: Callable[[], None]
) -> None:
    dead = (FIRST[0], ("f1", patch(JUG, POISON)))
    place(shop, keyed("b", *dead))
    drain(shop)
    shop.redis.delete(keys.command(0, "b"))
    place(shop, keyed("b", *dead))
    drain(shop)
    assert statuses(shop) == {"c1": "applied", "j1": "applied"}
    shop.redis.delete(keys.command(0, "b"))
    (appended,) = shop.append(keyed("b", *OTHERS["another row"]))
    drain(shop)

    rejected = [f"{row_id('b', n)}@{appended.position.token}" for n in range(2)]
    assert {name: outcomes(shop)[name]["code"] for name in rejected} == dict.fromkeys(
        rejected, "idempotency-key-reused"
    )
    assert states(shop) == {"b": "dead"}
    assert prices(shop, LAMP) == []
    assert differences(shop) == ()
