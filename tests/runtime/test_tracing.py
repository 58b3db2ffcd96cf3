"""Whether traces are asked for, and what is said where they can not be had."""

import subprocess
import sys
from collections.abc import Mapping

import pytest
from structlog.testing import capture_logs

from runtime.tracing import is_wanted, tracing_of

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "shop"}, False),
        ({"OTEL_TRACES_EXPORTER": ""}, False),
        ({"OTEL_TRACES_EXPORTER": "none", **ENDPOINT}, False),
        ({"OTEL_SDK_DISABLED": "True", **ENDPOINT}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
    ],
)
def test_traces_are_wanted_where_the_standard_variables_say_so(
    environ: Mapping[str, str], wanted: bool
) -> None:
    assert is_wanted(environ) is wanted


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"OTEL_TRACES_EXPORTER": "carrier-pigeon"}, "pip install"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "smoke", **ENDPOINT}, "http/protobuf and grpc"),
    ],
)
def test_who_can_not_be_sent_to_is_told_and_nothing_is_traced(
    environ: Mapping[str, str], told: str
) -> None:
    with capture_logs() as logged:
        assert tracing_of("api", environ) is None
    (line,) = logged
    assert (line["event"], line["log_level"]) == ("nothing is traced", "warning")
    assert told in line["error"]


def test_without_the_library_nothing_is_traced_and_it_is_said_how_to_mend_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "runtime.spans", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    with capture_logs() as logged:
        assert tracing_of("api", ENDPOINT) is None
    (line,) = logged
    assert "pip install 'itemledger[otel]'" in line["event"]


LOADED = """
import sys
import cli.__main__, api.main, readmodel.main, worker.main, worker.cron, cli.up
from runtime.tracing import tracing_of
assert tracing_of("api", {}) is None
heavy = ("opentelemetry.sdk", "opentelemetry.exporter")
sys.exit(any(sys.modules[each] and each.startswith(heavy) for each in sys.modules))
"""


def test_nothing_of_it_is_loaded_where_it_is_off() -> None:
    assert subprocess.run([sys.executable, "-c", LOADED], check=False).returncode == 0
