"""Every second: what has been revoked, from SQL to its mirror in Redis."""

from collections.abc import Callable

import structlog
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from eventlog.revocations import Mirror
from ledger.register import source_of
from runtime.errors import first_line

log = structlog.get_logger()


class MirrorRevocations:
    """Brings the mirror back after a loss, and whatever its writer could not bring."""

    def __init__(self, engine: Engine, redis: "Redis") -> None:
        self._truth = source_of(engine)
        self._mirror = Mirror(redis)

    def run(self) -> None:
        """Bring the mirror up to date; where a store is away, the next time."""
        try:
            self._mirror.publish(self._truth)
        except (RedisError, OSError, SQLAlchemyError) as error:
            log.debug("revocations are not mirrored", error=first_line(error))


def together(*chores: Callable[[], None]) -> Callable[[], None]:
    """Make one chore of several; the last ones see to their own errors."""

    def run() -> None:
        *first, last = chores
        try:
            for each in first:
                each()
        finally:
            last()

    return run
