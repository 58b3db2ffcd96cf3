"""An idempotency key that comes again with another payload is told of in its own place."""

from dataclasses import replace

import pytest

from eventlog import keys
from eventlog.append import Appended
from eventlog.envelope import Envelope
from eventlog.notices import read
from tests.worker.checks import differences, drain, outcomes, prices, statuses
from tests.worker.poison import LAMP, lamp, outcome
from tests.worker.world import World


def sent(price: int, fingerprint: str) -> Envelope:
    return replace(lamp("key", price), fingerprint=fingerprint)


@pytest.fixture
def forgetful(world: World) -> World:
    """A log that has forgotten a command which was applied."""
    world.append(LAMP, sent(90, "first"))
    drain(world)
    world.redis.delete(keys.command(0, "key"))
    return world


def again(world: World, price: int, fingerprint: str) -> Appended:
    (appended,) = world.append(sent(price, fingerprint))
    drain(world)
    return appended


def test_another_payload_is_not_taken_and_has_an_outcome_of_its_own(forgetful: World) -> None:
    appended = again(forgetful, 5, "second")
    found = outcome(forgetful, f"key@{appended.position.token}")

    assert (found["status"], found["http_status"]) == ("rejected", 422)
    assert found["code"] == "idempotency-key-reused"
    assert (found["item_id"], found["version"]) == ("lamp-1", 0)
    assert found["fingerprint"] == "second"
    assert (found["epoch"], found["n"]) == (appended.position.epoch, appended.position.n)
    assert [price for price, _ in prices(forgetful, "lamp-1")] == [90]
    assert differences(forgetful) == ()


def test_the_first_outcome_stays_as_it_is(forgetful: World) -> None:
    before = outcome(forgetful, "key")
    again(forgetful, 5, "second")

    assert outcome(forgetful, "key") == before


def test_the_same_payload_again_has_no_outcome_but_the_first(forgetful: World) -> None:
    again(forgetful, 90, "first")

    assert statuses(forgetful) == {"c1": "applied", "key": "applied"}


def test_every_other_payload_is_told_of_in_its_place(forgetful: World) -> None:
    tokens: list[str] = []
    for fingerprint in ("second", "third"):
        tokens.append(again(forgetful, 5, fingerprint).position.token)
        forgetful.redis.delete(keys.command(0, "key"))

    assert [outcome(forgetful, f"key@{each}")["fingerprint"] for each in tokens] == [
        "second",
        "third",
    ]


def test_two_payloads_that_wait_in_the_log_at_the_same_time_are_told_apart(world: World) -> None:
    world.append(LAMP, sent(90, "first"))
    world.redis.delete(keys.command(0, "key"))
    appended = again(world, 5, "second")

    assert outcome(world, "key")["fingerprint"] == "first"
    assert outcome(world, f"key@{appended.position.token}")["code"] == "idempotency-key-reused"
    assert [price for price, _ in prices(world, "lamp-1")] == [90]
    (last,) = world.append(sent(90, "first"))
    assert (last.known, last.fingerprint) == (True, "first")


def test_who_waits_for_the_other_payload_is_told_that_the_key_is_reused(forgetful: World) -> None:
    heard = forgetful.heard("api-1")
    forgetful.append(replace(sent(5, "second"), reply_to="api-1"))
    drain(forgetful)
    message = heard.get_message(timeout=30)

    (notice,) = read(message["data"], "api-1")
    assert notice.reused
    assert notice.body is None


def test_the_log_remembers_the_first_payload_afterwards(forgetful: World) -> None:
    again(forgetful, 5, "second")
    (last,) = forgetful.append(sent(90, "first"))

    assert (last.known, last.fingerprint) == (True, "first")
    assert outcomes(forgetful)["key"]["fingerprint"] == "first"
