"""A batch that is applied together or not at all."""

from typing import Any

from ledger import tables
from tests.api.conftest import Service
from tests.api.test_batch import put
from tests.api.test_items import LAMP, WAIT, problem


def send(service: Service, *commands: Any, **headers: str) -> Any:
    body = {"atomic": True, "commands": commands, "reason": "all or none"}
    return service.client.post("/items/batch", json=body, headers=WAIT | headers)


def test_every_row_is_applied(service: Service) -> None:
    answer = send(service, put("a"), {"op": "patch", "id": "a", "price": 1}, put("b"))

    assert answer.status_code == 200
    assert [each["status"] for each in answer.json()["results"]] == ["applied"] * 3
    told = service.world.rows(tables.events, "offset")
    assert {each["reason"] for each in told} == {"all or none"}
    assert len(told) == 3


def test_one_refused_row_refuses_all(service: Service) -> None:
    answer = send(service, put("a"), {"op": "patch", "id": "nobody", "price": 1}, put("b"))

    told = answer.json()["results"]
    assert answer.status_code == 200
    assert [each["problem"]["code"] for each in told] == [
        "batch-rejected",
        "item-not-found",
        "batch-rejected",
    ]
    assert service.world.rows(tables.events, "offset") == []


def test_a_bad_row_refuses_the_request_and_is_named(service: Service) -> None:
    answer = send(service, put("a"), {"op": "patch", "id": "b", "price": "1"}, {"op": "x"})

    pointers = [each["pointer"] for each in problem(answer, 422, "invalid-body")["errors"]]
    assert pointers == ["/commands/1/price", "/commands/2"]


def test_a_repeat_under_the_key_has_one_effect_and_the_same_answer(service: Service) -> None:
    key = {"Idempotency-Key": "atomic-1"}
    rows = [put("a"), {"op": "create", **LAMP}]
    first, again = send(service, *rows, **key), send(service, *rows, **key)

    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert len(service.world.rows(tables.events, "offset")) == 2
    problem(send(service, put("b"), **key), 422, "idempotency-key-reused")


def test_without_waiting_every_row_is_accepted_under_an_id_of_its_own(service: Service) -> None:
    body = {"atomic": True, "commands": [put("a"), put("b")]}
    answer = service.client.post("/items/batch", json=body)

    told = answer.json()["results"]
    assert answer.status_code == 202
    assert [each["status"] for each in told] == ["accepted"] * 2
    assert len({each["command_id"] for each in told}) == 2
