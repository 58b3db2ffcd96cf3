"""An operator's orders about dead commands: put on the log, so that they keep their place in it."""

from redis import Redis

from eventlog.append import Appended
from eventlog.appender import Appender, EntryRefused
from eventlog.envelope import Order
from eventlog.ring import Ring
from runtime.positions import Position


class OrderRefused(Exception):
    """The log did not take the order; `str()` says why."""


def place(redis: "Redis", doorbell: "Redis", partition: int, order: Order) -> Position:
    """Append the order and ring. Raises OrderRefused, and what Redis raises: then the same order
    may be placed again.
    """
    try:
        (verdict,) = Appender(redis, Ring(doorbell)).append(partition, [order])
    except EntryRefused as error:
        raise OrderRefused(str(error)) from error
    if not isinstance(verdict, Appended):
        raise OrderRefused(verdict.why)
    return verdict.position
