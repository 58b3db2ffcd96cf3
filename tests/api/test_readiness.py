"""When the command API accepts, and what it says while it does not."""

import signal
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis import Redis

from eventlog import keys
from runtime.settings import Settings
from runtime.valkey import running_valkey
from tests.api.conftest import Api, Demands, configured, running_api
from tests.api.test_items import LAMP, problem
from tests.eventlog.replication import replicated

KEY = {"Idempotency-Key": "k1"}


def nothing_was_written(redis: "Redis") -> bool:
    return redis.keys("*") == []


def test_a_log_that_is_in_order_is_ready_and_says_how_it_is_kept(api: Api) -> None:
    answer = api.ready()
    document = answer.json()

    assert answer.status_code == 200
    assert (document["status"], document["accepting"], document["reason"]) == ("ready", True, None)
    assert document["checks"]["log"] == "ok"
    told = document["checks"]["durability"]
    assert (told["level"], told["required"], told["lack"]) == ("fsync", "fsync", None)
    assert (told["appendonly"], told["appendfsync"]) == (True, "always")
    assert (told["eviction"], told["replicas"]) == ("noeviction", 0)
    assert 0 < told["used_memory"] < told["maxmemory"]


@pytest.mark.parametrize(
    ("found", "mend"),
    [
        ({"appendonly": "no"}, "CONFIG SET appendonly yes"),
        ({"appendfsync": "everysec"}, "CONFIG SET appendfsync always"),
        ({"no_appendfsync_on_rewrite": "yes"}, "CONFIG SET no-appendfsync-on-rewrite no"),
        ({"maxmemory_policy": "allkeys-lru"}, "CONFIG SET maxmemory-policy noeviction"),
        ({"maxmemory_policy": "volatile-ttl"}, "CONFIG SET maxmemory-policy noeviction"),
    ],
    ids=["no AOF", "everysec", "no fsync on rewrite", "allkeys-lru", "volatile-ttl"],
)
def test_a_log_that_is_not_kept_safely_enough_accepts_nothing_until_it_is(
    settings: Settings, valkey_url: str, redis: "Redis", found: dict[str, str], mend: str
) -> None:
    with configured(redis, **found), running_api(settings, valkey_url) as api:
        not_ready = api.ready()
        refused = api.client.put("/items/a", json=LAMP)
        empty = nothing_was_written(redis)
        for name in found:
            redis.config_set(name.replace("_", "-"), BACK[name])
        api.until_it_accepts()
        accepted = api.client.put("/items/a", json=LAMP)

    problem(not_ready, 503, "not-ready")
    assert mend in not_ready.json()["detail"]
    assert not_ready.json()["reason"] == not_ready.json()["detail"]
    assert not_ready.json()["accepting"] is False
    assert not_ready.json()["checks"]["durability"]["lack"] == not_ready.json()["reason"]
    problem(refused, 503, "not-accepted")
    assert refused.headers["retry-after"] == "30"
    assert refused.json()["detail"] == not_ready.json()["reason"]
    assert empty
    assert accepted.status_code == 202


BACK = {
    "appendonly": "yes",
    "appendfsync": "always",
    "no_appendfsync_on_rewrite": "no",
    "maxmemory_policy": "noeviction",
}


def test_the_minimum_of_the_deployment_decides_what_is_enough(
    settings: Settings, valkey_url: str, redis: "Redis"
) -> None:
    with configured(redis, appendfsync="everysec"):
        with running_api(settings, valkey_url, Demands("everysec", 0, 100)) as api:
            weaker = api.client.put("/items/a", json=LAMP)
        redis.config_set("appendonly", "no")
        with running_api(settings, valkey_url, Demands("none", 0, 100)) as api:
            weakest = api.client.put("/items/b", json=LAMP)
        redis.config_set("appendonly", "yes")

    assert (weaker.status_code, weakest.status_code) == (202, 202)


def test_a_server_that_is_nearly_full_is_spared_before_it_refuses(redis: "Redis", api: Api) -> None:
    api.client.put("/items/a", json=LAMP, headers=KEY)
    used = redis.info("memory")["used_memory"]
    with configured(redis, maxmemory=str(int(used * 1.1))):
        api.until_it_refuses("of its maxmemory")
        refused = api.client.put("/items/b", json=LAMP)
        redis.set("it still", "takes writes")
        again = api.client.put("/items/a", json=LAMP, headers=KEY)
    api.until_it_accepts()

    problem(refused, 503, "not-accepted")
    assert "% of its maxmemory" in refused.json()["detail"]
    assert (again.status_code, again.headers["idempotent-replayed"]) == (202, "true")
    assert api.client.put("/items/b", json=LAMP).status_code == 202


def test_a_backlog_at_its_limit_accepts_nothing_until_the_workers_have_caught_up(
    settings: Settings, valkey_url: str, redis: "Redis"
) -> None:
    with running_api(settings, valkey_url, Demands("fsync", 0, 3)) as api:
        for name in "abc":
            assert api.client.put(f"/items/{name}", json=LAMP).status_code == 202
        api.until_it_refuses("3 commands wait")
        refused = api.client.put("/items/d", json=LAMP)
        epoch, n = redis.hmget(keys.head(0), "epoch", "n")
        redis.set(keys.done(0), b"%b-%b" % (epoch, n))
        api.until_it_accepts()
        accepted = api.client.put("/items/d", json=LAMP)

    problem(refused, 503, "not-accepted")
    assert "ITEMLEDGER_BACKLOG_LIMIT" in refused.json()["detail"]
    assert refused.json()["detail"].endswith("; try again")
    assert refused.headers["retry-after"] == "1"
    assert accepted.status_code == 202


def test_a_command_that_waits_too_long_has_new_ones_refused_until_it_is_applied(
    settings: Settings, valkey_url: str, redis: "Redis"
) -> None:
    with running_api(settings, valkey_url, Demands("fsync", 0, 1000, 0.5)) as api:
        assert api.client.put("/items/a", json=LAMP).status_code == 202
        api.until_it_refuses("a command waits for")
        refused = api.client.put("/items/d", json=LAMP)
        epoch, n = redis.hmget(keys.head(0), "epoch", "n")
        redis.set(keys.done(0), b"%b-%b" % (epoch, n))
        api.until_it_accepts()
        accepted = api.client.put("/items/d", json=LAMP)

    problem(refused, 503, "not-accepted")
    assert "ITEMLEDGER_BACKLOG_AGE" in refused.json()["detail"]
    assert refused.headers["retry-after"] == "1"
    assert accepted.status_code == 202


def test_too_few_replicas_accept_nothing(settings: Settings, valkey_url: str) -> None:
    with running_api(settings, valkey_url, Demands("fsync", 1, 100)) as api:
        refused = api.client.put("/items/a", json=LAMP)
        told = api.ready().json()

    problem(refused, 503, "not-accepted")
    assert "0 replicas" in refused.json()["detail"]
    assert "ITEMLEDGER_WAIT_REPLICAS=0" in told["reason"]
    assert told["checks"]["durability"]["wait_replicas"] == 1


def test_what_a_replica_does_not_have_in_time_is_unknown_and_never_accepted(
    settings: Settings, tmp_path: Path
) -> None:
    with (
        replicated(tmp_path) as (primary, replica),
        running_api(settings, primary.url, Demands("fsync", 1, 100)) as api,
    ):
        replica.pause()
        unknown = api.client.put("/items/a", json=LAMP, headers=KEY)
        replica.go_on()
        api.until_it_accepts()
        again = api.client.put("/items/a", json=LAMP, headers=KEY)

    problem(unknown, 504, "outcome-unknown")
    assert (again.status_code, again.headers["idempotent-replayed"]) == (202, "true")


def test_a_policy_that_is_changed_under_way_is_noticed(
    settings: Settings, valkey_url: str, redis: "Redis"
) -> None:
    with running_api(settings, valkey_url, probe_every=0) as api:
        before = api.ready()
        with configured(redis, appendfsync="everysec"):
            api.until_it_refuses("appendfsync everysec")

    assert before.status_code == 200


def test_a_file_that_is_switched_off_and_on_under_way_is_noticed_until_it_is_whole(
    settings: Settings, valkey_url: str, redis: "Redis"
) -> None:
    hardly_ever = 1e9
    rows = {"commands": [{"op": "put", "id": "a", **LAMP}]}
    with running_api(settings, valkey_url, probe_every=hardly_ever) as api:
        api.until_it_accepts()
        api.client.put("/items/a", json=LAMP)
        with configured(redis, rdb_key_save_delay=str(30_000_000)):
            with configured(redis, appendonly="no"):
                api.until_it_refuses("CONFIG SET appendonly yes")
                off = api.client.post("/items/batch", json=rows)
            api.until_it_refuses("first rewrite")
            refused = api.client.put("/items/b", json=LAMP)
            # What goes on would take half a minute.
            redis.config_set("appendonly", "no")
        redis.config_set("appendonly", "yes")
        api.until_it_accepts()

    problem(off, 503, "not-accepted")
    assert off.headers["retry-after"] == "30"
    assert "try again" not in off.json()["detail"]
    problem(refused, 503, "not-accepted")
    assert refused.headers["retry-after"] == "1"


def test_a_server_that_refuses_to_tell_its_policy_is_not_trusted(
    settings: Settings, valkey_server: Settings, redis: "Redis"
) -> None:
    redis.acl_setuser(
        "plain",
        enabled=True,
        passwords=["+p"],
        keys=["*"],
        channels=["*"],
        commands=["+@all", "-config"],
    )
    url = f"unix://plain:p@{valkey_server.valkey_socket}"
    try:
        with running_api(settings, url) as api:
            refused = api.ready()
            redis.acl_setuser("plain", commands=["+config|get"])
            api.until_it_accepts()
            accepted = api.ready()
    finally:
        redis.acl_deluser("plain")

    assert "+config|get" in refused.json()["reason"]
    assert refused.json()["checks"]["durability"]["appendfsync"] is None
    assert accepted.json()["checks"]["durability"]["appendfsync"] == "always"


def test_nothing_is_accepted_before_the_log_was_looked_at(settings: Settings) -> None:
    with running_api(settings, settings.log_url) as api:
        away, verdict = api.ready(), api.watch.why()
        with running_valkey(settings):
            api.until_it_accepts()
            back = api.client.put("/items/a", json=LAMP)

    problem(away, 503, "not-ready")
    assert "does not answer" in away.json()["reason"]
    assert away.json()["checks"] == {
        "log": "does not answer",
        "durability": "unknown",
        "pump": "unknown",
    }
    assert "not known yet" in (verdict or "")
    assert back.status_code == 202


def test_a_server_that_comes_back_with_less_is_noticed_at_once(settings: Settings) -> None:
    hardly_ever = 1e9
    with (
        ExitStack() as first,
        running_api(settings, settings.log_url, probe_every=hardly_ever) as api,
    ):
        first.enter_context(running_valkey(settings))
        api.until_it_accepts()
        first.close()
        with running_valkey(settings), Redis.from_url(settings.log_url) as redis:
            redis.config_set("appendfsync", "everysec")
            api.until_it_refuses("appendfsync everysec")


def test_a_server_that_does_not_answer_leaves_the_verdict_as_it_was(settings: Settings) -> None:
    with running_valkey(settings) as valkey, running_api(settings, settings.log_url) as api:
        valkey.send_signal(signal.SIGSTOP)
        away = api.ready()
        verdict = api.watch.why()
        valkey.send_signal(signal.SIGCONT)
        api.until_it_accepts()

    assert away.json()["checks"]["log"] == "does not answer"
    assert away.json()["checks"]["durability"]["level"] == "fsync"
    assert verdict is None
