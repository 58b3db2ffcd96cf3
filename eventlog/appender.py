"""What workers put on the log themselves: an operator's orders, prices that are due, and whatever
goes on with something that was begun.
"""

from collections.abc import Sequence
from typing import Any, cast

from redis import Redis
from redis.exceptions import NoScriptError

from eventlog.append import (
    NotAppended,
    Submission,
    Unknown,
    Verdict,
    evalsha,
    load_script,
    read_reply,
)
from eventlog.codec import encode
from eventlog.envelope import Entry
from eventlog.ring import Ring


class EntryRefused(Exception):
    """The log did not take an entry; `str()` says why."""


class Appender:
    """Entries need ids that are the same when they are appended again: that is harmless then."""

    def __init__(self, redis: "Redis", ring: Ring) -> None:
        self._redis = redis
        self._ring = ring
        self._script = load_script()

    def append(self, partition: int, entries: Sequence[Entry]) -> list[Verdict]:
        """Append entries to a partition and ring. Raises EntryRefused, and what Redis raises."""
        submissions = [Submission(each.id, encode(each), "") for each in entries]
        words = evalsha(self._script, partition, submissions)
        try:
            reply = cast("Any", self._redis.execute_command(*words))
        except NoScriptError:
            self._redis.script_load(self._script.text)
            reply = cast("Any", self._redis.execute_command(*words))
        _, verdicts = read_reply(partition, reply)
        for each in verdicts:
            if isinstance(each, NotAppended | Unknown):
                raise EntryRefused(each.why)
        self._ring.ring([partition])
        return verdicts
