"""What every resource has in common: problems, their pages, and the description of it all."""

from pathlib import Path
from typing import Any

import pytest
import structlog
from flask.testing import FlaskClient
from sqlalchemy import Engine

from domain.refusals import REFUSALS
from ledger.engines import reading_engine
from readmodel import problem_codes
from readmodel.app import create_app
from readmodel.problem_codes import PROBLEM_CODES, ProblemCode
from runtime.auth.codes import GUARDS
from runtime.problem_pages import OF_OUTCOMES
from runtime.problems import PROBLEM_JSON
from runtime.settings import Settings


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("path", ["/nothing", "/items/a/b/c", "/items//x", "/é"])
def test_an_unknown_path_is_a_404_problem(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.content_type == PROBLEM_JSON
    assert answer.json["code"] == "not-found"


@pytest.mark.parametrize(
    "path", ["/items", "/items/lamp", "/commands/c", "/status", "/health/live"]
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_another_method_is_a_405_problem_with_allow(client: FlaskClient, path: str) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"):
        answer = client.open(path, method=method)
        assert answer.status_code == 405
        assert answer.content_type == PROBLEM_JSON
        assert answer.headers["Allow"] == "GET, HEAD"
        assert answer.json["code"] == "method-not-allowed"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_who_comes_to_the_query_api_to_write_is_told_where_that_is(client: FlaskClient) -> None:
    said = client.put("/items/lamp", json={}).json["detail"]
    assert said.endswith("changes go to https://write.example")
    assert "http" not in client.open("/items/lamp", method="BREW").json["detail"]


def test_a_failure_inside_is_a_500_problem_that_tells_nothing_and_a_log_line_that_tells_all(
    settings: Settings, engine: Engine
) -> None:
    class Broken:
        def is_waiting(self, command_id: str, partition: Any = None) -> bool:
            raise RuntimeError("the secret of the house")

    with structlog.testing.capture_logs() as lines:
        client = create_app(settings, engine, Broken()).test_client()
        answer = client.get("/commands/c-1")
    assert answer.status_code == 500
    assert answer.content_type == PROBLEM_JSON
    assert answer.json["code"] == "internal-error"
    assert "secret" not in answer.text
    (line,) = lines
    assert (line["event"], line["log_level"]) == ("request failed", "error")
    assert "the secret of the house" in str(line["exc_info"])


def test_a_database_that_is_gone_is_a_503_problem(
    settings: Settings, log: Any, tmp_path: Path
) -> None:
    engine = reading_engine(f"sqlite:///{tmp_path / 'none.db'}")
    client = create_app(settings, engine, log.inspector).test_client()
    answer = client.get("/items/lamp")
    assert (answer.status_code, answer.json["code"]) == (503, "database-unavailable")
    assert answer.headers["Retry-After"] == "1"
    assert client.get("/health/ready").json["checks"]["database"] == "does not answer"
    engine.dispose()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_problem_has_a_page_for_people(client: FlaskClient) -> None:
    for code in PROBLEM_CODES:
        page = client.get(f"/problems/{code}")
        assert page.status_code == 200
        assert page.content_type == "text/html; charset=utf-8"
        assert page.headers["Content-Security-Policy"].startswith(
            "default-src 'none'; script-src 'none'"
        )
        assert PROBLEM_CODES[code].title in page.text
        assert "How to mend it" in page.text


def test_the_catalogue_has_every_refusal_and_every_code_of_this_service() -> None:
    own = [each for each in vars(problem_codes).values() if isinstance(each, ProblemCode)]
    assert own
    all_of_them = {each.code for each in (*own, *GUARDS, *REFUSALS, *OF_OUTCOMES)}
    assert all_of_them == set(PROBLEM_CODES)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_unknown_problem_code_is_404(client: FlaskClient) -> None:
    answer = client.get("/problems/<script>")
    assert (answer.status_code, answer.content_type) == (404, PROBLEM_JSON)
