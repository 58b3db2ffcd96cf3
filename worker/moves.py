"""Where the ledger is, as query processes are told that keep items in memory."""

from collections.abc import Iterable

from redis import Redis

from eventlog import moves
from eventlog.moves import Beat, Where
from ledger.partitions import Checkpoint
from ledger.projections import SLOTS, name_of
from readmodel.views import items
from runtime.positions import Point

_ITEMS = frozenset(name_of(items.NAME, slot) for slot in SLOTS)


def point_of(checkpoint: Checkpoint) -> Point:
    position = checkpoint.position
    return Point(position.epoch, position.n, checkpoint.offset, checkpoint.hash)


def where(checkpoint: Checkpoint) -> Where:
    return Where(checkpoint.position.partition, point_of(checkpoint), checkpoint.in_step & _ITEMS)


def beat(redis: "Redis", worker: str, ledger: Iterable[Checkpoint]) -> None:
    """Tell where the ledger is in every partition, as this worker has just read.

    Raises what redis-py raises.
    """
    moves.publish(redis, [Beat(worker, tuple(where(each) for each in ledger))])
