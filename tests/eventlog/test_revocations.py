"""The mirror of what has been revoked."""

import threading

import pytest
from redis import Redis

from eventlog import keys
from eventlog.revocations import Mirror, mirrored
from runtime.auth.denied import Denied
from runtime.auth.revoked import Revocations, Revoked
from tests.waiting import until


def truth_of(*states: Revocations):  # noqa: ANN201  a source
    """Tell these states one after another, the last one for ever."""
    left = list(states)

    def source(known: str | None) -> Revocations | None:
        now = left.pop(0) if len(left) > 1 else left[0]
        return None if now.version == known else now

    return source


EMPTY = Revocations("none", frozenset())
ONE = Revocations("1-one", frozenset({"a"}))
TWO = Revocations("2-two", frozenset({"a", "b"}))


def test_what_is_published_is_read(valkey_url: str) -> None:
    source = mirrored(valkey_url)
    with Redis.from_url(valkey_url) as redis:
        assert source(None) is None
        Mirror(redis).publish(truth_of(EMPTY))
        assert source(None) == EMPTY
        Mirror(redis).publish(truth_of(TWO))
        assert source("none") == TWO
        assert source(TWO.version) is None


def test_who_was_overtaken_does_not_bring_back_what_was(
    valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker reads the truth, then an operator revokes and publishes, then the worker does."""
    with Redis.from_url(valkey_url) as redis:
        mirror = Mirror(redis)
        mirror.publish(truth_of(EMPTY))
        reads: list[str | None] = []

        def slow(known: str | None) -> Revocations | None:
            reads.append(known)
            if len(reads) == 1:
                Mirror(redis).publish(truth_of(TWO))
                return ONE
            return None if known == TWO.version else TWO

        mirror.publish(slow)
        assert mirrored(valkey_url)(None) == TWO
        assert reads == ["none", TWO.version]


def test_a_process_keeps_what_it_heard_through_a_loss(valkey_url: str) -> None:
    revoked, source = Revoked(), mirrored(valkey_url)
    with Redis.from_url(valkey_url) as redis:
        with pytest.raises(Denied):
            revoked.has("a")
        Mirror(redis).publish(truth_of(ONE))
        revoked.look(source)
        redis.flushall()
        revoked.look(source)
        assert revoked.has("a")
        assert not revoked.has("b")
        Mirror(redis).publish(truth_of(TWO))
        revoked.look(source)
        assert revoked.has("b")


def test_what_is_revoked_stays_so_where_the_mirror_is_set_back(valkey_url: str) -> None:
    revoked, source = Revoked(), mirrored(valkey_url)
    with Redis.from_url(valkey_url) as redis:
        for state, heard in (
            (TWO, "ab"),
            (ONE, "ab"),
            (EMPTY, "ab"),
            # Of a database that was set back, too: it counts over the same numbers again.
            (Revocations("2-other", frozenset({"c"})), "abc"),
            (Revocations("10-later", frozenset({"c"})), "c"),
            (TWO, "abc"),
        ):
            redis.flushall()
            Mirror(redis).publish(truth_of(state))
            revoked.look(source)
            assert [each for each in "abc" if revoked.has(each)] == list(heard)


def test_a_process_follows_and_is_not_disturbed_by_a_redis_that_is_away(valkey_url: str) -> None:
    revoked, stopping, there = Revoked(), threading.Event(), mirrored(valkey_url)
    away, asked = threading.Event(), threading.Event()

    def source(known: str | None) -> Revocations | None:
        if away.is_set():
            asked.set()
            raise OSError("nobody there")
        return there(known)

    follower = threading.Thread(target=revoked.follow, args=(source, stopping))
    follower.start()
    with Redis.from_url(valkey_url) as redis:
        Mirror(redis).publish(truth_of(ONE))
        until(lambda: revoked.is_known, 30, "it has heard")
        away.set()
        until(asked.is_set, 30, "nobody answers")
        assert revoked.has("a")
        Mirror(redis).publish(truth_of(TWO))
        away.clear()
        until(lambda: revoked.has("b"), 30, "it has heard again")
    stopping.set()
    follower.join()


def test_the_mirror_is_one_key(valkey_url: str) -> None:
    with Redis.from_url(valkey_url) as redis:
        Mirror(redis).publish(truth_of(ONE))
        assert redis.keys("*") == [keys.REVOKED.encode()]
