"""Readiness is red when commands wait and nothing moves, and for nothing less."""

from typing import Any, NoReturn

import pytest
from werkzeug.test import TestResponse

from eventlog import keys
from eventlog.inspect import LogInspector, LogUnavailable
from tests.readmodel.operated import AT, EPOCH, Operated


def look(operated: Operated, after: float, asked: str = "") -> TestResponse:
    """Ask when so many seconds more have passed."""
    operated.monotonic.now += after
    return operated.client.get(f"/health/ready{asked}")


def test_commands_that_wait_while_nothing_moves_are_red_and_green_again_once_one_is_taken(
    ledger: Any, operated: Operated
) -> None:
    operated.put(1, 2)
    ledger.take(1)
    first, second, third = (look(operated, seconds) for seconds in (0, 9.9, 2))
    ledger.take(2)
    moved = look(operated, 1)

    assert [each.status_code for each in (first, second, third, moved)] == [200, 200, 503, 200]
    assert third.json["code"] == "not-ready"
    assert third.json["detail"].startswith("not in order: pump;")
    assert third.json["checks"]["pump"] == (
        "commands wait in partition 0 and nothing has moved there for 12 s: see to the workers"
    )
    assert third.headers["Retry-After"] == "1"
    assert third.json["checks"]["database"] == "ok"
    assert moved.json["checks"]["pump"] == "ok"


def test_who_asks_for_reads_alone_is_not_told_of_the_pump(ledger: Any, operated: Operated) -> None:
    operated.worker("worker-1", "working")
    operated.put(1)
    ledger.take(0)
    look(operated, 0)
    red, reads = look(operated, 60), look(operated, 0, "?for=reads")

    assert (red.status_code, reads.status_code) == (503, 200)
    assert "pump" not in reads.json["checks"]
    assert "degraded" not in reads.json


def test_what_readiness_may_be_asked_for_is_told(operated: Operated) -> None:
    answer = look(operated, 0, "?for=fun")
    assert (answer.status_code, answer.json["code"]) == (400, "bad-parameter")
    assert answer.json["errors"][0]["parameter"] == "for"


def test_a_command_after_a_long_rest_is_no_standstill(ledger: Any, operated: Operated) -> None:
    operated.put(1)
    ledger.take(1)
    assert look(operated, 0).status_code == 200
    assert look(operated, 3600).status_code == 200
    operated.put(2)
    assert look(operated, 3600).status_code == 200
    assert look(operated, 9).status_code == 200


def test_a_partition_that_moves_slowly_is_green_however_much_waits(
    ledger: Any, operated: Operated
) -> None:
    operated.put(*range(1, 6), head=1_000_000, at=AT - 3_600_000)
    for n in range(5):
        ledger.take(n)
        assert look(operated, 9.9).status_code == 200


def test_a_large_command_of_which_something_came_meanwhile_is_green(
    ledger: Any, operated: Operated
) -> None:
    operated.put(1)
    for offset in range(3):
        ledger.take(0, offset=offset)
        assert look(operated, 11).status_code == 200


def test_no_clock_of_another_machine_makes_it_red_or_green(ledger: Any, operated: Operated) -> None:
    ledger.take(0)
    operated.put(1, at=AT - 86_400_000)
    yesterday = look(operated, 0)
    operated.redis.flushall()
    operated.put(1, epoch=EPOCH + 1, at=AT + 86_400_000)
    look(operated, 0)
    tomorrow = look(operated, 11)

    assert (yesterday.status_code, tomorrow.status_code) == (200, 503)


def test_commands_that_were_set_aside_wait_for_no_worker(ledger: Any, operated: Operated) -> None:
    operated.put(1, 2, 3)
    ledger.take(3, quarantined=3)
    look(operated, 0)
    assert look(operated, 3600).status_code == 200


def test_what_a_lost_log_had_is_waited_for_no_longer(ledger: Any, operated: Operated) -> None:
    ledger.take(1)
    operated.put(1, 2)
    look(operated, 0)
    # It came back without the second, which the end of its epoch still counts.
    operated.redis.flushall()
    operated.redis.hset(keys.epochs(0), mapping={EPOCH: 2})
    operated.put(head=0, epoch=EPOCH + 1)
    lost = look(operated, 11)
    # One of the same number in the new epoch is another one.
    operated.put(2, epoch=EPOCH + 1)
    other = look(operated, 5)
    stuck = look(operated, 10)

    assert operated.client.get("/status").json["partitions"][0]["lag"] > 0
    assert [each.status_code for each in (lost, other, stuck)] == [200, 200, 503]


def test_a_command_of_the_same_number_in_another_epoch_is_another_one(
    ledger: Any, operated: Operated
) -> None:
    ledger.take(1)
    operated.put(1, 2)
    look(operated, 0)
    operated.redis.flushall()
    operated.redis.hset(keys.epochs(0), mapping={EPOCH: 1})
    operated.put(1, 2, epoch=EPOCH + 1)
    operated.redis.xdel(keys.log(0), f"{EPOCH + 1}-1")

    assert look(operated, 11).status_code == 200
    assert look(operated, 11).status_code == 503


def test_one_partition_that_stands_still_is_enough(ledger: Any, operated: Operated) -> None:
    operated.put(1)
    ledger.take(1)
    operated.redis.xadd(keys.log(1), {"c": "{}"}, id=f"{EPOCH}-1")
    operated.redis.hset(keys.head(1), mapping={"run_id": "x", "epoch": EPOCH, "n": 1})
    look(operated, 0)
    one = look(operated, 10)
    operated.put(2)
    look(operated, 0)
    both = look(operated, 10)

    assert "in partition 1 and nothing has moved there for 10 s" in one.json["checks"]["pump"]
    assert "in 2 partitions and nothing has moved there for 20 s" in both.json["checks"]["pump"]


def test_every_look_counts_whatever_page_it_was_for(ledger: Any, operated: Operated) -> None:
    operated.put(1)
    ledger.take(0)
    operated.client.get("/metrics")
    operated.monotonic.now += 11
    assert operated.client.get("/health/ready").status_code == 503


def test_while_the_log_is_away_nobody_knows_and_then_it_goes_by_what_was_seen_before(
    ledger: Any, operated: Operated, monkeypatch: pytest.MonkeyPatch
) -> None:
    operated.put(1)
    ledger.take(0)
    look(operated, 0)
    with monkeypatch.context() as away:
        away.setattr("eventlog.inspect.LogInspector._look", gone)
        unknown = look(operated, 6)
    back = look(operated, 6)

    assert (unknown.status_code, unknown.json["checks"]["pump"]) == (200, "unknown")
    assert unknown.json["degraded"] == ["log", "durability", "workers", "pump"]
    assert back.status_code == 503


def gone(_: LogInspector) -> NoReturn:
    raise LogUnavailable
