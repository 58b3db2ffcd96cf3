"""G10: how long after its answer a command is visible, at a steady load."""

import threading
import time
from collections import defaultdict
from collections.abc import Mapping

from bench.load import Traffic, kept, render
from bench.measure import Found, Sample, interleave, percentile
from bench.sides import Service, Stage, item, watching
from bench.sizes import Size

_LOOK_EVERY = 0.001
_GIVE_UP_AFTER = 30.0
_SIDES = {"1 partition, SQLite": ("sqlite", 1), "16 partitions, PostgreSQL": ("postgresql", 16)}


class Watch(threading.Thread):
    """Notes when each partition's checkpoint moves: what it covers is committed, and visible."""

    def __init__(self, url: str) -> None:
        super().__init__(name="watch")
        self._url = url
        self._ending = threading.Event()
        self._reached: dict[int, int] = defaultdict(int)
        # By partition: up to which n it was seen, and when.
        self.seen: dict[int, list[tuple[int, float]]] = defaultdict(list)

    def run(self) -> None:
        with watching(self._url) as ask:
            while not self._ending.wait(_LOOK_EVERY):
                found, now = ask("SELECT partition, n FROM partitions"), time.monotonic()
                for partition, n in found:
                    if n > self._reached[partition]:
                        self.seen[partition].append((n, now))
                        self._reached[partition] = n

    def end_at(self, last: Mapping[int, int]) -> None:
        """Wait until these were seen, then end."""
        deadline = time.monotonic() + _GIVE_UP_AFTER
        while any(self._reached[partition] < n for partition, n in last.items()):
            if time.monotonic() > deadline:
                raise SystemExit("what was accepted was never seen")
            time.sleep(_LOOK_EVERY)  # between two looks
        self.end()

    def end(self) -> None:
        self._ending.set()
        self.join()


def lag(stage: Stage, size: Size) -> Found:
    services = {
        name: stage.service(database, partitions=partitions)
        for name, (database, partitions) in _SIDES.items()
    }
    for service in services.values():
        service.fill(0, size.few)
        service.await_applied()

    def run(service: Service) -> Sample:
        changes = [
            item(number * 7919 % size.few, stage.new())
            for number in range(int(2 * size.rate * size.following) + 100)
        ]
        requests = (
            render("PUT", f"/items/{each.pop('id')}", body=each) for each in map(dict, changes)
        )
        traffic = Traffic.of(stage.sub("requests") / "changes", requests)
        return _followed(service, traffic, size)

    samples = interleave(size.fewer, {name: lambda it=it: run(it) for name, it in services.items()})
    values: dict[str, list[float]] = {}
    for name in services:
        values[f"{name}: p50"] = [each.p50 for each in samples[name] if each.p50 is not None]
        values[f"{name}: p99"] = [each.p99 for each in samples[name] if each.p99 is not None]
    return Found(samples, values)


def _followed(service: Service, traffic: Traffic, size: Size) -> Sample:
    used, watch = service.cpu(), Watch(service.url)
    watch.start()
    try:
        told = kept(service.commands, traffic, size.following, size.rate, "consistency-token")
        accepted: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for at, token in told:
            partition, _, n = map(int, token.split("."))
            accepted[partition].append((n, at))
        watch.end_at({partition: max(them)[0] for partition, them in accepted.items()})
    finally:
        watch.end()
    lags = [
        1000 * max(0.0, seen - at)
        for partition, them in accepted.items()
        for seen, at in _matched(watch.seen[partition], sorted(them))
    ]
    return Sample(
        rate=len(told) / size.following,
        p50=percentile(lags, 0.5),
        p99=percentile(lags, 0.99),
        cpu=1e6 * (service.cpu() - used) / len(told),
    )


def _matched(
    seen: list[tuple[int, float]], accepted: list[tuple[int, float]]
) -> list[tuple[float, float]]:
    """Pair each accepted one with the first look that saw it."""
    looks = iter(seen)
    n, at = next(looks)
    pairs: list[tuple[float, float]] = []
    for mine, answered in accepted:
        while n < mine:
            n, at = next(looks)
        pairs.append((at, answered))
    return pairs
