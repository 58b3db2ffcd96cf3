"""An operator's orders about dead commands: put on the log, so that they keep their place in it."""

from typing import Any, cast

from redis import Redis

from eventlog.append import (
    Appended,
    NotAppended,
    Submission,
    Unknown,
    evalsha,
    load_script,
    read_reply,
)
from eventlog.envelope import Order, encode
from eventlog.ring import Ring
from runtime.positions import Position


class OrderRefused(Exception):
    """The log did not take the order; `str()` says why."""


def place(redis: "Redis", doorbell: "Redis", partition: int, order: Order) -> Position:
    """Append the order and ring. Raises OrderRefused, and what Redis raises: then the same order
    may be placed again.
    """
    script = load_script()
    redis.script_load(script.text)
    submission = Submission(order.id, encode(order), "")
    reply = cast("Any", redis.execute_command(*evalsha(script, partition, [submission])))
    _, verdicts = read_reply(partition, reply)
    match verdicts[0]:
        case Appended(position=position):
            Ring(doorbell).ring([partition])
            return position
        case NotAppended(why=why) | Unknown(why=why):
            raise OrderRefused(why)
