"""Telling the query processes that the ledger has moved on, and where it is. Hints only, never the
truth: each says what it follows, so that whoever missed one finds out with the next.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event
from time import monotonic
from typing import Any

import orjson
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError

from eventlog import keys
from eventlog.clients import hearing_client
from runtime.positions import Point

# Seconds without a word, when every worker beats each second, after which a connection is opened
# anew: it may be dead without anybody having said so.
_SILENCE = 5.0
_LOOK = 0.5


class Unheard(Exception):
    """What is told does not reach this process at the moment."""


@dataclass(frozen=True, slots=True)
class Where:
    """Where the ledger is in a partition, and which projections take its events along. It may have
    moved on since.
    """

    partition: int
    point: Point
    in_step: frozenset[str]


@dataclass(frozen=True, slots=True)
class Move:
    """One transaction has moved a partition from `before`, and changed these items. `gap` says that
    it passed over positions of the log which are lost.
    """

    before: Point
    after: Where
    items: tuple[str, ...]
    gap: bool = False


@dataclass(frozen=True, slots=True)
class Beat:
    """A worker lives, and has looked up every partition since its last beat."""

    worker: str
    partitions: tuple[Where, ...]


Heard = Move | Beat


def publish(redis: "Pipeline | Redis", told: Iterable[Heard]) -> None:
    """Tell all query processes of this log."""
    documents = [_document(each) for each in told]
    if documents:
        redis.publish(_channel(redis), orjson.dumps(documents))


@contextmanager
def hearing(url: str, stopping: Event) -> Generator[Iterator[Heard]]:
    """Listen from now on until the process is to stop. The iterator raises Unheard where it may
    have missed something.
    """
    client = hearing_client(url)
    try:
        with client.pubsub(ignore_subscribe_messages=False) as pubsub:
            pubsub.subscribe(_channel(client))
            yield _heard(pubsub, stopping)
    except (RedisError, OSError) as error:
        raise Unheard(str(error)) from error
    finally:
        with suppress(RedisError, OSError):
            client.close()


def _heard(pubsub: Any, stopping: Event) -> Iterator[Heard]:
    last, subscribed = monotonic(), False
    while not stopping.is_set():
        message: Any = pubsub.get_message(timeout=_LOOK)
        if message is None:
            if monotonic() - last > _SILENCE:
                raise Unheard("nothing was heard")
            continue
        last = monotonic()
        if message["type"] == "subscribe":
            if subscribed:
                raise Unheard("the connection was made anew")
            subscribed = True
        elif message["type"] == "message":
            yield from read(message["data"])


def read(message: bytes) -> list[Heard]:
    """Read what `publish` has written. Raises Unheard where it is of another kind."""
    try:
        return [_read(each) for each in orjson.loads(message)]
    except (ValueError, LookupError, TypeError) as error:
        raise Unheard(f"a message can not be read: {error}") from error


def _read(document: list[Any]) -> Heard:
    kind, *told = document
    if kind == "beat":
        return Beat(told[0], tuple(_where(each) for each in told[1]))
    before, after, items, gap = told
    return Move(Point(*before), _where(after), tuple(items), gap)


def _where(document: list[Any]) -> Where:
    partition, point, in_step = document
    return Where(partition, Point(*point), frozenset(in_step))


def _document(told: Heard) -> list[Any]:
    match told:
        case Beat():
            return ["beat", told.worker, [_written(each) for each in told.partitions]]
        case Move():
            return ["move", _point(told.before), _written(told.after), told.items, told.gap]


def _written(where: Where) -> list[Any]:
    return [where.partition, _point(where.point), sorted(where.in_step)]


def _point(point: Point) -> list[Any]:
    return [point.epoch, point.n, point.offset, point.hash]


def _channel(redis: Any) -> str:
    # Channels are of the whole server, whichever of its databases a client has chosen.
    return keys.moves(redis.connection_pool.connection_kwargs.get("db") or 0)
