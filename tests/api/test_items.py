"""The command API's answers, as a client sees them."""

from typing import Any

import pytest
from httpx2 import Response

from ledger import tables
from tests.api.conftest import Service

WAIT = {"Prefer": "wait=10"}
LAMP = {"name": "Elegant Lamp", "price": 12900}


def problem(answer: Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert document["code"] == code
    assert document["type"] == f"http://command.test/problems/{code}"
    assert document["title"]
    assert document["detail"]
    return document


def only_error(answer: Response, status: int, code: str) -> dict[str, str]:
    (error,) = problem(answer, status, code)["errors"]
    return error


def test_a_command_is_accepted_without_waiting(service: Service) -> None:
    with service.resting_worker():
        answer = service.client.post("/items", json=LAMP)

    assert answer.status_code == 202
    body = answer.json()
    assert body["status"] == "accepted"
    assert answer.headers["location"] == body["links"]["command"]
    assert body["links"]["command"] == (
        f"http://query.test/commands/{body['command_id']}?token={body['token']}"
    )
    assert body["links"]["item"] == f"http://query.test/items/{body['item_id']}"
    assert answer.headers["consistency-token"] == body["token"]
    assert answer.headers["retry-after"] == "1"
    assert "preference-applied" not in answer.headers
    assert body["item_id"][14] == "7"


def test_waiting_gives_the_answer_of_a_synchronous_api(service: Service) -> None:
    created = service.client.post("/items", json=LAMP, headers=WAIT)

    assert created.status_code == 201
    item = created.json()
    assert {**item, "created_at": 0, "updated_at": 0} == {
        **LAMP,
        "id": item["id"],
        "description": None,
        "currency": "EUR",
        "version": 1,
        "created_at": 0,
        "updated_at": 0,
        "deleted_at": None,
    }
    assert created.headers["etag"] == '"1"'
    assert created.headers["location"] == f"http://query.test/items/{item['id']}"
    assert created.headers["preference-applied"] == "wait=10"
    assert created.headers["vary"] == "Prefer, Origin"
    path = f"/items/{item['id']}"
    patched = service.client.patch(path, json={"price": 1}, headers=WAIT)
    assert (patched.status_code, patched.headers["etag"]) == (200, '"2"')
    assert patched.json()["price"] == 1
    deleted = service.client.delete(path, headers=WAIT)
    assert (deleted.status_code, deleted.content) == (204, b"")
    restored = service.client.post(path + "/restore", headers=WAIT)
    assert (restored.status_code, restored.headers["etag"]) == (200, '"4"')
    same = service.client.put(path, json={**LAMP, "price": 1}, headers=WAIT)
    assert (same.status_code, same.headers["etag"]) == (200, '"4"')


def test_what_is_not_ready_in_time_is_accepted_for_later(service: Service) -> None:
    with service.resting_worker():
        answer = service.client.post("/items", json=LAMP, headers={"Prefer": "wait=1"})

    assert answer.status_code == 202


def test_a_put_creates_replaces_and_brings_back(service: Service) -> None:
    statuses = [
        service.client.put("/items/lamp-1", json=LAMP, headers=WAIT).status_code,
        service.client.put("/items/lamp-1", json={**LAMP, "price": 1}, headers=WAIT).status_code,
        service.client.delete("/items/lamp-1", headers=WAIT).status_code,
        service.client.put("/items/lamp-1", json=LAMP, headers=WAIT).status_code,
    ]

    assert statuses == [201, 200, 204, 201]


def test_refusals_are_problems_with_their_own_status(service: Service) -> None:
    client = service.client
    problem(client.patch("/items/nobody", json={"price": 1}, headers=WAIT), 404, "item-not-found")
    problem(client.delete("/items/nobody", headers=WAIT), 404, "item-not-found")
    client.put("/items/lamp-1", json=LAMP, headers=WAIT)
    stale = {**WAIT, "If-Match": '"7"'}
    refused = client.patch("/items/lamp-1", json={"price": 1}, headers=stale)
    assert problem(refused, 412, "precondition-failed")["current_version"] == 1
    only_new = {**WAIT, "If-None-Match": "*"}
    problem(client.put("/items/lamp-1", json=LAMP, headers=only_new), 412, "precondition-failed")
    client.delete("/items/lamp-1", headers=WAIT)
    problem(client.delete("/items/lamp-1", headers=WAIT), 410, "item-deleted")


def test_a_weak_tag_never_matches(service: Service) -> None:
    service.client.put("/items/lamp-1", json=LAMP, headers=WAIT)
    answer = service.client.delete("/items/lamp-1", headers={**WAIT, "If-Match": 'W/"1"'})

    problem(answer, 412, "precondition-failed")


def test_the_body_is_left_out_when_asked_for(service: Service) -> None:
    headers = {"Prefer": "wait=10, return=minimal"}
    answer = service.client.put("/items/lamp-1", json=LAMP, headers=headers)

    assert (answer.status_code, answer.content) == (201, b"")
    assert answer.headers["preference-applied"] == "wait=10, return=minimal"


@pytest.mark.parametrize(
    "prefer", ["wait", "wait=x", "wait=-1", "wait=;;", ",,", "wait=000", "=", "\x7f"]
)
def test_malformed_preferences_are_ignored(service: Service, prefer: str) -> None:
    with service.resting_worker():
        answer = service.client.put("/items/a", json=LAMP, headers={"Prefer": prefer})

    assert answer.status_code == 202


def test_paths_work_with_a_trailing_slash_too(service: Service) -> None:
    assert service.client.post("/items/", json=LAMP, headers=WAIT).status_code == 201
    assert service.client.put("/items/a/", json=LAMP, headers=WAIT).status_code == 201
    assert service.client.delete("/items/a/", headers=WAIT).status_code == 204


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [("GET", "/items", "POST"), ("POST", "/items/a", "DELETE, PATCH, PUT")],
)
def test_another_method_is_a_405_that_names_those_allowed(
    service: Service, method: str, path: str, allow: str
) -> None:
    answer = service.client.request(method, path)

    problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == allow


@pytest.mark.parametrize("path", ["/", "/items", "/items/a"])
def test_who_comes_to_the_command_api_to_read_is_told_where_that_is(
    service: Service, path: str
) -> None:
    said = service.client.get(path).json()["detail"]
    assert said.endswith("what is read, and the pages for people, are at http://query.test")
    assert "http" not in service.client.post("/nowhere").json()["detail"]


@pytest.mark.parametrize("path", ["/", "/nowhere", "/items/a/b/c", "/problems/none"])
def test_an_unknown_path_is_a_404(service: Service, path: str) -> None:
    problem(service.client.get(path), 404, "not-found")


@pytest.mark.parametrize("item_id", ["BANK CHARGES", "-a", "x" * 65, "é"])
def test_an_id_that_no_item_can_have_is_told_so(service: Service, item_id: str) -> None:
    problem(service.client.put(f"/items/{item_id}", json=LAMP), 422, "invalid-item-id")


@pytest.mark.parametrize(
    ("headers", "header"),
    [
        ({"Idempotency-Key": '""'}, "Idempotency-Key"),
        ({"Idempotency-Key": "two words"}, "Idempotency-Key"),
        ({"Idempotency-Key": "x" * 256}, "Idempotency-Key"),
        ({"If-Match": "7"}, "If-Match"),
        ({"If-Match": '"7",'}, "If-Match"),
        ({"If-None-Match": '"7"'}, "If-None-Match"),
        ({"If-None-Match": "*", "If-Match": '"1"'}, "If-None-Match"),
    ],
)
def test_a_header_that_cannot_be_read_is_a_400(
    service: Service, headers: dict[str, str], header: str
) -> None:
    error = only_error(
        service.client.put("/items/a", json=LAMP, headers=headers), 400, "malformed-header"
    )

    assert error["header"] == header


def test_a_reason_is_kept_in_the_events(service: Service) -> None:
    service.client.put("/items/a", json={**LAMP, "reason": "new"}, headers=WAIT)
    service.client.delete("/items/a?reason=broken", headers=WAIT)
    rows = service.world.rows(tables.events, "offset")

    assert [(row["reason"], row["actor"]) for row in rows] == [
        ("new", "anonymous"),
        ("broken", "anonymous"),
    ]


def test_a_wait_of_any_length_is_capped(service: Service) -> None:
    headers = {"Prefer": f"wait={'9' * 5000}"}
    answer = service.client.put("/items/a", json=LAMP, headers=headers)

    assert answer.status_code == 201
    assert answer.headers["preference-applied"] == "wait=30"


def test_head_works_wherever_get_does(service: Service) -> None:
    for path in ("/health/live", "/health/ready", "/openapi.json", "/problems/not-json"):
        answer = service.client.head(path)
        assert (answer.status_code, answer.content) == (200, b"")


def test_health_says_whether_commands_can_be_accepted(service: Service) -> None:
    assert service.client.get("/health/live").json() == {"status": "live"}
    assert service.client.get("/health/ready").json()["status"] == "ready"


def test_every_problem_has_a_page_that_needs_nothing_from_elsewhere(service: Service) -> None:
    page = service.client.get("/problems/invalid-body")

    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_a_defect_is_a_500_that_tells_nothing_of_the_inside(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.routes.items.translate.create", lambda *_: 1 / 0)
    answer = service.client.post("/items", json=LAMP)

    problem(answer, 500, "internal-error")
    assert "division" not in answer.text
