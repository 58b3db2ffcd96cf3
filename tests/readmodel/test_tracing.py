"""Reads are traced, whoever answers them."""

from typing import Any

import pytest
from opentelemetry.trace import StatusCode
from sqlalchemy import Engine
from structlog.testing import capture_logs

from readmodel.request_log import RequestLog
from readmodel.traced import Traced
from runtime.settings import Settings
from tests.readmodel.hot import Hot
from tests.readmodel.test_hot_answers import made
from tests.spans import Traces

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
SENT = {"traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01", "X-Request-ID": "r-1"}
ONE = "GET /items/{item_id}"

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def hot(ledger: Any, engine: Engine, log: Any, settings: Settings) -> Hot:
    return made(ledger, engine, log, settings)


def test_every_read_has_a_span_in_the_trace_of_its_request(hot: Hot) -> None:
    traces = Traces()
    hot.app.wsgi_app = Traced(hot.app.wsgi_app, traces.spans)
    for path in ("/items/lamp", "/items/nobody", "/items", "/nothing", "/health/live", "/metrics"):
        hot.ask(path, SENT)

    told = traces.exporter.get_finished_spans()
    assert [each.name for each in told] == [ONE, ONE, "GET /items", "GET"]
    assert {f"{each.context.trace_id:032x}" for each in told} == {TRACE_ID}
    codes = [(each.attributes or {})["http.response.status_code"] for each in told]
    assert codes == [200, 404, 200, 404]
    assert {each.status.status_code for each in told} == {StatusCode.UNSET}


def test_an_answer_is_the_same_where_it_is_traced_and_logged(hot: Hot) -> None:
    plain = [hot.ask(path, SENT) for path in ("/items/lamp", "/items")]
    hot.app.wsgi_app = Traced(RequestLog(hot.app.wsgi_app), Traces().spans)
    with capture_logs() as logged:
        assert [hot.ask(path, SENT) for path in ("/items/lamp", "/items")] == plain
    assert [each["event"] for each in logged] == ["answered", "answered"]
    for line, path in zip(logged, ("/items/lamp", "/items"), strict=True):
        assert (line["path"], line["status"], line["request_id"]) == (path, 200, "r-1")
        assert line["trace_id"] == TRACE_ID
    assert dict(plain[0].headers)["X-Request-ID"] == "r-1"
