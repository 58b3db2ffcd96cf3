"""A command whose deadline passes before its turn comes changes nothing, and that is told."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from domain.commands import PatchItem, SchedulePrice
from eventlog.envelope import Envelope
from eventlog.notices import read
from ledger import tables
from runtime.times import rfc3339
from tests.worker.checks import alarm, differences, drain, outcomes, prices
from tests.worker.importing import Importing, put
from tests.worker.poison import LAMP, POISON, lamp, order, outcome, states
from tests.worker.world import NOW, World, envelope


def by(deadline: int, each: Envelope) -> Envelope:
    return replace(each, deadline=deadline)


def test_a_command_whose_deadline_has_passed_is_expired(world: World) -> None:
    world.append(LAMP, by(NOW - 1, lamp("late", 90)), lamp("c2", 80))
    drain(world)

    found = outcome(world, "late")
    assert (found["status"], found["http_status"], found["code"]) == ("expired", 409, "expired")
    assert (found["item_id"], found["version"]) == ("lamp-1", 0)
    assert rfc3339(NOW - 1) in found["detail"]
    assert [price for price, _ in prices(world, "lamp-1")] == [80]
    assert differences(world) == ()


@pytest.mark.parametrize("deadline", [NOW, NOW + 1])
def test_a_command_in_its_last_moment_is_applied(world: World, deadline: int) -> None:
    world.append(LAMP, by(deadline, lamp("just", 90)))
    drain(world)

    assert outcome(world, "just")["status"] == "applied"


def test_what_is_refused_in_time_is_refused_and_not_expired(world: World) -> None:
    world.append(by(NOW + 1, lamp("never", 90)))
    drain(world)

    assert outcome(world, "never")["code"] == "item-not-found"


def test_who_waits_is_told_that_it_is_too_late(world: World) -> None:
    heard = world.heard("api-1")
    late = replace(lamp("late", 90), deadline=NOW - 1, reply_to="api-1", fingerprint="f")
    world.append(LAMP, late)
    drain(world)
    message = heard.get_message(timeout=30)

    (notice,) = read(message["data"], "api-1")
    assert (notice.outcome.status, notice.fingerprint) == ("expired", "f")
    assert notice.body is None


def test_an_expired_command_that_comes_again_stays_expired(world: World) -> None:
    world.append(LAMP, by(NOW - 1, lamp("late", 90)))
    drain(world)
    world.redis.flushdb()
    world.clock.now = NOW - 60_000
    world.append(by(NOW - 1, lamp("late", 90)))
    drain(world)

    assert outcome(world, "late")["status"] == "expired"
    assert prices(world, "lamp-1") == []


def test_a_deadline_that_passes_while_a_command_is_parked_counts(
    world: World, allergic: Callable[[], None]
) -> None:
    world.append(LAMP, lamp("bad", POISON), by(NOW + 5, lamp("c2", 80)))
    drain(world)
    assert states(world) == {"bad": "dead", "c2": "parked"}
    world.clock.now = NOW + 6
    world.append(order("o1", "discard", "bad"))
    drain(world)

    assert outcome(world, "c2")["status"] == "expired"
    assert world.rows(tables.quarantine, "n") == []


def test_an_expired_command_does_not_keep_a_price_from_taking_effect(world: World) -> None:
    asked = SchedulePrice("lamp-1", NOW, "s", 70, None, NOW + 1, None, "anna")
    world.append(LAMP, envelope("s", asked))
    drain(world)
    world.clock.now = NOW + 9
    late = envelope("late", PatchItem("lamp-1", NOW + 5, price=5))
    world.append(by(NOW + 8, late))
    alarm(world).look()
    drain(world)

    assert prices(world, "lamp-1") == [(70, NOW + 1)]
    assert differences(world) == ()


def test_a_row_of_an_import_that_expired_counts_as_other(world: World) -> None:
    importing = Importing(world)
    importing.feed(put("lamp-1"))
    importing.send(0, [by(NOW - 1, lamp("imp.000000009", 5))])
    drain(world)

    assert importing.counts().other == 1
    assert outcomes(world)["imp.000000009"]["status"] == "expired"
