"""Requests that are too long, too deep or too many are answered at once, and never with a 500."""

from collections.abc import Generator

import anyio
import pytest
from redis import Redis

from api.rate import limit_in
from eventlog.clients import counting_pool
from runtime.auth.denied import Denied
from runtime.settings import Settings
from tests.api.conftest import Api, configured, running_api
from tests.api.test_items import LAMP, problem
from tests.api.test_server import Running, problem_of
from tests.api.test_server import api as server
from tests.tokens import bearer, guard

JSON = {"Content-Type": "application/json"}
DEEP = [65, 199, 201, 1000, 100_000]


@pytest.mark.parametrize("depth", DEEP)
@pytest.mark.parametrize("way", ['{"a":', "["], ids=["objects", "arrays"])
def test_json_that_is_nested_too_deeply_is_refused(api: Api, depth: int, way: str) -> None:
    end = "1" + ("}" if way[0] == "{" else "]") * depth
    deep = way * depth + end
    bodies = {
        ("POST", "/items"): f'{{"name": "Lamp", "price": {deep}}}',
        ("PUT", "/items/a"): deep,
        ("PATCH", "/items/a"): f'{{"description": {deep}}}',
        ("POST", "/items/a/restore"): f'{{"reason": {deep}}}',
        ("POST", "/items/batch"): deep,
    }
    for (method, path), body in bodies.items():
        answer = api.client.request(method, path, content=body, headers=JSON)
        assert answer.status_code in {400, 422}, (method, path)
        problem(answer, answer.status_code, "not-json" if depth > 200 else "invalid-body")
    rows = f'{{"commands": [{{"op": "put", "id": "a", "name": "L", "price": {deep}}}, {deep}]}}'
    for key in ({}, {"Idempotency-Key": "k"}):
        answer = api.client.post("/items/batch", content=rows, headers={**JSON, **key})
        assert answer.status_code in {202, 400}


def test_a_url_that_is_too_long_is_refused(api: Api) -> None:
    problem(api.client.get("/health/live?" + "x" * 8192), 414, "uri-too-long")
    problem(api.client.get("/items/" + "x" * 8192), 414, "uri-too-long")


def test_headers_that_are_too_large_are_refused(api: Api) -> None:
    large = api.client.get("/health/live", headers={"X-Large": "x" * 32_768})
    many = api.client.get("/health/live", headers={f"X-{n}": "x" * 90 for n in range(400)})
    problem(large, 431, "headers-too-large")
    problem(many, 431, "headers-too-large")


running = server


@pytest.mark.parametrize(
    "begun", [b"GET /", b"GET / HTTP/1.1\r\nX: ", b"GET / HTTP/1.1\r\nX: y\r\n"]
)
def test_a_head_that_does_not_come_to_an_end_is_cut_off(running: Running, begun: bytes) -> None:
    rest = b"x" * 200_000 if not begun.endswith(b"\r\n") else b"A: b\r\n" * 30_000
    assert problem_of(running.exchange(begun + rest)) == (431, "headers-too-large")


def test_heads_that_come_in_parts_are_taken(running: Running) -> None:
    one = b"GET /health/live HTTP/1.1\r\nHost: command.test\r\nX: " + b"x" * 8000 + b"\r\n"
    answers = running.exchange((one + b"\r\n") * 30 + one + b"Connection: close\r\n\r\n")
    assert answers.count(b"HTTP/1.1 200 OK") == 31


@pytest.fixture
def limited(settings: Settings, valkey_url: str, redis: "Redis") -> Generator[Api]:
    with running_api(settings, valkey_url, guard=guard(settings), rate="3/minute") as api:
        yield api


def test_who_asks_too_often_is_told_when_to_come_back(limited: Api) -> None:
    sent = [
        limited.client.post("/items", json=LAMP, headers=bearer("items:write")) for _ in range(5)
    ]
    assert [each.status_code for each in sent] == [202, 202, 202, 429, 429]
    problem(sent[3], 429, "rate-limited")
    assert 1 <= int(sent[3].headers["retry-after"]) <= 60
    # Others, and open doors, are not counted with it.
    other = limited.client.post("/items", json=LAMP, headers=bearer("items:write", subject="hugo"))
    assert other.status_code == 202
    assert all(limited.client.get("/health/live").status_code == 200 for _ in range(5))


def test_who_guesses_tokens_is_counted_by_address(limited: Api) -> None:
    forged = {"Authorization": "Bearer forged"}
    statuses = [limited.client.post("/items", headers=forged).status_code for _ in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    good = limited.client.post("/items", json=LAMP, headers=bearer("items:write"))
    assert good.status_code == 202


def test_processes_count_together(settings: Settings, valkey_url: str, redis: "Redis") -> None:
    statuses: list[int] = []
    for _ in range(2):
        with running_api(settings, valkey_url, rate="3/minute") as api:
            statuses += [api.client.post("/items", json=LAMP).status_code for _ in range(2)]
    assert statuses == [202, 202, 202, 429]


async def counted(url: str, times: int) -> int:
    """Ask this often where one request is allowed, and say how often it was."""
    pool = counting_pool(url)
    limit, allowed = limit_in(pool, "1/minute"), 0
    for _ in range(times):
        try:
            await limit("rosa")
        except Denied:
            continue
        allowed += 1
    await pool.disconnect()
    return allowed


def test_where_it_can_not_be_counted_nobody_is_refused_and_it_is_said_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert anyio.run(counted, "redis://127.0.0.1:1", 50) == 50
    assert capsys.readouterr().out.count("requests can not be counted") == 1


def test_a_full_redis_is_no_reason_to_refuse(valkey_url: str, redis: "Redis") -> None:
    assert anyio.run(counted, valkey_url, 5) == 1
    with configured(redis, maxmemory="1"):
        assert anyio.run(counted, valkey_url, 5) == 5


def test_nobodys_name_is_left_in_redis(limited: Api, redis: "Redis") -> None:
    limited.client.post("/items", json=LAMP, headers=bearer("items:write", subject="rosa-parks"))
    names = list(redis.scan_iter("itemledger:rate*"))
    assert names
    assert not any(b"rosa" in name for name in names)
