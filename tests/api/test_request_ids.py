"""A request is found again by what it was called, in logs, in the ledger and in its answer."""

from collections.abc import Generator
from typing import Any

import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from ledger import tables
from runtime.settings import Settings
from tests.api.conftest import Api, Service, running_api, serving
from tests.api.test_items import LAMP, WAIT

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
CALLED = {"X-Request-ID": "r-1", "traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01"}
NAMES = {"request_id": "r-1", "trace_id": TRACE_ID}
# A header that nobody knows is handed on to the framework.
ASIDE = {"X-Unknown": "1"}


@pytest.fixture
def talkative(settings: Settings) -> Settings:
    return settings.model_copy(update={"log_requests": True})


@pytest.fixture
def service(talkative: Settings, sqlite_url: str, valkey_url: str) -> Generator[Service]:
    with serving(talkative, sqlite_url, valkey_url) as made:
        yield made


def lines(logged: list[Any], **facts: str) -> list[Any]:
    return [each for each in logged if facts.items() <= each.items()]


def test_one_command_is_found_by_its_ids_from_the_request_to_the_ledger(service: Service) -> None:
    with capture_logs([merge_contextvars]) as logged:
        answer = service.client.put("/items/lamp", json=LAMP, headers={**WAIT, **CALLED})
        command_id = service.world.rows(tables.events)[0]["command_id"]
        ((accepted,), (applied,)) = (
            lines(logged, event=event, command_id=command_id) for event in ("accepted", "applied")
        )
        (answered,) = lines(logged, event="answered", path="/items/lamp")

    assert answer.headers["x-request-id"] == "r-1"
    for line in (accepted, applied, answered):
        assert NAMES.items() <= line.items()
    assert (accepted["item_id"], accepted["command"]) == ("lamp", "ReplaceItem")
    assert applied["position"] == accepted["position"] == answer.headers["consistency-token"]
    assert (answered["status"], answered["route"]) == (201, "/items/{item_id}")
    (outcome,) = service.world.rows(tables.outcomes)
    assert outcome["command_id"] == command_id
    assert (outcome["request_id"], outcome["trace"]) == ("r-1", CALLED["traceparent"])


def test_rows_of_batches_have_the_ids_of_their_request(service: Service) -> None:
    rows = [{"op": "put", "id": each, **LAMP} for each in ("a", "b")]
    for atomic in (False, True):
        answer = service.client.post(
            "/items/batch", json={"commands": rows, "atomic": atomic}, headers={**WAIT, **CALLED}
        )
        assert answer.status_code == 200
    refused = [*rows, {"op": "create", **rows[0]}]
    service.client.post(
        "/items/batch", json={"commands": refused, "atomic": True}, headers={**WAIT, **CALLED}
    )
    kept = service.world.rows(tables.outcomes)
    assert len(kept) == 7
    assert {(each["request_id"], each["trace"]) for each in kept} == {tuple(CALLED.values())}


def test_a_command_that_dies_is_named_too(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("worker.work.decide", broken)
    with capture_logs([merge_contextvars]) as logged:
        answer = service.client.put(
            "/items/lamp", json=LAMP, headers={"Prefer": "wait=1", **CALLED}
        )
    (dead,) = lines(logged, event="a command is dead; see `itemledger dead`")
    assert NAMES.items() <= dead.items()
    assert dead["command_id"] == answer.json()["command_id"]


@pytest.mark.parametrize("way", [{}, ASIDE], ids=["hot", "framework"])
def test_a_plain_command_has_its_lines_too(
    talkative: Settings, valkey_url: str, redis: Any, way: dict[str, str]
) -> None:
    with running_api(talkative, valkey_url) as api, capture_logs([merge_contextvars]) as logged:
        answer = api.client.post("/items", json=LAMP, headers={**CALLED, **way})
    (accepted,) = lines(logged, event="accepted", command_id=answer.json()["command_id"])
    assert accepted["position"] == answer.json()["token"]
    assert NAMES.items() <= accepted.items()


def test_without_being_asked_nothing_is_logged_of_single_requests(api: Api) -> None:
    with capture_logs([merge_contextvars]) as logged:
        assert api.client.post("/items", json=LAMP, headers=CALLED).status_code == 202
    assert logged == []


def test_an_answer_without_a_reason_has_a_name_to_ask_by(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("api.routes.items.translate.create", broken)
    for sent, trace in (({}, {}), (CALLED, {"trace_id": TRACE_ID})):
        with capture_logs([merge_contextvars]) as logged:
            answer = api.client.post("/items", json=LAMP, headers=sent)
        (line,) = logged
        assert (answer.status_code, line["event"]) == (500, "request failed")
        assert line["request_id"] == answer.headers["x-request-id"]
        assert trace.items() <= line.items()
    assert answer.headers["x-request-id"] == "r-1"


@pytest.mark.parametrize("sent", ["", "a b", "x" * 129, '"', "\x1b[2J", "é", "-"])
def test_what_could_not_stand_in_a_log_is_no_name(api: Api, sent: str) -> None:
    for way in ({}, ASIDE):
        headers = {"X-Request-ID": sent.encode("latin-1"), **way}
        answer = api.client.post("/items", json=LAMP, headers=headers)
        assert answer.status_code == 202
        assert "x-request-id" not in answer.headers
