"""Traces, where the standard variables of OpenTelemetry ask for them (`OTEL_…`). Where they do not,
nothing of it is loaded, and no request takes another way for it.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import structlog

from runtime.lean import let_in

if TYPE_CHECKING:
    from runtime.spans import Spans

# Whoever sets one of these has somewhere to send traces to.
_DESTINATIONS = (
    "OTEL_TRACES_EXPORTER",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
)

log = structlog.get_logger()


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Say whether traces are asked for. Where nothing is said they are not: by the standard they
    would be sent to this machine then.
    """
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none":
        return False
    return any(environ.get(each, "").strip() for each in _DESTINATIONS)


def tracing_of(process: str, environ: Mapping[str, str] = os.environ) -> "Spans | None":
    """Begin to trace a process, where that is asked for and can be done; it is said where it can
    not. What a platform sets for all that it runs is no reason not to start.
    """
    if not is_wanted(environ):
        return None
    let_in()
    try:
        from runtime.spans import NoExporter, begin  # noqa: PLC0415  heavy, and rarely wanted
    except ModuleNotFoundError as error:
        log.warning(
            "nothing is traced: OTEL_… asks for it, and OpenTelemetry is not installed; "
            "pip install 'itemledger[otel]' brings it, OTEL_SDK_DISABLED=true says that it is not "
            "meant",
            missing=error.name,
        )
        return None
    try:
        spans = begin(process, environ)
    except NoExporter as error:
        log.warning("nothing is traced", error=str(error))
        return None
    log.info("traced", exporters=spans.exporters)
    return spans
