"""Who may command what: every route, with every scope."""

import base64
import itertools
from collections.abc import Generator
from typing import Any

import httpx
import orjson
import pytest
from redis import Redis

from api.scopes import NEEDED
from eventlog import keys
from runtime.auth import cookie
from runtime.auth.caller import SCOPES
from runtime.settings import Settings
from tests.api.conftest import Api, running_api
from tests.api.test_items import LAMP, problem
from tests.tokens import bearer, guard, token

ROUTES = sorted(NEEDED)
# Written out once more: what stands in the table is to be what was meant.
WRITING = {
    ("POST", "/items"),
    ("POST", "/items/batch"),
    ("PUT", "/items/{item_id}"),
    ("PATCH", "/items/{item_id}"),
    ("DELETE", "/items/{item_id}"),
    ("POST", "/items/{item_id}/restore"),
    ("POST", "/items/{item_id}/revert"),
    ("POST", "/items/{item_id}/scheduled-prices"),
    ("DELETE", "/items/{item_id}/scheduled-prices/{schedule_id}"),
    ("POST", "/imports"),
    ("POST", "/imports/{import_id}/pause"),
    ("POST", "/imports/{import_id}/resume"),
    ("POST", "/imports/{import_id}/cancel"),
    ("POST", "/imports/{import_id}/revert"),
}
OPERATING = {
    ("GET", "/metrics"),
    ("HEAD", "/metrics"),
    ("POST", "/dead/{command_id}/replay"),
    ("POST", "/dead/{command_id}/discard"),
}
SETS = [combined for count in range(4) for combined in itertools.combinations(SCOPES, count)]


@pytest.fixture
def guarded(settings: Settings, valkey_url: str, redis: "Redis") -> Generator[Api]:
    with running_api(settings, valkey_url, guard=guard(settings)) as api:
        yield api


def ask(api: Api, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    filled = path.replace("{item_id}", "lamp-1").replace("{code}", "not-found")
    for name in ("{schedule_id}", "{import_id}", "{command_id}"):
        filled = filled.replace(name, "x")
    return api.client.request(method, filled, headers=headers)


def test_the_cookie_of_who_has_signed_in_counts_from_the_query_apis_pages_alone(
    guarded: Api,
) -> None:
    signed_in = {"Cookie": f"other=1; {cookie.NAME}={token('items:write')}"}
    page = "http://query.test"
    for origin in (None, "null", "https://evil.example", f"{page}.evil.example", page.upper()):
        headers = signed_in | ({} if origin is None else {"Origin": origin})
        answer = guarded.client.post("/items", json=LAMP, headers=headers)
        problem(answer, 401, "unauthenticated")
    answer = guarded.client.post("/items", json=LAMP, headers=signed_in | {"Origin": page})
    assert answer.status_code == 202
    assert answer.headers["access-control-allow-origin"] == page
    assert answer.headers["access-control-allow-credentials"] == "true"
    # A token in the header says who asks, whatever the cookie says.
    headers = {**signed_in, "Origin": page, "Authorization": "Bearer nonsense"}
    problem(guarded.client.post("/items", json=LAMP, headers=headers), 401, "unauthenticated")


def test_the_cookies_scopes_count(guarded: Api) -> None:
    headers = {
        "Cookie": f"{cookie.NAME}={token('items:read')}",
        "Origin": "http://query.test",
    }
    answer = guarded.client.post("/items", json=LAMP, headers=headers)
    problem(answer, 403, "insufficient-scope")


def test_who_writes_or_operates_needs_the_scope_for_it_and_everything_else_is_open() -> None:
    for route in ROUTES:
        needed = ("items:write",) if route in WRITING else ("ops",) if route in OPERATING else ()
        assert tuple(NEEDED[route]) == needed, route
    assert set(NEEDED) > WRITING | OPERATING


def test_every_route_with_every_set_of_scopes(guarded: Api) -> None:
    for method, path in ROUTES:
        needed = NEEDED[method, path]
        for scopes in SETS:
            answer = ask(guarded, method, path, bearer(*scopes))
            allowed = not needed or bool(set(scopes) & set(needed))
            assert (answer.status_code != 403) == allowed, (method, path, scopes)
            assert answer.status_code != 401, (method, path, scopes)
            if not allowed and method == "HEAD":
                assert f'scope="{needed[0]}"' in answer.headers["www-authenticate"]
            elif not allowed:
                assert needed[0] in problem(answer, 403, "insufficient-scope")["detail"]
                challenge = answer.headers["www-authenticate"]
                assert 'error="insufficient_scope"' in challenge
                assert f'scope="{needed[0]}"' in challenge


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Basic cm9zYTpyb3Nh"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer forged.token.here"},
    ],
)
def test_without_a_good_token_only_open_doors_are_open(
    guarded: Api, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = ask(guarded, method, path, headers)
    if not NEEDED[method, path]:
        assert answer.status_code != 401
        return
    if method == "HEAD":
        assert answer.status_code == 401
    else:
        problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith('Bearer realm="itemledger"')
    forged = "forged" in headers.get("Authorization", "")
    assert ('error="invalid_token"' in answer.headers["www-authenticate"]) == forged
    assert answer.headers["cache-control"] == "no-store"


def test_the_table_has_every_route_and_no_other(guarded: Api) -> None:
    document = guarded.client.get("/openapi.json").json()
    described = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
    }
    assert described == set(NEEDED)


def test_a_token_twice_is_none(guarded: Api) -> None:
    header = ("Authorization", bearer("items:write")["Authorization"])
    answer = guarded.client.post("/items", json=LAMP, headers=[header, header])
    problem(answer, 401, "unauthenticated")


def test_a_revoked_token_is_refused(settings: Settings, valkey_url: str, redis: "Redis") -> None:
    sent = bearer("items:write")
    payload = sent["Authorization"].split(".")[1]
    token_id = orjson.loads(base64.urlsafe_b64decode(payload + "=="))["jti"]
    with running_api(settings, valkey_url, guard=guard(settings, token_id)) as api:
        answer = api.client.post("/items", json=LAMP, headers=sent)
        other = api.client.post("/items", json=LAMP, headers=bearer("items:write"))
    assert "revoked" in problem(answer, 401, "unauthenticated")["detail"]
    assert other.status_code == 202


def entries(redis: "Redis") -> list[dict[str, Any]]:
    found: Any = redis.xrange(keys.log(0))
    return [orjson.loads(fields[b"c"]) for _, fields in found]


def test_the_actor_is_the_tokens_subject(guarded: Api, redis: "Redis") -> None:
    for subject in ("rosa", "Großmutter ☀"):
        sent = bearer("items:write", subject=subject)
        assert guarded.client.post("/items", json=LAMP, headers=sent).status_code == 202
        rows = {"commands": [{"op": "put", "id": "a", **LAMP}]}
        assert guarded.client.post("/items/batch", json=rows, headers=sent).status_code == 202
    told = [entry["actor"] for entry in entries(redis)]
    assert told == ["rosa", "rosa", "Großmutter ☀", "Großmutter ☀"]


def test_without_keys_the_actor_is_anonymous(api: Api, redis: "Redis") -> None:
    api.client.post("/items", json=LAMP)
    assert [entry["actor"] for entry in entries(redis)] == ["anonymous"]


def test_one_callers_key_is_not_anothers(guarded: Api) -> None:
    rosa = {**bearer("items:write"), "Idempotency-Key": "k"}
    hugo = {**bearer("items:write", subject="hugo"), "Idempotency-Key": "k"}
    first = guarded.client.post("/items", json=LAMP, headers=rosa)
    again = guarded.client.post(
        "/items", json=LAMP, headers={**bearer("items:write"), "Idempotency-Key": "k"}
    )
    other = guarded.client.post("/items", json={**LAMP, "price": 1}, headers=hugo)
    assert again.json() == first.json()
    assert other.status_code == 202
    assert other.json()["command_id"] != first.json()["command_id"]


AT = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize("scopes", SETS)
def test_when_something_took_effect_only_operators_may_say(
    guarded: Api, redis: "Redis", scopes: Any
) -> None:
    rows = [{"op": "put", "id": "a", **LAMP}, {"op": "put", "id": "b", "effective_at": AT, **LAMP}]
    answer = guarded.client.post(
        "/items/batch", json={"commands": rows}, headers=bearer("items:write", *scopes)
    )
    if "ops" in scopes:
        assert answer.status_code == 202
        return
    assert "ops" in problem(answer, 403, "insufficient-scope")["detail"]
    assert 'scope="ops"' in answer.headers["www-authenticate"]
    assert entries(redis) == []


@pytest.mark.parametrize("row", [None, [], "x", {}, {"effective_at": None}])
def test_a_row_that_says_no_time_needs_no_more(guarded: Api, row: Any) -> None:
    answer = guarded.client.post(
        "/items/batch", json={"commands": [row]}, headers=bearer("items:write")
    )
    assert answer.status_code == 202
