"""Read what `/metrics` answers, as Prometheus does."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Scrape:
    families: Mapping[str, Metric]

    @classmethod
    def of(cls, text: str) -> "Scrape":
        found = list(text_string_to_metric_families(text))
        by_name = {_written(each): each for each in found}
        assert len(by_name) == len(found), "a metric is told twice"
        return cls(by_name)

    def value(self, name: str, **labels: str) -> float:
        """Tell the value of the one sample that has these labels and no others."""
        (value,) = (
            sample.value
            for sample in self._samples(name)
            if sample.name == name and sample.labels == labels
        )
        return value

    def by(self, name: str, label: str) -> dict[str, float]:
        """Tell the values of a metric by those of its label."""
        return {
            sample.labels[label]: sample.value
            for sample in self._samples(name)
            if sample.name == name
        }

    def _samples(self, name: str) -> Iterable:
        return (sample for family in self.families.values() for sample in family.samples)


def _written(family: Metric) -> str:
    # The parser cuts from the name of a counter what it is written with.
    return f"{family.name}_total" if family.type == "counter" else family.name
