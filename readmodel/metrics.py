"""What the query API tells Prometheus, and where its figures are read.

A scrape reads the stores anew. One that is away takes its own figures with it and nothing else.
"""

from collections.abc import Callable, Mapping, Sequence

from flask import request
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from eventlog.inspect import Checkup, LogHead, LogInspector, LogUnavailable, Ticks
from ledger import projections as books
from readmodel import figures, metric_names, params
from readmodel.answers import FRESH_ONLY, Answer, answer
from readmodel.figures import Projection, Taken
from readmodel.front.list_memory import Figures as ListFigures
from readmodel.front.list_memory import ListMemory
from readmodel.hot.cache import Figures, ItemCache
from readmodel.standings import Standings
from runtime.measures import Requests
from runtime.metrics import CONTENT_TYPE, UP, Exposition, Reading
from runtime.settings import Durability

_LEVELS: Sequence[Durability] = ("none", "everysec", "fsync")


class MetricRoutes:
    """Reads figures when they are asked for; its parameters are those of `StatusRoutes`, and what
    this process has counted of its requests and in its cache.
    """

    def __init__(
        self,
        snapshots: Engine,
        inspector: LogInspector,
        standings: Standings,
        requests: Requests,
        cache: ItemCache,
        lists: ListMemory,
        clock: Callable[[], int],
        least_durability: Durability,
        wait_replicas: int,
    ) -> None:
        self._snapshots = snapshots
        self._inspector = inspector
        self._standings = standings
        self._requests = requests
        self._cache = cache
        self._lists = lists
        self._clock = clock
        self._least_durability: Durability = least_durability
        self._wait_replicas = wait_replicas
        self._exposition = Exposition(metric_names.METRICS, self._read)

    def metrics(self) -> Answer:
        params.read(request.args, {})
        written = answer(self._exposition.text(), FRESH_ONLY)
        written.content_type = CONTENT_TYPE
        return written

    def _read(self) -> Reading:
        reading = Reading()
        reading.process(self._requests)
        _put_cache(reading, self._cache.figures())
        _put_lists(reading, self._lists.figures())
        heads = self._read_log(reading)
        ledger = self._read_ledger(reading)
        reading.put(UP, int(heads is not None), "log")
        reading.put(UP, int(ledger is not None), "database")
        if heads is not None and ledger is not None:
            self._compare(reading, heads, ledger)
        return reading

    def _read_log(self, reading: Reading) -> Sequence[LogHead] | None:
        try:
            heads = self._inspector.heads()
            now = self._clock()
            checkup = self._inspector.checkup(now)
            counted = self._inspector.tally()
            ticks = self._inspector.ticks()
        except LogUnavailable:
            return None
        reading.spread(metric_names.DELAY, counted.delays)
        for status, count in counted.outcomes.items():
            reading.put(metric_names.BY_STATUS, count, status)
        _put_workers(reading, checkup, now)
        _put_cron(reading, ticks, now)
        facts = checkup.durability
        if facts is not None:
            for level in _LEVELS:
                reading.put(metric_names.DURABILITY, int(facts.level == level), level)
            lack = facts.lack(self._least_durability, self._wait_replicas)
            reading.put(metric_names.SUFFICIENT, int(lack is None))
            reading.put(metric_names.REPLICAS, facts.replicas)
            reading.put(metric_names.MEMORY, facts.used_memory)
            reading.put(metric_names.MEMORY_LIMIT, facts.maxmemory)
        return heads

    def _read_ledger(self, reading: Reading) -> Mapping[int, Taken] | None:
        try:
            with self._snapshots.connect() as connection:
                ledger = figures.taken(connection)
                views = books.read_all(connection)
                projections = figures.projections(connection, views, self._clock())
                aside = figures.quarantined(connection)
                missing = figures.missing(connection)
        except SQLAlchemyError:
            return None
        for partition, each in ledger.items():
            reading.put(metric_names.EVENTS, each.events, partition)
            reading.put(metric_names.OUTCOMES, each.outcomes, partition)
        _put_projections(reading, projections)
        for each in views:
            reading.put(metric_names.UNBUILT, int(each.live is None), each.view)
            reading.put(metric_names.BUILD_FAILED, int(each.state == "failed"), each.view)
        reading.put(metric_names.DEAD, aside["dead"])
        reading.put(metric_names.PARKED, aside["parked"])
        for kind, positions in missing.items():
            reading.put(metric_names.MISSING, positions, kind)
        return ledger

    def _compare(
        self, reading: Reading, heads: Sequence[LogHead], ledger: Mapping[int, Taken]
    ) -> None:
        try:
            found = self._standings.compare(heads, ledger)
        except LogUnavailable:
            # It went away in between: what is told of it was true then.
            return
        for each in found:
            reading.put(metric_names.HEAD, each.head, each.partition)
            reading.put(metric_names.CHECKPOINT, each.checkpoint, each.partition)
            reading.put(metric_names.EPOCH, each.epoch, each.partition)
            reading.put(metric_names.LAG, each.lag, each.partition)
            reading.put(metric_names.LAG_SECONDS, each.lag_seconds, each.partition)
            reading.put(metric_names.STANDSTILL, each.still, each.partition)


def _put_cache(reading: Reading, cache: Figures) -> None:
    reading.put(metric_names.CACHE_REQUESTS, cache.hits, "hit")
    reading.put(metric_names.CACHE_REQUESTS, cache.misses, "miss")
    reading.put(metric_names.CACHE_ITEMS, cache.entries)
    reading.put(metric_names.CACHE_BYTES, cache.size)
    reading.put(metric_names.CACHE_SURE, cache.sure)


def _put_lists(reading: Reading, lists: ListFigures) -> None:
    reading.put(metric_names.LISTS_REQUESTS, lists.hits, "hit")
    reading.put(metric_names.LISTS_REQUESTS, lists.misses, "miss")
    reading.put(metric_names.LISTS_KEPT, lists.lists)
    reading.put(metric_names.LISTS_BYTES, lists.size)


def _put_workers(reading: Reading, checkup: Checkup, now: int) -> None:
    for state in ("working", "paused"):
        of_state = [each for each in checkup.workers if each.state == state]
        reading.put(metric_names.WORKERS, len(of_state), state)
        longest = min((each.since for each in of_state), default=now)
        reading.put(metric_names.WORKER_SECONDS, max(0, now - longest) / 1000, state)
    reading.put(metric_names.WORKERS, checkup.silent, "silent")
    for each in checkup.workers:
        reading.put(metric_names.WORKER_CPU, each.cpu_seconds, each.name)
        reading.put(metric_names.WORKER_MEMORY, each.memory, each.name)
    if checkup.workers:
        last = max(each.seen for each in checkup.workers)
        reading.put(metric_names.REPORT_SECONDS, max(0, now - last) / 1000)


def _put_cron(reading: Reading, told: Ticks, now: int) -> None:
    if told.seen is None:
        return
    reading.put(metric_names.CRON_SECONDS, max(0, now - told.seen) / 1000)
    reading.put(metric_names.CRON_ERRORS, told.errors)
    for chore, count in told.chores.items():
        reading.put(metric_names.CRON_CHORES, count, chore)


def _put_projections(reading: Reading, projections: Sequence[Projection]) -> None:
    by_name: dict[str, list[Projection]] = {}
    for each in projections:
        by_name.setdefault(each.projection, []).append(each)
    for name, found in by_name.items():
        reading.put(metric_names.PROJECTION_LAG, sum(each.lag for each in found), name)
        reading.put(
            metric_names.PROJECTION_LAG_SECONDS, max(each.lag_seconds for each in found), name
        )
        reading.put(metric_names.DETACHED, sum(each.state == "detached" for each in found), name)
