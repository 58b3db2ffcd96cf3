"""What holds for every answer: security headers, the other origin, and who is a stranger."""

import asyncio

import pytest

from runtime.settings import Settings
from tests.api.conftest import Api, running_api
from tests.api.test_items import LAMP, problem
from tests.tokens import bearer, guard

PAGES = "http://query.test"
ANSWERS = [
    ("GET", "/health/live", 200),
    ("GET", "/openapi.json", 200),
    ("GET", "/problems/not-found", 200),
    ("GET", "/nothing", 404),
    ("GET", "/items", 405),
    ("POST", "/items", 415),
    ("PUT", "/items/lamp", 415),
]


@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
def test_every_answer_has_the_headers_that_browsers_need(
    api: Api, method: str, path: str, status: int
) -> None:
    answer = api.client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "cache-control" in answer.headers
    assert "unsafe" not in answer.headers["content-security-policy"]


def test_an_error_that_nobody_caught_has_them_too(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("api.routes.items.translate.create", broken)
    answer = api.client.post("/items", json=LAMP, headers={"Origin": PAGES})
    problem(answer, 500, "internal-error")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["access-control-allow-origin"] == PAGES


def test_a_request_that_the_end_of_the_process_cuts_off_is_answered_with_them_too(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(*_: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr("api.routes.items.translate.create", cut_off)
    answer = api.client.post("/items", json=LAMP, headers={"Origin": PAGES})
    problem(answer, 504, "outcome-unknown")
    assert answer.headers["access-control-allow-origin"] == PAGES
    assert answer.headers["retry-after"] == "1"


def test_the_pages_of_the_query_api_may_command(api: Api) -> None:
    asked = {
        "Origin": PAGES,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization,if-match,content-type",
    }
    answer = api.client.options("/items/lamp", headers=asked)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == PAGES
    assert "PATCH" in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"].lower().split(", ")
    assert set(allowed) == {
        *("authorization", "content-type", "idempotency-key", "if-match", "if-none-match"),
        *(
            "prefer",
            "command-deadline",
            "consistency-token",
            "content-encoding",
            "content-disposition",
        ),
    }
    assert "access-control-allow-credentials" not in answer.headers


def test_what_they_need_of_an_answer_is_exposed(api: Api) -> None:
    answer = api.client.post("/items", json=LAMP, headers={"Origin": PAGES})
    assert answer.headers["access-control-allow-origin"] == PAGES
    assert set(answer.headers["access-control-expose-headers"].split(", ")) == {
        *("ETag", "Location", "Consistency-Token", "Preference-Applied"),
        *("Idempotent-Replayed", "Retry-After"),
    }
    assert set(answer.headers["vary"].split(", ")) == {"Prefer", "Origin"}


def test_errors_can_be_read_by_them_too(settings: Settings, valkey_url: str) -> None:
    origin = {"Origin": PAGES}
    with running_api(settings, valkey_url, guard=guard(settings)) as api:
        write = {**origin, **bearer("items:write")}
        answers = [
            api.client.post("/items", json=LAMP, headers=origin),
            api.client.post("/items", json=LAMP, headers={**origin, **bearer("ops")}),
            api.client.post("/items", content=b" " * (2 << 20), headers=write),
            api.client.post("/items", content=b"{", headers=write),
            api.client.get("/nothing", headers=origin),
        ]
    assert [each.status_code for each in answers] == [401, 403, 413, 415, 404]
    assert {each.headers["access-control-allow-origin"] for each in answers} == {PAGES}


FOREIGN = ["http://evil.example", "https://query.test", "http://query.test:81", "null", "x"]


@pytest.mark.parametrize("origin", FOREIGN)
def test_with_tokens_a_page_of_somebody_else_is_told_nothing(
    settings: Settings, valkey_url: str, origin: str
) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    with running_api(settings, valkey_url, guard=guard(settings)) as api:
        preflight = api.client.options("/items", headers=asked)
        answer = api.client.post(
            "/items", json=LAMP, headers={"Origin": origin, **bearer("items:write")}
        )
    problem(preflight, 405, "method-not-allowed")
    assert answer.status_code == 202
    for each in (preflight, answer):
        assert not [name for name in each.headers if name.startswith("access-control")]
        assert "Origin" in each.headers["vary"]


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize("path", ["/items", "/health/live", "/nothing"])
def test_without_tokens_a_page_of_somebody_else_is_refused(
    api: Api, origin: str, path: str
) -> None:
    answer = api.client.post(path, json=LAMP, headers={"Origin": origin})
    problem(answer, 403, "foreign-origin")


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "[", "10.0.0.1", "a b"],
)
def test_without_tokens_a_foreign_name_of_this_service_is_refused(api: Api, host: str) -> None:
    for path in ("/items", "/health/live"):
        problem(api.client.get(path, headers={"Host": host}), 421, "foreign-host")


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "localhost", "[::1]:8000", "command.test", "LOCALHOST:1"]
)
def test_our_own_names_are_taken(api: Api, host: str) -> None:
    assert api.client.get("/health/live", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("origin", [PAGES, "http://command.test"])
def test_our_own_pages_are_taken(api: Api, origin: str) -> None:
    assert api.client.post("/items", json=LAMP, headers={"Origin": origin}).status_code == 202


def test_with_tokens_any_name_will_do(settings: Settings, valkey_url: str) -> None:
    with running_api(settings, valkey_url, guard=guard(settings)) as api:
        assert api.client.get("/health/live", headers={"Host": "x.example"}).status_code == 200
