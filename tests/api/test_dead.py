"""Orders about dead commands, as an operator gives them over HTTP."""

from urllib.parse import urlsplit

import httpx
import pytest
from redis import Redis

from eventlog import keys
from eventlog.codec import decode
from eventlog.envelope import Order
from ledger import tables
from tests.api.conftest import Api, Service
from tests.api.test_items import problem
from tests.waiting import until
from tests.worker.world import World

BAD = b'{"id":"bad","item":"lamp-1","at":1,"op":"of a later release"}'


def order(api: Api | Service, path: str, **headers: str) -> httpx.Response:
    return api.client.post(path, headers={name.replace("_", "-"): v for name, v in headers.items()})


def kill_one(world: World) -> None:
    """Put a command on the log that nobody can read, and see it dead."""
    epoch, n = (int(each) for each in world.redis.hmget(keys.head(0), "epoch", "n"))
    world.redis.xadd(keys.log(0), {"c": BAD}, id=f"{epoch}-{n + 1}")
    world.redis.hset(keys.head(0), "n", str(n + 1))
    until(lambda: world.rows(tables.quarantine, "n"), 30, "it is dead")


def test_an_order_goes_on_the_log_once_under_its_key(api: Api, redis: "Redis") -> None:
    path = "/dead/bad/replay?partition=0"
    first = order(api, path, Idempotency_Key="k1")
    assert first.status_code == 202
    again = order(api, path, Idempotency_Key="k1")
    assert again.json() == first.json()
    entries = [decode(entry[b"c"]) for _, entry in redis.xrange(keys.log(0))]  # type: ignore[misc]
    (given,) = [each for each in entries if isinstance(each, Order)]
    assert (given.what, given.command_id, given.actor) == ("replay", "bad", "anonymous")
    assert given.id == first.json()["command_id"]
    assert first.headers["Location"] == first.json()["links"]["command"]
    assert urlsplit(first.headers["Location"]).path == f"/commands/{given.id}"


@pytest.mark.parametrize("asked", ["", "?partition=", "?partition=01", "?partition=-1", "?x=1"])
def test_an_order_names_a_partition_that_there_is(api: Api, redis: "Redis", asked: str) -> None:
    answer = order(api, f"/dead/bad/discard{asked}")
    assert problem(answer, 400, "bad-parameter")["errors"][0]["parameter"] in {"partition", "x"}
    assert redis.xlen(keys.log(0)) == 0


def test_in_a_partition_that_is_not_there_nothing_is_dead(api: Api) -> None:
    problem(order(api, "/dead/bad/replay?partition=1"), 404, "not-dead")


def test_a_dead_command_is_given_up(service: Service) -> None:
    service.client.put(
        "/items/lamp-1", json={"name": "L", "price": 1}, headers={"Prefer": "wait=9"}
    )
    kill_one(service.world)
    answer = order(service, "/dead/bad/discard?partition=0")
    assert answer.status_code == 202
    until(lambda: not service.world.rows(tables.quarantine, "n"), 30, "it is given up")
    found = {row["command_id"]: row for row in service.world.rows(tables.outcomes, "command_id")}
    assert found["bad"]["code"] == "discarded"
    assert found[answer.json()["command_id"]]["status"] == "applied"


def test_an_order_about_what_is_not_dead_changes_nothing(service: Service) -> None:
    given = order(service, "/dead/nothing/replay?partition=0").json()["command_id"]

    def told() -> list[str]:
        rows = service.world.rows(tables.outcomes, "command_id")
        return [row["code"] for row in rows if row["command_id"] == given]

    until(told, 30, "the order has an outcome")
    assert told() == ["not-dead"]
