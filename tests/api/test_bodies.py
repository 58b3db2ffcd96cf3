"""Bodies and parameters that are not what is asked for, told where and why."""

import json
from collections.abc import Generator
from typing import Any

import pytest

from ledger import tables
from tests.api.conftest import Service
from tests.api.test_items import LAMP, WAIT, only_error, problem


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
        ({**LAMP, "id": "mine"}, "/id", "unknown-member", "PUT /items/"),
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


def test_a_flag_is_true_or_false(service: Service) -> None:
    body = {"atomic": 1, "commands": [{"op": "delete", "id": "a"}]}
    error = only_error(service.client.post("/items/batch", json=body), 422, "invalid-body")

    told = {"pointer": "/atomic", "code": "not-a-boolean", "detail": "must be true or false"}
    assert error == told


def test_every_wrong_spot_is_named_at_once(service: Service) -> None:
    answer = service.client.post("/items", json={"price": -1, "colour": "red"})
    errors = problem(answer, 422, "invalid-body")["errors"]

    assert {each["pointer"] for each in errors} == {"/name", "/price", "/colour"}


@pytest.mark.parametrize("member", ["name", "price", "currency"])
def test_a_patch_cannot_set_null_what_every_item_has(service: Service, member: str) -> None:
    error = only_error(service.client.patch("/items/a", json={member: None}), 422, "invalid-body")

    assert error["pointer"] == f"/{member}"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "the body is empty: send a JSON object with name and price"),
        (b" \n", "the body is empty: send a JSON object with name and price"),
        (b"{", "it ends before it is complete: line 1 column 2"),
        (b'{"name":"Lamp",\n"price":1,}', "trailing comma is not allowed: line 2 column 10"),
        (b"{'name':'Lamp','price':1}", "expected a name in double quotes: line 1 column 2"),
        (b"name=Lamp", "unexpected character, expected a JSON value: line 1 column 1"),
        (b'{"name":"\xff","price":1}', "byte 10 is not UTF-8"),
        (b'{"a":"\\ud800"}', "half a character"),
        (b'{"name":"Lamp\n","price":1}', "a line break or another control character"),
        (b'{"name":"Lamp","price":NaN}', "expected a JSON value: line 1 column 24"),
        (b'{"name":"Lamp","price":1.}', "no digit after decimal point: line 1 column 26"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "it is nested too deeply"),
        (b"[" * 300, "it is nested too deeply"),
        (b'\xef\xbb\xbf{"name":"Lamp","price":1}', "a byte order mark"),
    ],
)
def test_what_is_not_json_is_a_400_that_says_why(service: Service, body: bytes, says: str) -> None:
    answer = service.client.post(
        "/items", content=body, headers={"Content-Type": "application/json"}
    )

    assert says in problem(answer, 400, "not-json")["detail"]


@pytest.mark.parametrize(
    ("method", "path", "wanted"),
    [
        ("PATCH", "/items/a", "any of name, description, price, currency, reason"),
        ("POST", "/items/batch", "commands"),
        ("POST", "/items/a/revert", "to_version"),
        ("POST", "/items/a/scheduled-prices", "price and effective_from"),
    ],
)
def test_an_empty_body_is_told_what_is_wanted(
    service: Service, method: str, path: str, wanted: str
) -> None:
    answer = service.client.request(method, path, headers={"Content-Type": "application/json"})

    says = f"the body is empty: send a JSON object with {wanted}"
    assert problem(answer, 400, "not-json")["detail"] == says


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


def test_a_compressed_body_is_told_to_come_as_it_is(service: Service) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = service.client.post("/items", content=b"{}", headers=headers)

    problem(answer, 415, "unsupported-media-type")
    assert "gzip" in answer.json()["detail"]


def test_a_body_whose_length_is_not_told_is_cut_off_at_the_limit(service: Service) -> None:
    def endless() -> Generator[bytes]:
        yield b'{"name":"'
        for _ in range(2048):
            yield b"x" * 1024

    answer = service.client.post(
        "/items", content=endless(), headers={"Content-Type": "application/json"}
    )

    problem(answer, 413, "body-too-large")
