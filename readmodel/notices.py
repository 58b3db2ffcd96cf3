"""Listening to what workers tell of the ledger, for the cache of items."""

import threading

import structlog

from eventlog.moves import Beat, Heard, Move, Unheard, hearing
from readmodel.hot.cache import ItemCache

# Seconds until the next try where the log's Redis does not answer.
_AWAY = 0.5

log = structlog.get_logger("readmodel")


class Notices:
    """Keeps a cache right as long as it is heard of; while it is not, the cache holds nothing."""

    def __init__(self, url: str, cache: ItemCache) -> None:
        self._url = url
        self._cache = cache

    def follow(self, stopping: threading.Event) -> None:
        """Listen until the process is to stop."""
        silent = False
        while not stopping.is_set():
            try:
                with hearing(self._url, stopping) as heard:
                    for each in heard:
                        take(each, self._cache)
                        silent = False
            except Unheard as error:
                if not silent:
                    log.info("items are read from the database each time", error=str(error))
                silent = True
            except Exception:
                # A defect must not end the thread, and nothing is known any more.
                log.exception("listening failed")
            self._cache.forget()
            stopping.wait(_AWAY)


def take(heard: Heard, cache: ItemCache) -> None:
    """Let the cache know."""
    match heard:
        case Move(before=before, after=where):
            cache.moved(
                where.partition, before, where.point, where.in_step, heard.items, gap=heard.gap
            )
        case Beat():
            for each in heard.partitions:
                cache.beat(heard.worker, each.partition, each.point, each.in_step)
