"""What is said of a Redis that keeps the log, in whatever state it is."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError

from eventlog import durability
from eventlog.durability import LogDurability
from runtime.settings import Durability
from tests.durable import SAFE
from tests.waiting import until

REFUSED = replace(
    SAFE, appendfsync=None, skips_fsync_on_rewrite=None, untold="no permission to run config|get"
)


def probe(redis: "Redis") -> LogDurability:
    with redis.pipeline(transaction=False) as pipeline:
        durability.ask(pipeline)
        return durability.read(pipeline.execute(raise_on_error=False))


@contextmanager
def configured(redis: "Redis", name: str, value: str) -> Generator[None]:
    before = redis.config_get(name)[name]
    redis.config_set(name, value)
    try:
        yield
    finally:
        redis.config_set(name, before)


@pytest.mark.parametrize(
    ("name", "value", "level"),
    [
        ("appendfsync", "always", "fsync"),
        ("appendfsync", "everysec", "everysec"),
        ("appendfsync", "no", "none"),
        ("appendonly", "no", "none"),
        ("no-appendfsync-on-rewrite", "yes", "none"),
    ],
)
def test_the_level_of_a_server_is_that_of_its_configuration(
    redis: "Redis", name: str, value: str, level: Durability
) -> None:
    with configured(redis, name, value):
        assert probe(redis).level == level


def test_the_facts_are_read_from_the_server(redis: "Redis") -> None:
    with (
        configured(redis, "maxmemory-policy", "allkeys-lru"),
        configured(redis, "maxmemory", "1gb"),
    ):
        facts = probe(redis)

    assert (facts.eviction, facts.replicas, facts.last_write_ok) == ("allkeys-lru", 0, True)
    assert 0 < facts.used_memory < facts.maxmemory == 1 << 30


def test_memory_and_persistence_are_read_anew_without_the_rest(redis: "Redis") -> None:
    facts = replace(probe(redis), unsettled=False)
    with configured(redis, "maxmemory", "123456789"), configured(redis, "appendonly", "no"):
        later = durability.renewed(facts, redis.info("memory"), redis.info("persistence"))

    assert later == replace(
        facts,
        maxmemory=123456789,
        used_memory=later.used_memory,
        eviction="noeviction",
        appendonly=False,
    )


def test_a_file_that_was_switched_on_does_not_count_before_its_first_rewrite_has_ended(
    redis: "Redis",
) -> None:
    until(lambda: not probe(redis).unsettled, 30, "no rewrite goes on")
    redis.set("a", "b")
    always_on = probe(redis)
    with configured(redis, "rdb-key-save-delay", str(30_000_000)):
        redis.bgrewriteaof()
        harmless = durability.following(probe(redis), always_on)
        with configured(redis, "appendonly", "no"):
            off = durability.following(probe(redis), harmless)
        filling = durability.following(probe(redis), off)
        still_filling = durability.following(probe(redis), filling)
        # What goes on would take half a minute.
        redis.config_set("appendonly", "no")
    redis.config_set("appendonly", "yes")
    until(lambda: not probe(redis).unsettled, 30, "the rewrite ends")
    filled = durability.following(probe(redis), still_filling)

    assert (harmless.unsettled, harmless.level) == (True, "fsync")
    assert (off.level, filling.level, still_filling.level) == ("none", "none", "none")
    assert filling.appendonly
    assert "first rewrite" in (still_filling.lack("everysec", 0) or "")
    assert still_filling.lack("none", 0) is None
    assert (filled.level, filled.lack("fsync", 0)) == ("fsync", None)


def test_a_first_rewrite_that_failed_leaves_the_file_incomplete() -> None:
    off = replace(SAFE, appendonly=False)
    failed = durability.following(replace(SAFE, unsettled=True), off)

    assert failed.level == "none"
    assert durability.following(replace(SAFE, unsettled=True), SAFE).level == "fsync"
    assert durability.following(replace(SAFE, unsettled=True), None).level == "fsync"


def test_what_passes_by_itself_is_told_from_what_has_to_be_mended() -> None:
    assert replace(SAFE, appendonly=False).lasts("everysec")
    assert not replace(SAFE, appendonly=False).lasts("none")
    assert not replace(SAFE, incomplete=True).lasts("fsync")
    assert not SAFE.lasts("fsync")


@pytest.mark.parametrize(
    ("facts", "least", "words"),
    [
        (SAFE, "fsync", None),
        (replace(SAFE, appendfsync="everysec"), "everysec", None),
        (replace(SAFE, appendfsync="everysec"), "fsync", "CONFIG SET appendfsync always"),
        (replace(SAFE, appendfsync="everysec"), "fsync", "ITEMLEDGER_MIN_DURABILITY=everysec"),
        (replace(SAFE, appendfsync="no"), "everysec", "CONFIG SET appendfsync everysec"),
        (replace(SAFE, appendfsync="no"), "none", None),
        (replace(SAFE, appendonly=False), "everysec", "CONFIG SET appendonly yes"),
        (replace(SAFE, appendonly=False), "none", None),
        (
            replace(SAFE, skips_fsync_on_rewrite=True),
            "everysec",
            "CONFIG SET no-appendfsync-on-rewrite no",
        ),
        (replace(SAFE, eviction="allkeys-lru"), "everysec", "maxmemory-policy noeviction"),
        (replace(SAFE, eviction="volatile-lru"), "everysec", "maxmemory-policy noeviction"),
        (replace(SAFE, eviction="allkeys-lru", maxmemory=0), "fsync", None),
        (replace(SAFE, eviction="allkeys-lru"), "none", None),
        (replace(SAFE, last_write_ok=False), "everysec", "see to its disk"),
        (replace(SAFE, last_write_ok=False), "none", None),
        (REFUSED, "everysec", "no permission to run config|get"),
        (REFUSED, "everysec", "+config|get"),
        (REFUSED, "none", None),
    ],
)
def test_what_a_server_lacks_is_said_in_a_sentence_that_mends_it(
    facts: LogDurability, least: Durability, words: str | None
) -> None:
    lack = facts.lack(least, wait_replicas=0)

    if words is None:
        assert lack is None
    else:
        assert words in (lack or "")


@pytest.mark.parametrize("least", ["none", "fsync"])
def test_replicas_that_are_waited_for_have_to_be_there(least: Durability) -> None:
    lack = replace(SAFE, replicas=1).lack(least, 2)

    assert lack is not None
    assert "1 replicas" in lack
    assert "ITEMLEDGER_WAIT_REPLICAS=1" in lack
    assert replace(SAFE, replicas=2).lack(least, 2) is None


def test_only_replicas_that_keep_up_are_counted(redis: "Redis") -> None:
    with redis.pipeline(transaction=False) as pipeline:
        durability.ask(pipeline)
        answers = pipeline.execute()
    answers[2] = {
        "connected_slaves": 3,
        "slave0": {"ip": "10.0.0.1", "state": "online", "lag": 1},
        "slave1": {"ip": "10.0.0.2", "state": "wait_bgsave", "lag": 0},
        "slave2": {"ip": "10.0.0.3", "state": "online", "lag": 60},
    }

    assert durability.read(answers).replicas == 1


def test_a_server_that_does_not_tell_how_it_is_is_not_read(redis: "Redis") -> None:
    refusal = NoPermissionError("no permission to run info")
    with pytest.raises(NoPermissionError):
        durability.read([refusal] * 5)


def test_what_is_told_beside_what_is_asked_for(redis: "Redis") -> None:
    document = probe(redis).document("fsync", 0)

    assert (document["level"], document["required"], document["lack"]) == ("fsync", "fsync", None)
