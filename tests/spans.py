"""Spans that a test can look at as soon as they have ended."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased

from runtime.spans import Spans


@dataclass(slots=True)
class Traces:
    exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    spans: Spans = field(init=False)

    def __post_init__(self) -> None:
        provider = TracerProvider(ParentBased(ALWAYS_ON), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.spans = Spans(provider)

    def named(self, name: str) -> Sequence[ReadableSpan]:
        return [each for each in self.exporter.get_finished_spans() if each.name == name]
