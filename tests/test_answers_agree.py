"""What waiting answers is what the query API tells of the command afterwards, byte for byte."""

from collections.abc import Generator
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient
from httpx import Response

from eventlog.inspect import inspect_log
from ledger.engines import reading_engine
from readmodel.app import create_app
from runtime.keyed_ids import keyed_id
from runtime.settings import Settings
from runtime.times import now_ms, rfc3339
from tests.api.conftest import Service, redis, service
from tests.api.test_items import LAMP, WAIT
from tests.engines import put_away

__all__ = ["redis", "service"]

# Of the answer to a wait these tell of the request, and not of the outcome.
OF_THE_REQUEST = {
    "vary",
    "preference-applied",
    "content-length",
    "cache-control",
    "access-control-expose-headers",
}


@pytest.fixture
def query(
    service: Service, settings: Settings, sqlite_url: str, valkey_url: str
) -> Generator[FlaskClient]:
    told = settings.model_copy(
        update={"command_url": "http://command.test", "query_url": "http://query.test"}
    )
    engine, inspector = reading_engine(sqlite_url), inspect_log(valkey_url, 1)
    yield create_app(told, engine, inspector).test_client()
    inspector.close()
    put_away(engine)


def outcome(query: FlaskClient, method: str, path: str, key: str) -> dict[str, Any]:
    command_id = keyed_id("anonymous", method, path, key)
    answer = query.get(f"/commands/{command_id}")
    assert answer.status_code == 200, answer.text
    return dict(orjson.loads(answer.data)["outcome"])


def agree(waited: Response, told: dict[str, Any]) -> None:
    body = orjson.loads(waited.content) if waited.content else None
    of_outcome = {
        name: value
        for name, value in waited.headers.items()
        if name not in OF_THE_REQUEST and not name.startswith("x-")
    }
    assert told["status"] == waited.status_code
    assert told["body"] == body
    assert orjson.dumps(told["body"]) == (waited.content or b"null")
    assert {name.lower(): value for name, value in told["headers"].items()} == {
        name: value for name, value in of_outcome.items() if name in _OUTCOME
    }


_OUTCOME = {"etag", "location", "content-type", "consistency-token"}


def test_every_kind_of_answer_agrees(
    service: Service, query: FlaskClient, subtests: pytest.Subtests
) -> None:
    soon = rfc3339(now_ms() + 3_600_000)
    asked = [
        ("created", "POST", "/items", LAMP, {}),
        ("put", "PUT", "/items/a", LAMP, {}),
        ("put again", "PUT", "/items/a", LAMP, {}),
        ("patched", "PATCH", "/items/a", {"name": "Rug"}, {}),
        ("not there", "PATCH", "/items/nobody", {"name": "Rug"}, {}),
        ("not at that version", "PATCH", "/items/a", {"name": "Mat"}, {"If-Match": '"1"'}),
        ("too late", "PATCH", "/items/a", {"price": 1}, {"Command-Deadline": rfc3339(1)}),
        ("exists", "PUT", "/items/a", LAMP, {"If-None-Match": "*"}),
        ("reverted", "POST", "/items/a/revert", {"to_version": 1}, {}),
        ("no such version", "POST", "/items/a/revert", {"to_version": 99}, {}),
        (
            "scheduled",
            "POST",
            "/items/a/scheduled-prices",
            {"price": 1, "effective_from": soon},
            {},
        ),
        ("deleted", "DELETE", "/items/a", None, {}),
        ("gone", "DELETE", "/items/a", None, {}),
        ("restored", "POST", "/items/a/restore", None, {}),
        ("live already", "POST", "/items/a/restore", None, {}),
    ]
    for number, (name, method, path, body, headers) in enumerate(asked):
        with subtests.test(name):
            key = f"key-{number}"
            sent = WAIT | headers | {"Idempotency-Key": key}
            waited = service.client.request(method, path, json=body, headers=sent)
            agree(waited, outcome(query, method, path, key))


def test_a_key_used_for_another_payload_is_told_at_its_own_place(
    service: Service, query: FlaskClient
) -> None:
    key = {"Idempotency-Key": "reused"}
    first = service.client.put("/items/a", json=LAMP, headers=WAIT | key)
    service.world.redis.flushall()
    second = service.client.put("/items/a", json={**LAMP, "price": 1}, headers=key)
    waited = service.client.put("/items/a", json={**LAMP, "price": 1}, headers=WAIT | key)

    assert (first.status_code, second.status_code) == (201, 202)
    assert waited.status_code == 422
    path = second.json()["links"]["command"].removeprefix("http://query.test")
    told = orjson.loads(query.get(path).data)
    assert told["status"] == "rejected"
    assert told["outcome"]["body"]["code"] == "idempotency-key-reused"
    alone = orjson.loads(query.get(path.partition("?")[0]).data)
    assert alone["status"] == "applied"
