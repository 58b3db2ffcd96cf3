"""Ask for prices that take effect by themselves, and cancel them."""

from typing import Any

import pytest

from runtime.times import now_ms, rfc3339
from tests.api.conftest import Service
from tests.api.test_items import LAMP, WAIT, problem

HOUR = 3_600_000


def soon(hours: float) -> str:
    return rfc3339(now_ms() + int(hours * HOUR))


def put_lamp(service: Service) -> None:
    answer = service.client.put("/items/lamp", json=LAMP, headers=WAIT)
    assert answer.status_code in {200, 201}


def schedule(service: Service, body: Any, **headers: str) -> Any:
    url = "/items/lamp/scheduled-prices"
    return service.client.post(url, json=body, headers=WAIT | headers)


def cancel(service: Service, schedule_id: str) -> Any:
    return service.client.delete(f"/items/lamp/scheduled-prices/{schedule_id}", headers=WAIT)


def test_a_sale_is_scheduled_and_told_with_its_place(service: Service) -> None:
    put_lamp(service)
    begins, ends = soon(1), soon(2)
    body = {"price": 5, "effective_from": begins, "effective_until": ends, "reason": "sale"}
    answer = schedule(service, body)

    assert answer.status_code == 201
    told = answer.json()
    assert answer.headers["etag"] == '"2"'
    assert answer.headers["location"] == (
        f"http://query.test/items/lamp/scheduled-prices/{told['id']}"
    )
    assert {
        "item_id": "lamp",
        "price": 5,
        "currency": "EUR",
        "effective_from": begins,
        "effective_until": ends,
        "status": "pending",
        "reason": "sale",
    }.items() <= told.items()


def test_without_waiting_the_id_of_the_scheduled_price_is_told(service: Service) -> None:
    put_lamp(service)
    body = {"price": 5, "effective_from": soon(1)}
    answer = service.client.post("/items/lamp/scheduled-prices", json=body)

    told = answer.json()
    assert answer.status_code == 202
    assert told["schedule_id"] == told["command_id"]
    assert told["links"]["scheduled_price"].endswith(told["schedule_id"])


def test_a_repeat_under_the_key_is_the_same_scheduled_price(service: Service) -> None:
    put_lamp(service)
    body = {"price": 5, "effective_from": soon(1)}
    key = {"Idempotency-Key": "sale-1"}
    first, again = schedule(service, body, **key), schedule(service, body, **key)

    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    problem(schedule(service, {**body, "price": 6}, **key), 422, "idempotency-key-reused")


def test_a_scheduled_price_is_cancelled_once(service: Service) -> None:
    put_lamp(service)
    told = schedule(service, {"price": 5, "effective_from": soon(1)}).json()

    assert cancel(service, told["id"]).status_code == 204
    problem(cancel(service, told["id"]), 404, "scheduled-price-not-found")


@pytest.mark.parametrize("schedule_id", ["x", "0193c6a5-9c1e-7b6f-8a1d-2f3e4d5c6b7a"])
def test_an_unknown_scheduled_price_can_not_be_cancelled(
    service: Service, schedule_id: str
) -> None:
    put_lamp(service)

    problem(cancel(service, schedule_id), 404, "scheduled-price-not-found")


def test_sales_that_overlap_are_refused(service: Service) -> None:
    put_lamp(service)
    schedule(service, {"price": 5, "effective_from": soon(1), "effective_until": soon(3)})
    other = {"price": 6, "effective_from": soon(2), "effective_until": soon(4)}

    problem(schedule(service, other), 409, "schedule-overlaps")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"effective_from": None}, "/effective_from"),
        ({"effective_from": "tomorrow"}, "/effective_from"),
        ({"price": -1}, "/price"),
        ({"price": 1.5}, "/price"),
        ({"currency": "XXQ"}, "/currency"),
        ({"effective_until": "2020-01-01T00:00:00Z"}, ""),
        ({"colour": 1}, "/colour"),
    ],
)
def test_a_body_that_is_not_right_names_the_spot(
    service: Service, change: dict[str, Any], pointer: str
) -> None:
    answer = schedule(service, {"price": 5, "effective_from": soon(1), **change})

    assert problem(answer, 422, "invalid-body")["errors"][0]["pointer"] == pointer


def test_a_price_of_the_past_is_none_to_schedule(service: Service) -> None:
    put_lamp(service)
    answer = schedule(service, {"price": 5, "effective_from": soon(-1)})

    problem(answer, 422, "effective-from-in-past")


def test_an_item_that_is_not_there_has_no_price_to_schedule(service: Service) -> None:
    answer = schedule(service, {"price": 5, "effective_from": soon(1)})

    problem(answer, 404, "item-not-found")
