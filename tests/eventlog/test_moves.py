"""What workers tell of the ledger arrives whole, or whoever listens knows that it may not."""

import itertools
from threading import Event
from typing import Any

import pytest
from redis import Redis

from eventlog import keys, moves
from eventlog.moves import Beat, Heard, Move, Unheard, Where, hearing
from runtime.positions import Point
from tests.waiting import until

HERE = Where(3, Point(1_700_000_000_000, 7, 9, "a1"), frozenset({"items", "items_2"}))
MOVE = Move(Point(1_700_000_000_000, 6, 8, "a0"), HERE, ("lamp", "c.u~p"), gap=True)
BEAT = Beat("w", (HERE, Where(4, Point(0, 0, 0, "genesis"), frozenset())))
_SECONDS = 10.0


@pytest.fixture
def redis(valkey_url: str) -> Any:
    with Redis.from_url(valkey_url) as client:
        yield client


def listens(redis: Any) -> None:
    channel = keys.moves(redis.connection_pool.connection_kwargs.get("db") or 0)
    until(lambda: redis.pubsub_numsub(channel)[0][1] == 1, _SECONDS, "somebody to listen")


def test_what_is_published_is_heard(redis: Any, valkey_url: str) -> None:
    with hearing(valkey_url, Event()) as heard:
        listens(redis)
        moves.publish(redis, [MOVE, BEAT])
        moves.publish(redis, [])
        moves.publish(redis, [BEAT])
        assert list(itertools.islice(heard, 3)) == [MOVE, BEAT, BEAT]


def test_what_is_published_in_a_pipeline_is_heard(redis: Any, valkey_url: str) -> None:
    with hearing(valkey_url, Event()) as heard:
        listens(redis)
        with redis.pipeline(transaction=False) as pipeline:
            moves.publish(pipeline, [MOVE])
            pipeline.execute()
        assert next(heard) == MOVE


def test_another_database_of_the_same_server_is_another_log(redis: Any, valkey_url: str) -> None:
    with Redis.from_url(valkey_url, db=5) as other, hearing(valkey_url, Event()) as heard:
        listens(redis)
        moves.publish(other, [MOVE])
        moves.publish(redis, [BEAT])
        assert next(heard) == BEAT


def test_a_connection_that_ends_is_not_taken_up_again_unnoticed(
    redis: Any, valkey_url: str
) -> None:
    def hear() -> Heard:
        with hearing(valkey_url, Event()) as heard:
            listens(redis)
            redis.client_kill_filter(_type="pubsub")
            moves.publish(redis, [MOVE])
            return next(heard)

    with pytest.raises(Unheard):
        hear()


def test_a_server_that_is_away_is_not_heard() -> None:
    with pytest.raises(Unheard), hearing("redis://127.0.0.1:1/0", Event()) as heard:
        next(heard)


@pytest.mark.parametrize("message", [b"", b"7", b"[7]", b'[["beat"]]', b'[["move", 1, 2, 3]]'])
def test_what_is_not_understood_is_as_good_as_missed(message: bytes) -> None:
    with pytest.raises(Unheard):
        moves.read(message)
