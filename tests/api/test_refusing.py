"""What was accepted is answered as before, while nothing new is."""

from pathlib import Path

from redis import Redis

from eventlog import keys
from runtime.failpoints import failpoints
from runtime.settings import Settings
from tests.api.conftest import Api, Service, configured, running_api
from tests.api.test_items import LAMP, WAIT, problem
from tests.waiting import until

KEY = {"Idempotency-Key": "k1"}


def test_what_was_accepted_is_answered_as_before_while_nothing_new_is(
    redis: "Redis", api: Api
) -> None:
    first = api.client.post("/items", json=LAMP, headers=KEY)
    rows = {"commands": [{"op": "put", "id": "a", **LAMP}, {"op": "put", "id": "b", **LAMP}]}
    batch = api.client.post("/items/batch", json=rows, headers=KEY)
    with configured(redis, maxmemory_policy="allkeys-lru"):
        api.until_it_refuses("allkeys-lru")
        again = api.client.post("/items", json=LAMP, headers=KEY)
        batch_again = api.client.post("/items/batch", json=rows, headers=KEY)
        other = api.client.post("/items", json=LAMP, headers={"Idempotency-Key": "k2"})
        reused = api.client.post("/items", json={**LAMP, "price": 1}, headers=KEY)

    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert batch_again.json() == batch.json()
    problem(other, 503, "not-accepted")
    problem(reused, 422, "idempotency-key-reused")


def test_a_waiting_repeat_gets_its_final_answer_while_nothing_new_is_accepted(
    redis: "Redis", service: Service
) -> None:
    first = service.client.post("/items", json=LAMP, headers={**KEY, **WAIT})
    with configured(redis, maxmemory_policy="allkeys-lru"):
        until(lambda: service.client.get("/health/ready").is_server_error, 30, "it refuses")
        again = service.client.post("/items", json=LAMP, headers={**KEY, **WAIT})

    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotent-replayed"] == "true"


def test_a_keyed_batch_is_known_to_a_server_that_takes_nothing(redis: "Redis", api: Api) -> None:
    rows = {"commands": [{"op": "put", "id": "a", **LAMP}]}
    first = api.client.post("/items/batch", json=rows, headers=KEY)
    with configured(redis, maxmemory="1"):
        again = api.client.post("/items/batch", json=rows, headers=KEY)
        other = api.client.post("/items/batch", json=rows, headers={"Idempotency-Key": "k2"})

    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    problem(other, 503, "not-accepted")


def test_a_process_that_fails_before_it_answers_has_accepted(
    settings: Settings, valkey_url: str, redis: "Redis", tmp_path: Path
) -> None:
    (tmp_path / "api.before_answer").write_text("raise")
    with running_api(settings, valkey_url, reach=failpoints(tmp_path)) as api:
        failed = api.client.put("/items/a", json=LAMP, headers=KEY)
        again = api.client.put("/items/a", json=LAMP, headers=KEY)

    problem(failed, 500, "internal-error")
    assert (again.status_code, again.headers["idempotent-replayed"]) == (202, "true")
    assert redis.xlen(keys.log(0)) == 1
