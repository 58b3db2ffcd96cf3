"""The mirror of what has been revoked: the command API, which has no SQL, hears of it here."""

from pathlib import Path
from typing import Any

import orjson
from redis import Redis
from redis.commands.core import Script

from eventlog import keys
from eventlog.clients import asking_client_of_threads
from runtime.auth.revoked import Revocations, Source

_TRIES = 5


class Mirror:
    """Writes the mirror. What it holds is never older than the truth that was last read for it:
    who was overtaken in between reads the truth again.
    """

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis
        self._take: Script = redis.register_script(
            Path(__file__).with_name("revocations.lua").read_text("utf-8")
        )

    def publish(self, truth: Source) -> None:
        """Make the mirror say what SQL says. Raises what Redis and the truth raise."""
        for _ in range(_TRIES):
            # In this order: what was published after this look is at least as new as that truth.
            seen = _version(self._redis)
            now = truth(seen)
            if now is None:
                return
            ids = orjson.dumps(sorted(now.ids))
            if self._take(keys=[keys.REVOKED], args=[seen or "", now.version, ids]):
                return


def mirrored(url: str) -> Source:
    """Make the source that reads the mirror; it raises what Redis raises."""
    redis = asking_client_of_threads(url)

    def source(known: str | None) -> Revocations | None:
        version = _version(redis)
        # After a loss there is none until a worker has brought it back: what was heard stays.
        if version is None or version == known:
            return None
        found: Any = redis.hmget(keys.REVOKED, ["version", "ids"])
        if None in found:
            return None
        return Revocations(found[0].decode(), frozenset(orjson.loads(found[1])))

    return source


def _version(redis: "Redis") -> str | None:
    version: Any = redis.hget(keys.REVOKED, "version")
    return None if version is None else version.decode()
