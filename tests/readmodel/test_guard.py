"""Who may read what: every resource, with every scope."""

import itertools
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from readmodel.app import create_app
from readmodel.guard import Doorkeeper
from readmodel.scopes import NEEDED
from runtime.auth.caller import ANONYMOUS, SCOPES
from runtime.auth.denied import Denied
from runtime.auth.guard import guard_of
from runtime.problems import PROBLEM_JSON
from runtime.settings import Settings
from tests.tokens import bearer, guard

RULES = sorted(NEEDED)
SETS = [combined for count in range(4) for combined in itertools.combinations(SCOPES, count)]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def guarded(settings: Settings, engine: Engine, log: Any) -> FlaskClient:
    return create_app(settings, engine, log.inspector, guard=guard(settings)).test_client()


def path_of(rule: str) -> str:
    filled = rule.replace("<code>", "not-found")
    return "/".join("x" if part.startswith("<") else part for part in filled.split("/"))


def problem(answer: Any, status: int, code: str) -> Any:
    assert (answer.status_code, answer.content_type) == (status, PROBLEM_JSON), answer.text
    assert answer.json["code"] == code
    return answer.json


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_every_resource_with_every_set_of_scopes(guarded: FlaskClient, method: str) -> None:
    for rule in RULES:
        needed = NEEDED[rule]
        for scopes in SETS:
            answer = guarded.open(path_of(rule), method=method, headers=bearer(*scopes))
            allowed = not needed or bool(set(scopes) & set(needed))
            assert (answer.status_code != 403) == allowed, (rule, scopes)
            assert answer.status_code != 401, (rule, scopes)
            if not allowed and method == "GET":
                assert needed[0] in problem(answer, 403, "insufficient-scope")["detail"]
            if not allowed:
                assert f'scope="{needed[0]}"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Basic cm9zYTpyb3Nh"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer forged.token.here"},
        {"Authorization": "Bearer é"},
    ],
    ids=["none", "basic", "empty", "forged", "no ASCII"],
)
def test_without_a_good_token_only_open_doors_are_open(
    guarded: FlaskClient, rule: str, headers: dict[str, str]
) -> None:
    answer = guarded.get(path_of(rule), headers=headers)
    if not NEEDED[rule]:
        assert answer.status_code != 401
        return
    problem(answer, 401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="itemledger"')
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["//items", "///items", "/items/", "//status"])
def test_slashes_in_front_and_behind_lead_around_no_guard(guarded: FlaskClient, path: str) -> None:
    # As a server hands it over: in a URL, `//items` would name a host.
    answer = guarded.open("/", environ_overrides={"PATH_INFO": path})
    assert answer.status_code == 401
    answer = guarded.open("/", environ_overrides={"PATH_INFO": path}, headers=bearer("items:write"))
    assert answer.status_code == 403


def test_the_table_has_every_resource_and_the_description_says_so(guarded: FlaskClient) -> None:
    rules = {each.rule for each in guarded.application.url_map.iter_rules()}
    assert rules == set(NEEDED)
    document = guarded.get("/openapi.json").json
    for rule, needed in NEEDED.items():
        if rule == "/" or rule.startswith("/ui/"):
            continue  # pages for people are no part of what programs are told
        operation = document["paths"][rule.replace("<", "{").replace(">", "}")]["get"]
        assert operation["security"] == [{"bearer": [each]} for each in needed]
        assert ("401" in operation["responses"]) == bool(needed)


def test_what_a_token_lacks_is_said_as_it_is_described(guarded: FlaskClient) -> None:
    document = guarded.get("/openapi.json").json
    responses = document["paths"]["/items"]["get"]["responses"]
    for status, headers in ((401, {}), (403, bearer("items:write"))):
        answer = guarded.get("/items", headers=headers)
        assert answer.status_code == status
        assert "WWW-Authenticate" in answer.headers
        name = responses[str(status)]["$ref"].rpartition("/")[2]
        assert "WWW-Authenticate" in document["components"]["responses"][name]["headers"]


def test_without_keys_everybody_on_this_machine_reads_everything(client: FlaskClient) -> None:
    assert client.get("/items").status_code == 200
    assert client.get("/items", headers=bearer()).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Host": "evil.example"}, 421, "foreign-host"),
        ({"Host": "evil.example:8001"}, 421, "foreign-host"),
        ({"Host": ""}, 421, "foreign-host"),
        ({"Origin": "http://evil.example"}, 403, "foreign-origin"),
        ({"Origin": "null"}, 403, "foreign-origin"),
    ],
)
@pytest.mark.parametrize("path", ["/items", "/health/live", "/nothing"])
def test_without_keys_strangers_are_refused(
    client: FlaskClient, headers: dict[str, str], status: int, code: str, path: str
) -> None:
    problem(client.get(path, headers=headers), status, code)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "read.example"},
        {"Host": "[::1]:8001"},
        {"Origin": "https://read.example"},
        {"Origin": "https://write.example"},
    ],
)
def test_our_own_names_and_pages_are_taken(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.get("/items", headers=headers).status_code == 200


def test_what_answers_in_front_of_flask_can_ask_with_an_environment_alone(
    settings: Settings,
) -> None:
    environ = {"PATH_INFO": "/items/a", "HTTP_HOST": "localhost", "REMOTE_ADDR": "127.0.0.1"}
    door = Doorkeeper(guard_of(settings))
    door.check(environ)
    assert door.caller(environ, ["items:read"]) == ANONYMOUS
    door = Doorkeeper(guard(settings))
    with pytest.raises(Denied):
        door.caller(environ, ["items:read"])
    environ["HTTP_AUTHORIZATION"] = bearer("items:read")["Authorization"]
    assert door.caller(environ, ["items:read"]).subject == "rosa"


@pytest.mark.parametrize(
    "path",
    ["/items", "/nothing", "/health/live", "/problems/not-found", "/openapi.json", "/status"],
)
def test_every_answer_has_the_headers_that_browsers_need(client: FlaskClient, path: str) -> None:
    answers = [client.get(path), client.head(path), client.post(path), client.get(f"{path}?x=1")]
    for answer in answers:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert "Cache-Control" in answer.headers
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_a_defect_has_them_too(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("readmodel.status.check_schema", broken)
    answer = client.get("/health/ready")
    problem(answer, 500, "internal-error")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_what_is_too_long_is_refused(client: FlaskClient) -> None:
    problem(client.get("/items?q=" + "x" * 8192), 414, "uri-too-long")
    problem(client.get("/items", headers={"X-Large": "x" * 32_768}), 431, "headers-too-large")
    problem(client.get("/items", data=b"x" * 70_000), 413, "body-too-large")
    assert client.application.config["MAX_CONTENT_LENGTH"] == 65_536


def test_who_asks_too_often_is_told_when_to_come_back(
    settings: Settings, engine: Engine, log: Any
) -> None:
    limited = settings.model_copy(update={"rate_limit": "3/minute"})
    client = create_app(limited, engine, log.inspector, guard=guard(settings)).test_client()
    answers = [client.get("/items", headers=bearer("items:read")) for _ in range(5)]
    assert [each.status_code for each in answers] == [200, 200, 200, 429, 429]
    problem(answers[3], 429, "rate-limited")
    assert 1 <= int(answers[3].headers["Retry-After"]) <= 60
    assert client.get("/items", headers=bearer("items:read", subject="hugo")).status_code == 200
    assert [client.get("/items").status_code for _ in range(4)] == [401, 401, 401, 429]
    assert all(client.get("/health/live").status_code == 200 for _ in range(9))
