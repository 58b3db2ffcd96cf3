"""Readiness is red when commands wait and nothing moves; they are accepted all the same."""

import pytest
from redis import Redis

from eventlog import keys
from runtime.settings import Settings
from tests.api.conftest import Api, configured, running_api
from tests.api.test_items import LAMP, problem
from tests.api.test_metrics import figures
from tests.waiting import until


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.standstill.DEAD_AFTER", 0.5)


def stands(api: Api) -> bool:
    return not api.ready().is_success


def apply(redis: "Redis") -> None:
    """Say of all that waits that it is applied, as a worker does."""
    epoch, n = redis.hmget(keys.head(0), "epoch", "n")
    redis.set(keys.done(0), b"%b-%b" % (epoch, n))


def test_commands_that_wait_while_none_is_applied_are_red_until_one_is(
    api: Api, redis: "Redis"
) -> None:
    assert api.ready().json()["checks"]["pump"] == "ok"
    api.client.put("/items/a", json=LAMP)
    until(lambda: stands(api), 30, "the pump is called dead")
    red = api.ready()
    accepted = api.client.put("/items/b", json=LAMP)
    apply(redis)
    until(lambda: not stands(api), 30, "it is called alive again")

    problem(red, 503, "not-ready")
    assert red.headers["retry-after"] == "1"
    document = red.json()
    assert document["accepting"] is True
    assert document["reason"] == document["detail"] == document["checks"]["pump"]
    assert document["reason"].startswith(
        "commands wait in partition 0 and nothing has moved there for "
    )
    assert accepted.status_code == 202


def test_who_asks_for_writes_alone_is_told_whether_they_are_accepted(
    settings: Settings, valkey_url: str, redis: "Redis"
) -> None:
    with running_api(settings, valkey_url, probe_every=0) as api:
        api.client.put("/items/a", json=LAMP)
        until(lambda: stands(api), 30, "the pump is called dead")
        writes = api.client.get("/health/ready?for=writes")
        with configured(redis, appendfsync="everysec"):
            api.until_it_refuses("appendfsync everysec")
            refused = api.client.get("/health/ready?for=writes")

    assert (writes.status_code, writes.json()["status"]) == (200, "ready")
    assert "pump" not in writes.json()["checks"]
    assert (refused.status_code, refused.json()["accepting"]) == (503, False)


def test_what_readiness_may_be_asked_for_is_told(api: Api) -> None:
    problem(api.client.get("/health/ready?for=reads"), 400, "bad-parameter")
    problem(api.client.get("/health/ready?for=writes&for=writes"), 400, "bad-parameter")


def test_every_one_that_is_applied_begins_the_time_anew(api: Api, redis: "Redis") -> None:
    for name in "abcdef":
        api.client.put(f"/items/{name}", json=LAMP)
    until(lambda: figures(api).value("itemledger_backlog_seconds") > 0, 30, "they wait")
    epoch, _ = redis.hmget(keys.head(0), "epoch", "n")
    for n in range(1, 4):
        redis.set(keys.done(0), b"%b-%d" % (epoch, n))
        until(
            lambda left=6 - n: figures(api).value("itemledger_backlog_commands") == left,
            30,
            "it is seen",
        )
        found = figures(api)
        still = found.value("itemledger_standstill_seconds", partition="0")
        assert still < found.value("itemledger_backlog_seconds")


def test_what_a_lost_log_had_is_waited_for_no_longer(api: Api, redis: "Redis") -> None:
    api.client.put("/items/a", json=LAMP)
    until(lambda: stands(api), 30, "the pump is called dead")
    redis.flushall()
    until(lambda: not stands(api), 30, "nothing waits any more")
