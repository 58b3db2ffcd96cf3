"""Figures in Prometheus' text format, by way of prometheus-client: read when they are asked for.

A table of metrics says what there is; what was found goes under their names. Nothing is global, and
processes are not added up: each answers for itself.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import accumulate
from typing import Literal, assert_never

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.registry import Collector

from runtime.measures import Requests, Spread, usage

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric by its whole name. Durations are in seconds, sizes in bytes."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    says: str
    labels: tuple[str, ...] = ()


BUILD = Metric("itemledger_build_info", "gauge", "1, with the release that runs.", ("version",))
UP = Metric(
    "itemledger_up",
    "gauge",
    "1 where the store answers this process: the log's Redis, the database. What is read from one "
    "that does not answer is left out of the scrape.",
    ("store",),
)
REQUESTS = Metric(
    "itemledger_http_requests_total",
    "counter",
    "Requests that were answered. `route` is a template, `other` where there is none.",
    ("method", "route", "status"),
)
REQUEST_SECONDS = Metric(
    "itemledger_http_request_seconds",
    "histogram",
    "Seconds until the answer, waiting that was asked for (`Prefer: wait`) included; of a stream "
    "until it begins.",
    ("method", "route"),
)
CPU = Metric(
    "itemledger_process_cpu_seconds_total",
    "counter",
    "Seconds of processors that this process has used.",
)
RESIDENT = Metric(
    "itemledger_process_memory_bytes",
    "gauge",
    "Memory that this process has, as the kernel counts it (RSS); absent where it does not tell.",
)
# What both services have.
OF_PROCESSES = (BUILD, UP, REQUESTS, REQUEST_SECONDS, CPU, RESIDENT)


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found of metrics, by the values of their labels; a value that is not known is not
    there.
    """

    numbers: dict[Metric, list[tuple[tuple[str, ...], float]]] = field(
        default_factory=dict[Metric, list[tuple[tuple[str, ...], float]]]
    )
    spreads: dict[Metric, list[tuple[tuple[str, ...], Spread]]] = field(
        default_factory=dict[Metric, list[tuple[tuple[str, ...], Spread]]]
    )

    def put(self, metric: Metric, value: float | None, *labels: object) -> None:
        if value is not None:
            self.numbers.setdefault(metric, []).append((tuple(map(str, labels)), value))

    def spread(self, metric: Metric, value: Spread, *labels: object) -> None:
        self.spreads.setdefault(metric, []).append((tuple(map(str, labels)), value))

    def process(self, requests: Requests) -> None:
        """Put down what every service tells of its process."""
        self.put(BUILD, 1, version("itemledger"))
        answered = requests.seen()
        for labels, count in answered.counts.items():
            self.put(REQUESTS, count, *labels)
        for labels, spread in answered.seconds.items():
            self.spread(REQUEST_SECONDS, spread, *labels)
        used = usage()
        self.put(CPU, used.cpu_seconds)
        self.put(RESIDENT, used.memory)


class _Read(Collector):
    """Reads anew at every scrape; a metric of which nothing is known is named all the same."""

    def __init__(self, metrics: Sequence[Metric], read: Callable[[], Reading]) -> None:
        self._metrics = metrics
        self._read = read

    def collect(self) -> Iterable[_Family]:
        found = self._read()
        return [_family(metric, found) for metric in self._metrics]


class Exposition:
    """What `metrics` are at the moment, as `read` finds them."""

    def __init__(self, metrics: Sequence[Metric], read: Callable[[], Reading]) -> None:
        # Names are not asked for when it is registered: that would read the stores.
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Read(metrics, read))

    def text(self) -> bytes:
        return generate_latest(self._registry)


def _family(metric: Metric, found: Reading) -> _Family:
    match metric.kind:
        case "counter":
            family = CounterMetricFamily(metric.name, metric.says, labels=metric.labels)
            for labels, value in found.numbers.get(metric, ()):
                family.add_metric(labels, value)
        case "gauge":
            family = GaugeMetricFamily(metric.name, metric.says, labels=metric.labels)
            for labels, value in found.numbers.get(metric, ()):
                family.add_metric(labels, value)
        case "histogram":
            family = HistogramMetricFamily(metric.name, metric.says, labels=metric.labels)
            for labels, spread in found.spreads.get(metric, ()):
                family.add_metric(labels, _buckets(spread), spread.total)
        case _:
            assert_never(metric.kind)
    return family


def _buckets(spread: Spread) -> list[tuple[str, float]]:
    """Count up, as Prometheus wants it: how many were at most each bound."""
    bounds = [*(f"{each:g}" for each in spread.bounds), "+Inf"]
    return list(zip(bounds, accumulate(spread.counts), strict=True))
