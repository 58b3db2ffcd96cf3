"""The command API's answers, as a client sees them."""

import json
from collections.abc import Generator
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
    ("body", "pointer", "code", "says"),
    [
        ({"name": "x"}, "/price", "required", "required"),
        ({"price": 1}, "/name", "required", "required"),
        ({**LAMP, "price": "12"}, "/price", "not-an-integer", "not a string"),
        ({**LAMP, "price": 12.5}, "/price", "not-an-integer", "1250"),
        ({**LAMP, "price": 12.99}, "/price", "not-an-integer", "1299"),
        ({**LAMP, "price": 12.0}, "/price", "not-an-integer", "1200"),
        ({**LAMP, "price": True}, "/price", "not-an-integer", "not a boolean"),
        ({**LAMP, "price": None}, "/price", "not-an-integer", "integer"),
        ({**LAMP, "price": -1}, "/price", "price-range", "from 0"),
        ({**LAMP, "price": 2**53}, "/price", "price-range", "from 0"),
        ({**LAMP, "price": 10**40}, "/price", "price-range", "from 0"),
        ({**LAMP, "name": "   "}, "/name", "name-empty", "visible"),
        ({**LAMP, "name": "a\nb"}, "/name", "name-control-character", "control"),
        ({**LAMP, "name": "x" * 201}, "/name", "name-too-long", "200"),
        ({**LAMP, "name": 5}, "/name", "not-a-string", "string"),
        ({**LAMP, "description": "\0"}, "/description", "description-nul", "NUL"),
        ({**LAMP, "currency": "EURO"}, "/currency", "currency-unknown", "ISO 4217"),
        ({**LAMP, "id": "mine"}, "/id", "unknown-member", "known"),
        ({**LAMP, "a/b~c": 1}, "/a~1b~0c", "unknown-member", "known"),
        ({**LAMP, "reason": "x" * 501}, "/reason", "too-long", "500"),
        ([], "", "not-an-object", "object"),
        (None, "", "not-an-object", "object"),
    ],
)
def test_a_body_of_the_wrong_shape_is_told_where_and_why(
    service: Service, body: Any, pointer: str, code: str, says: str
) -> None:
    error = only_error(
        service.client.post(
            "/items", content=json.dumps(body), headers={"Content-Type": "application/json"}
        ),
        422,
        "invalid-body",
    )

    assert (error["pointer"], error["code"]) == (pointer, code)
    assert says in error["detail"]


def test_every_wrong_spot_is_named_at_once(service: Service) -> None:
    answer = service.client.post("/items", json={"price": -1, "colour": "red"})
    errors = problem(answer, 422, "invalid-body")["errors"]

    assert {each["pointer"] for each in errors} == {"/name", "/price", "/colour"}


@pytest.mark.parametrize("member", ["name", "price", "currency"])
def test_a_patch_cannot_set_null_what_every_item_has(service: Service, member: str) -> None:
    error = only_error(service.client.patch("/items/a", json={member: None}), 422, "invalid-body")

    assert error["pointer"] == f"/{member}"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"name":"\xff","price":1}',
        b'{"a":"\\ud800"}',
        b'{"name":"Lamp","price":NaN}',
        b'\xef\xbb\xbf{"name":"Lamp","price":1}',
    ],
)
def test_what_is_not_json_is_a_400(service: Service, body: bytes) -> None:
    answer = service.client.post(
        "/items", content=body, headers={"Content-Type": "application/json"}
    )

    problem(answer, 400, "not-json")


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_another_content_type_is_a_415(service: Service, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    problem(
        service.client.post("/items", content=b"{}", headers=headers),
        415,
        "unsupported-media-type",
    )


def test_a_patch_tells_which_types_it_takes(service: Service) -> None:
    answer = service.client.patch("/items/a", content=b"x", headers={"Content-Type": "text/plain"})

    problem(answer, 415, "unsupported-media-type")
    assert answer.headers["accept-patch"] == "application/json, application/merge-patch+json"


def test_a_merge_patch_is_taken(service: Service) -> None:
    service.client.put("/items/a", json={**LAMP, "description": "x"}, headers=WAIT)
    headers = {**WAIT, "Content-Type": "application/merge-patch+json; charset=utf-8"}
    answer = service.client.patch("/items/a", content=b'{"description":null}', headers=headers)

    assert answer.status_code == 200
    assert answer.json()["description"] is None


def test_a_body_that_is_too_large_is_a_413(service: Service) -> None:
    large = json.dumps({**LAMP, "description": "x" * 2 * 1024 * 1024})
    problem(
        service.client.post("/items", content=large, headers={"Content-Type": "application/json"}),
        413,
        "body-too-large",
    )


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


def test_an_unknown_query_parameter_is_a_400(service: Service) -> None:
    answer = service.client.post("/items?price=5", json=LAMP)

    error = only_error(answer, 400, "bad-parameter")
    assert (error["parameter"], error["code"]) == ("price", "unknown-parameter")


@pytest.mark.parametrize(
    ("query", "parameter", "code"),
    [
        ("reason=a&reason=b", "reason", "repeated-parameter"),
        ("reason=%ff", "reason", "not-text"),
    ],
)
def test_a_parameter_that_can_not_be_meant_is_a_400(
    service: Service, query: str, parameter: str, code: str
) -> None:
    error = only_error(service.client.delete(f"/items/a?{query}"), 400, "bad-parameter")

    assert (error["parameter"], error["code"]) == (parameter, code)


def test_to_delete_may_have_its_reason_in_a_body(service: Service) -> None:
    service.client.put("/items/a", json=LAMP, headers=WAIT)
    body = {"reason": "broken"}
    answer = service.client.request("DELETE", "/items/a", json=body, headers=WAIT)

    assert answer.status_code == 204
    assert service.world.rows(tables.events, "offset")[-1]["reason"] == "broken"


def test_of_thousands_of_mistakes_only_their_number_is_told(service: Service) -> None:
    body = {f"member-{n}": n for n in range(5000)}
    error = only_error(service.client.post("/items", json=body), 422, "invalid-body")

    assert error["code"] == "too-many-errors"
    assert "5,002" in error["detail"]


def test_a_reason_is_kept_in_the_events(service: Service) -> None:
    service.client.put("/items/a", json={**LAMP, "reason": "new"}, headers=WAIT)
    service.client.delete("/items/a?reason=broken", headers=WAIT)
    rows = service.world.rows(tables.events, "offset")

    assert [(row["reason"], row["actor"]) for row in rows] == [
        ("new", "anonymous"),
        ("broken", "anonymous"),
    ]


def test_a_compressed_body_is_told_to_come_as_it_is(service: Service) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = service.client.post("/items", content=b"{}", headers=headers)

    problem(answer, 415, "unsupported-media-type")
    assert "gzip" in answer.json()["detail"]


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


def test_a_body_whose_length_is_not_told_is_cut_off_at_the_limit(service: Service) -> None:
    def endless() -> Generator[bytes]:
        yield b'{"name":"'
        for _ in range(2048):
            yield b"x" * 1024

    answer = service.client.post(
        "/items", content=endless(), headers={"Content-Type": "application/json"}
    )

    problem(answer, 413, "body-too-large")
