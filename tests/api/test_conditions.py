"""Deadlines, and deployments that want a condition with every change."""

from collections.abc import Generator

import pytest

from ledger import tables
from runtime.settings import Settings
from runtime.times import now_ms, rfc3339
from tests.api.conftest import Api, Service, running_api
from tests.api.test_batch import put
from tests.api.test_items import LAMP, WAIT, only_error, problem


def test_a_command_whose_deadline_has_passed_changes_nothing(service: Service) -> None:
    late = {"Command-Deadline": rfc3339(now_ms() - 1000)}
    answer = service.client.put("/items/a", json=LAMP, headers=WAIT | late)

    problem(answer, 409, "expired")
    again = service.client.put("/items/a", json=LAMP, headers=WAIT)
    assert (again.status_code, again.headers["etag"]) == (201, '"1"')


def test_a_command_in_time_is_applied(service: Service) -> None:
    early = {"Command-Deadline": rfc3339(now_ms() + 3_600_000)}

    assert service.client.put("/items/a", json=LAMP, headers=WAIT | early).status_code == 201


def test_a_deadline_is_that_of_every_row_of_a_batch(service: Service) -> None:
    late = {"Command-Deadline": rfc3339(now_ms() - 1000)}
    body = {"commands": [put("a"), put("b")]}
    told = service.client.post("/items/batch", json=body, headers=WAIT | late).json()["results"]

    assert [each["status"] for each in told] == ["expired", "expired"]


@pytest.mark.parametrize("sent", ["tomorrow", "2026-11-22", "1795358506442"])
def test_a_deadline_that_can_not_be_read_is_refused(service: Service, sent: str) -> None:
    answer = service.client.put("/items/a", json=LAMP, headers={"Command-Deadline": sent})

    assert only_error(answer, 400, "malformed-header")["header"] == "Command-Deadline"


@pytest.mark.parametrize(
    ("method", "path", "body", "header"),
    [
        ("POST", "/items", LAMP, "If-Match"),
        ("POST", "/items", LAMP, "If-None-Match"),
        ("POST", "/items/batch", {"commands": [put("a")]}, "If-Match"),
        ("PATCH", "/items/a", {"price": 1}, "If-None-Match"),
        ("DELETE", "/items/a", None, "If-None-Match"),
        ("POST", "/items/a/restore", None, "If-None-Match"),
        ("POST", "/items/a/revert", {"to_version": 1}, "If-None-Match"),
    ],
)
def test_a_condition_that_would_not_be_judged_is_refused(
    service: Service, method: str, path: str, body: object, header: str
) -> None:
    service.client.put("/items/a", json=LAMP, headers=WAIT)
    answer = service.client.request(method, path, json=body, headers={**WAIT, header: "*"})

    assert only_error(answer, 400, "malformed-header")["header"] == header
    assert len(service.world.rows(tables.events, "offset")) == 1


@pytest.fixture
def strict(settings: Settings, valkey_url: str) -> Generator[Api]:
    with running_api(settings.model_copy(update={"require_if_match": True}), valkey_url) as made:
        yield made


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/items/a", LAMP),
        ("PATCH", "/items/a", {"price": 1}),
        ("DELETE", "/items/a", None),
        ("POST", "/items/a/restore", None),
        ("POST", "/items/a/revert", {"to_version": 1}),
    ],
)
def test_a_change_without_a_condition_is_refused_where_one_is_wanted(
    strict: Api, method: str, path: str, body: object
) -> None:
    problem(strict.client.request(method, path, json=body), 428, "precondition-required")
    condition = {"If-Match": '"1"'}
    assert strict.client.request(method, path, json=body, headers=condition).status_code == 202


def test_creating_needs_no_version(strict: Api) -> None:
    only_new = {"If-None-Match": "*"}

    assert strict.client.post("/items", json=LAMP).status_code == 202
    assert strict.client.put("/items/a", json=LAMP, headers=only_new).status_code == 202


def test_rows_of_a_batch_need_one_too(strict: Api) -> None:
    body = {"commands": [put("a"), put("b", if_version=3), {"op": "create", **LAMP}]}
    told = strict.client.post("/items/batch", json=body).json()["results"]

    assert [each["status"] for each in told] == ["rejected", "accepted", "accepted"]
    assert told[0]["problem"]["code"] == "precondition-required"
