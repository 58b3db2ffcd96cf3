"""What a process does, as spans of OpenTelemetry. Loaded only where traces are asked for.

The SDK reads its own variables: where to send to, what to sample, how to batch. It is not made the
one of all libraries: these would add spans of their own, some twice.
"""

import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib.metadata import entry_points, version
from typing import Any, Literal

from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import (
    INVALID_SPAN,
    Span,
    SpanKind,
    StatusCode,
    format_span_id,
    format_trace_id,
    get_current_span,
    use_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_SERVER_ERROR = 500
_ENTRY_POINTS = "opentelemetry_traces_exporter"
_OTLP: Mapping[str, str] = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}
_W3C = TraceContextTextMapPropagator()
Kind = Literal["sends", "takes"]
_KINDS: Mapping[Kind, SpanKind] = {"sends": SpanKind.PRODUCER, "takes": SpanKind.CONSUMER}

Value = str | int | float | bool
Facts = Mapping[str, Value | None]


class NoExporter(Exception):
    """Nobody here can send traces to where they are asked for; `str()` is one line that says how to
    mend it.
    """


class Request:
    """A request while it is answered; `traceparent` is what those are told who go on with it."""

    def __init__(self, span: Span, method: str) -> None:
        self._span = span
        self._method = method
        self.traceparent = _traceparent(span)

    def answered(self, route: str | None, status: int) -> None:
        """Say by which route it was answered, and how."""
        if not self._span.is_recording():
            return
        self._span.set_attribute("http.response.status_code", status)
        if route is not None:
            self._span.set_attribute("http.route", route)
            self._span.update_name(f"{self._method} {route}")
        if status >= _SERVER_ERROR:
            self._span.set_attribute("error.type", str(status))
            self._span.set_status(StatusCode.ERROR)


class Step:
    """Something that a request has done on the way."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def failed(self, why: str) -> None:
        self._span.set_status(StatusCode.ERROR, why)


class Spans:
    """Makes the spans of one process, for any number of threads; `exporters` says by which they
    leave.
    """

    def __init__(self, provider: TracerProvider, exporters: str = "") -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("itemledger", version("itemledger"))
        self.exporters = exporters

    @contextmanager
    def request(
        self, method: str, scheme: str, path: str, said: Mapping[str, str], facts: Facts
    ) -> Generator[Request]:
        """Trace a request while it is answered, as part of the trace that its headers name
        (`traceparent` and `tracestate` of what is `said`), else of a new one.
        """
        known = method if method in _METHODS else "_OTHER"
        name = "HTTP" if known == "_OTHER" else known
        span = self._tracer.start_span(
            name,
            _W3C.extract(said, Context()),
            SpanKind.SERVER,
            _told(
                {
                    "http.request.method": known,
                    "url.scheme": scheme,
                    "url.path": path,
                    **facts,
                }
            ),
        )
        with use_span(span, end_on_exit=True):
            yield Request(span, name)

    @contextmanager
    def step(self, name: str, kind: Kind, facts: Facts) -> Generator[Step]:
        """Trace a step of the request at hand; what belongs to none is not traced."""
        if not get_current_span().get_span_context().is_valid:
            yield Step(INVALID_SPAN)
            return
        with self._tracer.start_as_current_span(
            name, kind=_KINDS[kind], attributes=_told(facts)
        ) as span:
            yield Step(span)

    def done(
        self,
        name: str,
        kind: Kind,
        traceparent: str,
        times: tuple[int, int],
        facts: Facts,
        failed: str | None = None,
    ) -> None:
        """Trace what is done already, in the trace of a `traceparent`; `times` are its begin and
        its end, in nanoseconds since 1970.
        """
        parent = _W3C.extract({"traceparent": traceparent}, Context())
        span = self._tracer.start_span(
            name, parent, _KINDS[kind], _told(facts), start_time=times[0]
        )
        if failed is not None:
            span.set_status(StatusCode.ERROR, failed)
        span.end(times[1])

    def close(self) -> None:
        """Send what is not sent yet."""
        self._provider.shutdown()


def begin(process: str, environ: Mapping[str, str]) -> Spans:
    """Make the spans of a process, and send them where the environment says. Raises NoExporter."""
    # Of a collector that is away one line is enough, and that is said once it is given up.
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)
    names = _exporters(environ)
    exporters = [_exporter(each) for each in names]
    # What the environment says of itself goes before what is said here.
    own = {SERVICE_NAME: f"itemledger-{process}", "service.namespace": "itemledger"}
    said = {name: value for name, value in own.items() if not _is_said(name, environ)}
    resource = Resource.create(
        {**said, "service.version": version("itemledger"), "itemledger.process": process}
    )
    provider = TracerProvider(resource=resource)
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return Spans(provider, ", ".join(names))


def _is_said(name: str, environ: Mapping[str, str]) -> bool:
    if name == SERVICE_NAME and environ.get("OTEL_SERVICE_NAME"):
        return True
    said = environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(",")
    return any(each.split("=")[0].strip() == name for each in said)


def _exporters(environ: Mapping[str, str]) -> list[str]:
    """Name the entry points of the exporters that are asked for."""
    asked = environ.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"
    names = [each.strip() for each in asked.split(",") if each.strip()]
    protocol = (
        environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
        or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
        or "http/protobuf"
    )
    if "otlp" in names and protocol not in _OTLP:
        known = " and ".join(_OTLP)
        raise NoExporter(f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}; {known} are known")
    return [_OTLP[protocol] if each == "otlp" else each for each in names]


def _exporter(name: str) -> SpanExporter:
    for found in entry_points(group=_ENTRY_POINTS, name=name):
        make: Any = found.load()
        return make()
    package = f"opentelemetry-exporter-{name.replace('_', '-')}"
    raise NoExporter(f"no exporter {name!r} is installed; pip install {package} may bring it")


def _told(facts: Facts) -> dict[str, Value]:
    return {name: value for name, value in facts.items() if value is not None}


def _traceparent(span: Span) -> str:
    told = span.get_span_context()
    ids = f"{format_trace_id(told.trace_id)}-{format_span_id(told.span_id)}"
    return f"00-{ids}-{told.trace_flags:02x}"
