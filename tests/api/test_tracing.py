"""One trace from a request to the commit of its command."""

from collections.abc import Generator, Mapping
from typing import Any

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from eventlog.codec import decode
from eventlog.envelope import Envelope
from eventlog.reader import LogReader
from ledger import tables
from runtime.positions import Position
from runtime.settings import Settings
from tests.api.conftest import Service, configured, running_api, serving
from tests.api.test_items import LAMP, WAIT
from tests.spans import Traces
from tests.waiting import until

TRACE_ID, PARENT = 0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331
SENT = {"traceparent": f"00-{TRACE_ID:032x}-{PARENT:016x}-01", "tracestate": "vendor=1"}
UNSAMPLED = {"traceparent": f"00-{TRACE_ID:032x}-{PARENT:016x}-00"}
# A header that nobody knows is handed on to the framework.
ASIDE = {"X-Unknown": "1"}


@pytest.fixture
def traces() -> Traces:
    return Traces()


@pytest.fixture
def service(
    settings: Settings, sqlite_url: str, valkey_url: str, traces: Traces
) -> Generator[Service]:
    with serving(settings, sqlite_url, valkey_url, traces.spans) as made:
        yield made


@pytest.mark.parametrize("wait", [WAIT, {}, ASIDE], ids=["waited for", "hot", "framework"])
def test_one_trace_goes_from_the_request_to_the_commit(
    service: Service, traces: Traces, wait: Mapping[str, str]
) -> None:
    answer = service.client.post("/items", json=LAMP, headers={**wait, **SENT})
    until(lambda: traces.named("apply"), 30, "the command is applied")

    ((posted,), (appended,), (applied,)) = map(traces.named, ("POST /items", "append", "apply"))
    assert {each.context.trace_id for each in (posted, appended, applied)} == {TRACE_ID}
    assert posted.parent is not None
    assert posted.parent.span_id == PARENT
    assert posted.context.trace_state.get("vendor") == "1"
    assert appended.parent == posted.context
    assert applied.parent is not None
    assert applied.parent.span_id == posted.context.span_id
    assert [each.kind for each in (posted, appended, applied)] == [
        *(SpanKind.SERVER, SpanKind.PRODUCER, SpanKind.CONSUMER)
    ]
    (event,) = service.world.rows(tables.events)
    for each in (appended, applied):
        assert (each.attributes or {})["messaging.message.id"] == event["command_id"]
    facts = applied.attributes or {}
    assert facts["itemledger.outcome"] == "applied"
    assert facts["itemledger.item_id"] == event["item_id"]
    assert (posted.attributes or {})["http.response.status_code"] == answer.status_code
    assert (appended.end_time or 0) <= (applied.end_time or 0)


def test_who_begins_a_trace_here_is_followed_too(service: Service, traces: Traces) -> None:
    service.client.put("/items/lamp", json=LAMP, headers=WAIT)
    (put,), (applied,) = traces.named("PUT /items/{item_id}"), traces.named("apply")
    assert put.parent is None
    assert applied.context.trace_id == put.context.trace_id
    (outcome,) = service.world.rows(tables.outcomes)
    assert outcome["trace"][3:35] == f"{put.context.trace_id:032x}"


def test_what_the_client_does_not_sample_is_not_traced_and_yet_kept(
    service: Service, traces: Traces
) -> None:
    service.client.put("/items/lamp", json=LAMP, headers={**WAIT, **UNSAMPLED})
    (outcome,) = service.world.rows(tables.outcomes)
    assert outcome["trace"][3:35] == f"{TRACE_ID:032x}"
    assert outcome["trace"].endswith("-00")
    assert [each.name for each in traces.exporter.get_finished_spans()] == []


def test_a_dead_command_is_an_error_in_its_trace(
    service: Service, traces: Traces, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("worker.work.decide", broken)
    service.client.put("/items/lamp", json=LAMP, headers=SENT)
    until(lambda: traces.named("apply"), 30, "the command has been tried")
    (applied,) = traces.named("apply")
    assert applied.context.trace_id == TRACE_ID
    assert (applied.status.status_code, applied.status.description) == (
        StatusCode.ERROR,
        "RuntimeError: a defect",
    )


def test_what_is_refused_and_what_fails_is_traced_as_such(
    settings: Settings, valkey_url: str, redis: Any, traces: Traces
) -> None:
    with running_api(settings, valkey_url, spans=traces.spans) as api:
        for aside in ("/health/live", "/metrics"):
            assert api.client.get(aside).status_code == 200
        assert api.client.get("/nothing").status_code == 404
        with configured(redis, maxmemory="1"):
            assert api.client.post("/items", json=LAMP, headers=SENT).status_code == 503
    (unknown,) = traces.named("GET")
    assert "http.route" not in (unknown.attributes or {})
    assert unknown.status.status_code is StatusCode.UNSET
    (refused,), (append,) = traces.named("POST /items"), traces.named("append")
    assert refused.status.status_code is StatusCode.ERROR
    assert append.status.status_code is StatusCode.ERROR
    # Nothing is said of probes.
    assert len(traces.exporter.get_finished_spans()) == 3


def test_the_log_carries_what_the_client_said_where_nothing_is_traced(
    settings: Settings, valkey_url: str, redis: Any
) -> None:
    with running_api(settings, valkey_url) as api:
        api.client.post("/items", json=LAMP, headers=SENT)
    (entry,) = LogReader(redis, 1).after(Position(0, 0, 0), 10)
    envelope = decode(entry.body)
    assert isinstance(envelope, Envelope)
    assert envelope.trace == SENT["traceparent"]
