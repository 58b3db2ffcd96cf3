"""The same key and payload is the same command, however often it is sent."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from eventlog import keys
from ledger import tables
from tests.api.conftest import Service
from tests.api.test_items import LAMP, WAIT, problem
from tests.waiting import until

KEY = {"Idempotency-Key": '"k1"'}


def events(service: Service) -> int:
    return len(service.world.rows(tables.events, "offset"))


def test_a_repeat_is_the_same_command_and_says_so(service: Service) -> None:
    with service.resting_worker():
        first = service.client.post("/items", json=LAMP, headers=KEY)
        again = service.client.post("/items", json=LAMP, headers=KEY)

    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert first.json()["item_id"][14] == "8"


def test_a_repeat_gets_the_first_final_answer(service: Service) -> None:
    first = service.client.post("/items", json=LAMP, headers={**KEY, **WAIT})
    service.client.patch(f"/items/{first.json()['id']}", json={"price": 5}, headers=WAIT)
    again = service.client.post("/items", json=LAMP, headers={**KEY, **WAIT})

    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["etag"] == '"1"'
    assert again.headers["idempotent-replayed"] == "true"
    assert events(service) == 2


def test_a_repeat_joins_the_wait_of_the_first(service: Service) -> None:
    headers = {**KEY, **WAIT}
    with ThreadPoolExecutor(4) as pool, service.resting_worker():
        asked = [
            pool.submit(service.client.post, "/items", json=LAMP, headers=headers) for _ in range(4)
        ]
        service.works.set()
        answers = [each.result() for each in asked]

    assert {each.status_code for each in answers} == {201}
    assert len({each.content for each in answers}) == 1
    assert sum("idempotent-replayed" in each.headers for each in answers) == 3
    assert events(service) == 1


def test_a_refusal_is_repeated_too(service: Service) -> None:
    headers = {**KEY, **WAIT}
    first = service.client.patch("/items/a", json={"price": 1}, headers=headers)
    service.client.put("/items/a", json=LAMP, headers=WAIT)
    again = service.client.patch("/items/a", json={"price": 1}, headers=headers)

    assert (first.status_code, again.status_code) == (404, 404)
    assert again.content == first.content


@pytest.mark.parametrize("prefer", [{}, WAIT], ids=["at once", "waiting"])
def test_the_same_key_with_another_payload_is_refused(
    service: Service, prefer: dict[str, str]
) -> None:
    service.client.post("/items", json=LAMP, headers={**KEY, **WAIT})
    other = service.client.post("/items", json={**LAMP, "price": 1}, headers={**KEY, **prefer})

    problem(other, 422, "idempotency-key-reused")
    assert events(service) == 1


def test_a_condition_is_part_of_the_payload(service: Service) -> None:
    service.client.put("/items/a", json=LAMP, headers=KEY)
    other = service.client.put("/items/a", json=LAMP, headers={**KEY, "If-Match": '"1"'})

    problem(other, 422, "idempotency-key-reused")


def test_how_to_be_answered_and_the_order_of_members_are_no_part_of_it(service: Service) -> None:
    first = service.client.put("/items/a", json={"name": "L", "price": 1}, headers={**KEY, **WAIT})
    again = service.client.put("/items/a", json={"price": 1, "name": "L"}, headers=KEY)

    assert first.status_code == 201
    assert again.status_code == 202


def test_a_key_counts_per_method_and_path(service: Service) -> None:
    answers = [
        service.client.put("/items/a", json=LAMP, headers={**KEY, **WAIT}),
        service.client.put("/items/b", json=LAMP, headers={**KEY, **WAIT}),
        service.client.delete("/items/a", headers={**KEY, **WAIT}),
    ]

    assert [each.status_code for each in answers] == [201, 201, 204]


def test_a_bare_key_is_the_same_as_a_quoted_one(service: Service) -> None:
    service.client.put("/items/a", json=LAMP, headers=KEY)
    again = service.client.put("/items/a", json=LAMP, headers={"Idempotency-Key": "k1"})

    assert again.headers["idempotent-replayed"] == "true"


def test_a_key_that_redis_has_forgotten_is_known_to_the_ledger(service: Service) -> None:
    first = service.client.put("/items/a", json=LAMP, headers={**KEY, **WAIT})
    forgotten = service.world.redis.keys(keys.command(0, "*"))
    service.world.redis.delete(*forgotten)
    again = service.client.put("/items/a", json=LAMP, headers={**KEY, **WAIT})
    service.world.redis.delete(*service.world.redis.keys(keys.command(0, "*")))
    other = service.client.put("/items/a", json={**LAMP, "price": 1}, headers={**KEY, **WAIT})

    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    problem(other, 422, "idempotency-key-reused")
    assert events(service) == 1


def test_what_was_accepted_is_not_called_refused_by_a_full_server(service: Service) -> None:
    first = service.client.put("/items/a", json=LAMP, headers={**KEY, **WAIT})
    service.world.redis.config_set("maxmemory", "1")
    try:
        again = service.client.put("/items/a", json=LAMP, headers=KEY)
        fresh = service.client.put("/items/b", json=LAMP)
    finally:
        service.world.redis.config_set("maxmemory", "0")

    assert first.status_code == 201
    assert (again.status_code, again.headers["idempotent-replayed"]) == (202, "true")
    problem(fresh, 503, "not-accepted")


def test_the_log_forgets_an_id_ten_minutes_after_it_is_applied(service: Service) -> None:
    service.client.put("/items/a", json=LAMP, headers={**KEY, **WAIT})
    service.client.put("/items/b", json=LAMP, headers=WAIT)
    redis = service.world.redis

    def are_to_go() -> bool:
        left = [redis.ttl(each) for each in redis.keys(keys.command(0, "*"))]
        return len(left) >= 2 and all(0 < each <= 600 for each in left)

    # Those who wait are told before the log is.
    until(are_to_go, 30, "every id that the log knows having its ten minutes")
